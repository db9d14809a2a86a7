"""Measures of rankings, and tests of their differences."""
