"""Search for a better configuration on dev queries."""
