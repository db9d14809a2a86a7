"""Collections, measures, significance and experiments, which show whether one ranking is better than another."""
