"""The models of a running sidecar: found, loaded, tried, replaced."""
