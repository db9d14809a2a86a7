"""The families of checkpoints that can be exported: a file a family, and its line in `registry`."""
