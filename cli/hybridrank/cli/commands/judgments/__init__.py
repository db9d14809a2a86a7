"""Judge what pipelines find, and see how far judges agree."""
