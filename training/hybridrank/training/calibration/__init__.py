"""Fitting, measuring and plotting calibrations."""
