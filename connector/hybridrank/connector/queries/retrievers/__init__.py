"""Query bodies of the first stage, a file for each kind of retriever."""
