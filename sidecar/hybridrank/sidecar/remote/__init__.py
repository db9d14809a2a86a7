"""Models that are served elsewhere: the shapes of their APIs, and the client that sends to them."""
