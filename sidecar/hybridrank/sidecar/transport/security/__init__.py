"""TLS, certificates and API keys for all protocols."""
