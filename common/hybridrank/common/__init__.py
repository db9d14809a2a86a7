"""Leaf used by every other package: files that users write, and values that every engine can hold."""
