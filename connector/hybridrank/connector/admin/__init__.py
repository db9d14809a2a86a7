"""Changes to indices in use: aliases, BM25 parameters, synonyms."""
