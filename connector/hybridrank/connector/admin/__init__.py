"""Changes to indices that are searched already: aliases, BM25 parameters, synonyms."""
