"""Tiny checkpoints of every family, with random weights in the layout of the hub, beside their own libraries."""
