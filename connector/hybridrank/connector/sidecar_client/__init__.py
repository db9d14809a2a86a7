"""Client of the sidecar: vectors and relevance scores, each within a timeout."""
