"""Output on a terminal: progress, tables, plans."""
