"""Which texts are computed together, and when: the pure cutting of batches, and the worker that runs them."""
