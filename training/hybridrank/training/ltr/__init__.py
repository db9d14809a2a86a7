"""LambdaMART from judgments: rows of features, training, what it is held against, and what it is written as."""
