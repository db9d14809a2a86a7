"""Options of commands, and the values that they offer."""
