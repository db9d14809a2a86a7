"""Speed and memory, measured side by side with a peer in one run. Never part of the tests."""
