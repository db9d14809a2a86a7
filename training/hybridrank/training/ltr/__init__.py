"""LambdaMART from judgments: feature rows, training, comparison with baselines, and export."""
