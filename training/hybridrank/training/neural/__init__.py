"""Rerankers and encoders that are trained by gradient: from mined lists to a model folder."""
