"""Naming and docstring rules of the reader, on modules made here and on the real library."""

import enum
import inspect
import os
import types
from collections import namedtuple
from dataclasses import dataclass
from itertools import permutations

import pytest

from hybridrank.evaluation.collections.stdlib.extract import (
    Exposure,
    canonical,
    exposed,
    has_own_docstring,
    import_public_modules,
    is_public,
    search_words,
    signature,
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("json", "json"),
        ("json.JSONDecoder", "json JSONDecoder json decoder"),
        ("collections.OrderedDict", "collections OrderedDict ordered dict"),
        ("shutil.copy_file", "shutil copy_file copy file"),
        ("os.path.join", "os path join"),
        ("base64.b64encode", "base64 b64encode"),
        ("signal.SIGINT", "signal SIGINT"),
    ],
)
def test_names_become_words(name, words):
    assert search_words(name) == words


def _thing(name, module):
    return types.SimpleNamespace(__name__=name, __module__=module)


@pytest.mark.parametrize(
    ("exposures", "value", "chosen"),
    [
        pytest.param(
            [Exposure("json.decoder", "JSONDecoder", True), Exposure("json", "JSONDecoder", True)],
            _thing("JSONDecoder", "json.decoder"),
            "json.JSONDecoder",
            id="a package before its submodule",
        ),
        pytest.param(
            [Exposure("os", "error", True), Exposure("builtins", "OSError", False), Exposure("socket", "error", True)],
            _thing("OSError", "builtins"),
            "builtins.OSError",
            id="a builtin before its aliases",
        ),
        pytest.param(
            [Exposure("a", "alias", True), Exposure("b.c", "real", False)],
            _thing("real", "b.c"),
            "b.c.real",
            id="its own name before an alias",
        ),
        pytest.param(
            [Exposure("hmac", "compare_digest", False), Exposure("secrets", "compare_digest", True)],
            _thing("compare_digest", "_operator"),
            "secrets.compare_digest",
            id="a listed name before one that is merely there",
        ),
        pytest.param(
            [Exposure("a", "f", True), Exposure("b", "f", True)],
            _thing("f", "b"),
            "b.f",
            id="where it is defined before who passes it on",
        ),
    ],
)
def test_an_object_has_one_public_name_whatever_the_order(exposures, value, chosen):
    for order in permutations(exposures):
        best = canonical(list(order), value)
        assert f"{best.module}.{best.name}" == chosen


class Documented:
    """A class with words of its own."""


class Inherits(Documented):
    pass


class Blank:
    """ """


class Colour(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: int


@dataclass
class Described:
    """A dataclass that somebody described."""

    x: int


def test_only_docstrings_that_somebody_wrote_count():
    assert has_own_docstring(Documented)
    assert has_own_docstring(Described)
    assert has_own_docstring(len)
    for value in (Inherits, Blank, Colour, Point, namedtuple("Pair", "a b"), lambda: None):
        assert not has_own_docstring(value), value


def test_the_default_docstring_of_enumerations_is_ignored():
    class Old:
        __doc__ = "An enumeration."

    assert not has_own_docstring(Old)


def test_signatures_show_plain_defaults_and_hide_process_state():
    def brew(leaves, *, cups=(1, None), kind="green", extra={}, where=os.environ, how=lambda: None, unit=int):  # noqa: B006
        ...

    assert (
        signature(brew) == "(leaves, *, cups=(1, None), kind='green', extra={}, where=..., how=..., unit=<class 'int'>)"
    )
    assert signature(type) == ""


def _module(name, **names):
    module = types.ModuleType(name)
    vars(module).update(names)
    return module


def _function(name, module):
    function = types.FunctionType((lambda: None).__code__, {}, name)
    function.__module__ = module
    return function


def test_without_all_own_and_private_definitions_are_public():
    module = _module(
        "tea",
        brew=_function("brew", "tea"),
        fast=_function("fast", "_tea"),
        borrowed=_function("borrowed", "coffee"),
        _hidden=_function("_hidden", "tea"),
        CONSTANT=7,
    )
    assert [(name, listed) for name, _, listed in exposed("tea", module)] == [("brew", False), ("fast", False)]


def test_with_all_its_names_and_submodule_exports_are_public():
    module = _module(
        "tea",
        __all__=["borrowed", "missing"],
        brew=_function("brew", "tea"),
        borrowed=_function("borrowed", "coffee"),
        steep=_function("steep", "tea.water"),
        private=_function("private", "tea._water"),
    )
    assert [(name, listed) for name, _, listed in exposed("tea", module)] == [("borrowed", True), ("steep", False)]


@pytest.mark.parametrize(
    ("module", "public"),
    [("json", True), ("os.path", True), ("_json", False), ("xml.etree._x", False), ("posixpath", False)],
)
def test_private_modules_and_mere_implementations_are_not_public(module, public):
    assert is_public(module) is public


def test_modules_with_side_effects_are_never_imported(monkeypatch):
    monkeypatch.setattr("sys.stdlib_module_names", {"antigravity", "this", "test", "unittest", "json", "os", "_json"})
    seen = {name: reason for name, module, reason in import_public_modules() if module is None}
    assert {"antigravity", "this", "test"} <= set(seen)
    assert "prints" in seen["this"]
    names = [name for name, module, _ in import_public_modules() if inspect.ismodule(module)]
    assert {"json", "json.decoder", "os", "os.path", "unittest.mock"} <= set(names)
    assert not any(part in {"test", "tests"} or part.startswith("_") for name in names for part in name.split("."))
