"""Batching: the pure cutting of batches, and the worker that runs them."""
