"""LambdaMART: learning to rank from judgments or clicks."""
