"""Configuration files in options."""

from pathlib import Path

from rich.console import Console

from hybridrank.evaluation.experiments.configuration import Configuration

__all__ = ["load_configuration"]


def load_configuration(file: Path, console: Console) -> Configuration:
    """Reads a configuration; prints a note if it needs other BM25 settings. Raises ConfigurationError, OSError."""
    configuration = Configuration.load(file)
    if configuration.bm25:
        numbers = f"--k1 {configuration.bm25.k1:g} --b {configuration.bm25.b:g}"
        console.print(
            f"note: {file} is for an index that counts by `hybridrank index bm25 INDEX {numbers}`", markup=False
        )
    return configuration
