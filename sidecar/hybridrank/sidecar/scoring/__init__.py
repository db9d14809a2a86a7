"""From requests to scores: inputs, cache, batches, order."""
