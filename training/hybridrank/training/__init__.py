"""Training: turns judgments and models into artifacts that the sidecar serves."""
