"""Puts pipelines and endpoints into a cluster, and finds the usual mistakes."""
