"""Leaf package that every other package uses: reading users' files, and values that every engine can hold."""
