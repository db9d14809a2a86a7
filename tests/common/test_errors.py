"""One root: a caller can catch every error of hybridrank with one class."""

import ast
import asyncio
import builtins
from pathlib import Path

from hybridrank.common.errors import HybridrankError
from hybridrank.connector import HybridrankError as Exported

ROOT = Path(__file__).resolve().parents[2]
NAME = HybridrankError.__name__


def bases_of_classes():
    """Names of the base classes of each class, read from the source, so that no extra has to be installed."""
    return {
        f"{path.relative_to(ROOT)}:{node.name}": {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for path in ROOT.glob("*/hybridrank/**/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }


def below(roots, classes):
    """The classes with an ancestor among `roots`."""
    names, keys = set(roots), set()
    while new := {key for key, bases in classes.items() if bases & names} - keys:
        keys |= new
        names |= {key.rpartition(":")[2] for key in new}
    return keys


def is_exception(name):
    known = getattr(builtins, name, asyncio.CancelledError if name == "CancelledError" else None)
    return name.endswith("Error") if known is None else isinstance(known, type) and issubclass(known, Exception)


def test_each_error_class_is_below_the_root():
    classes = bases_of_classes()
    errors = below(filter(is_exception, set().union(*classes.values())), classes)
    assert len(errors) > 60
    assert errors - below({NAME}, classes) == {f"common/hybridrank/common/errors.py:{NAME}"}


def test_the_connector_exports_the_root():
    assert Exported is HybridrankError
