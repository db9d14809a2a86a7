"""The models that ship with hybridrank, a folder each; the README.md in a folder is the model's card."""

from pathlib import Path

SHIPPED_MODELS = Path(__file__).resolve().parent

SHIPPED = "shipped"
"""The word for them among the model folders of settings; `./shipped` is a folder of that name."""
