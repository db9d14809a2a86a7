"""Protocols. Each decodes, calls the service and encodes; nothing is decided here."""
