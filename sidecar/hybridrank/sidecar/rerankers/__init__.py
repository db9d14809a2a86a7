"""Models for the service: one file for each method that turns texts into scores or vectors."""
