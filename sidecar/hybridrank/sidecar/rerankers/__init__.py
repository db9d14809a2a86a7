"""The models as the service sees them: one file for each way of turning texts into scores or vectors."""
