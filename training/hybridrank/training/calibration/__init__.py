"""Calibrations: fitted, measured and drawn."""
