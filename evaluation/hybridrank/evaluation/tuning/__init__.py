"""The search for a better configuration on dev queries."""
