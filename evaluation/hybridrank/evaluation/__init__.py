"""Collections, measures, significance and experiments: what says whether one ranking is better than another."""
