"""Training of rerankers and encoders by gradient descent: from mined lists to a model folder."""
