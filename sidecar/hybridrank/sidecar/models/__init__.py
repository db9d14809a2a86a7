"""The models of a running sidecar: finding, loading, testing, replacing."""
