"""The work of commands; each module is loaded when its command runs."""
