"""Query bodies of the first stage, one file per kind of retriever."""
