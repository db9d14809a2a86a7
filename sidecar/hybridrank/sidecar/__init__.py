"""The server beside the search engine: it encodes texts and scores passages over gRPC.

The path of a request: transport → service → batching → rerankers → runtime.
"""
