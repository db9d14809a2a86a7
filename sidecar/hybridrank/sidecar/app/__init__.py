"""The process: settings, start and stop, readiness, logs."""
