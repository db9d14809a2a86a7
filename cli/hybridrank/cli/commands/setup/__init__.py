"""Have a cluster rerank by a sidecar, for applications that only speak to the cluster."""
