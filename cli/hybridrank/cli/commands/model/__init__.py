"""Model folders for the sidecar."""
