"""What a search asks of the engine, as query bodies."""
