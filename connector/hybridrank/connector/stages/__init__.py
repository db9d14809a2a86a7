"""The stages of a search, a file each."""
