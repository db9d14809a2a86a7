"""Collections, measures, significance and experiments: show whether one ranking is better than another."""
