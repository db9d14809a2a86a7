"""The command line. Exit codes: 0 done, 1 failed (the reason on stderr), 2 wrong usage."""

import sys
from importlib.metadata import version

import typer
from pydantic import ValidationError
from rich.console import Console

from connector import BadAddress, ConnectorError
from evaluation.collections import CollectionError
from hybridrank.colbert import app as colbert
from hybridrank.demo import demo
from hybridrank.doctor import doctor
from hybridrank.engine import app as engine
from hybridrank.evaluate import evaluate
from hybridrank.index import app as index
from hybridrank.judgments import app as judgments
from hybridrank.ltr import app as ltr
from hybridrank.model import app as model
from hybridrank.reproduce import reproduce
from hybridrank.search import search
from hybridrank.serve import CONTEXT, serve
from hybridrank.setup import app as setup
from hybridrank.sidecar_process import SidecarNotStarted
from hybridrank.train import app as train
from hybridrank.tune import tune
from local_engines.errors import LocalEngineError
from ltr_features.feature_set import BadFeatureSet
from ltr_features.sltr import NotInPlugin
from sidecar.errors import BadModelFolder
from training.ltr.errors import LtrError
from training.neural.errors import RecipeError

__all__ = ["app", "main"]

app = typer.Typer(
    name="hybridrank",
    help="Hybrid retrieval with fusion and reranking for OpenSearch and Elasticsearch, without a server plugin.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (demo, search, evaluate, reproduce, tune, doctor):
    app.command()(command)
app.command(context_settings=CONTEXT)(serve)
app.add_typer(index, name="index")
app.add_typer(engine, name="engine")
app.add_typer(setup, name="setup")
app.add_typer(model, name="model")
app.add_typer(ltr, name="ltr")
app.add_typer(train, name="train")
app.add_typer(colbert, name="colbert")
app.add_typer(judgments, name="judgments")


def _version(wanted: bool) -> None:
    if wanted:
        print(version("hybridrank"))
        raise typer.Exit


@app.callback()
def options(
    _version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Hybrid retrieval with fusion and reranking for OpenSearch and Elasticsearch, without a server plugin."""


def main() -> None:
    """Run a command; an error that says what to do is shown as a sentence, any other as a traceback."""
    try:
        app()
    except (
        BadFeatureSet,
        BadModelFolder,
        CollectionError,
        ConnectorError,
        LocalEngineError,
        LtrError,
        RecipeError,
        NotInPlugin,
        SidecarNotStarted,
        ImportError,
        OSError,
        ValidationError,
    ) as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {error}", markup=False)
        sys.exit(2 if isinstance(error, BadAddress) else 1)


if __name__ == "__main__":
    main()
