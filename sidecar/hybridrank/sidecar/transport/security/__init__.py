"""TLS, certificates and API keys for every wire."""
