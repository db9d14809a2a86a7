"""Train rerankers on your own data (needs the train extra)."""
