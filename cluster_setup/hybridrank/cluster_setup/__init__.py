"""Installs pipelines and endpoints in a cluster, and finds common mistakes."""
