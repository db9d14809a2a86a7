"""Counts how many standard-library modules import each of its modules, from their source, without importing them."""

import ast
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

__all__ = ["count_importers", "imported_modules", "source_files"]

LEFT_OUT = {"__pycache__", "idle_test", "idlelib", "lib2to3", "site-packages", "test", "tests", "turtledemo"}

# `os.path` is one of two files, by platform; an import of those means `os.path`.
STANDS_FOR = {"posixpath": "os.path", "ntpath": "os.path", "genericpath": "os.path"}


def count_importers(
    library: Path, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> dict[str, int]:
    """Returns, for each module that is imported in `library`, the number of importing modules, including private ones.

    `import a.b` and `from a.b import name` count for `a.b`, `from a import b` for `a.b` where that is a module. An
    import inside a function counts. Tests and applications (idlelib …) do not count as importers.
    """
    files = source_files(library)
    known = {*files, "os.path"}
    importers: Counter[str] = Counter()
    for done, (module, path) in enumerate(files.items(), start=1):
        tree = ast.parse(path.read_bytes(), filename=str(path))
        names = imported_modules(tree, module, is_package=path.name == "__init__.py", known=known)
        importers.update(names - {STANDS_FOR.get(module, module)})
        on_progress(done, len(files))
    return dict(importers)


def source_files(library: Path) -> Mapping[str, Path]:
    """Returns the library's modules that are written in Python, by name."""
    files: dict[str, Path] = {}
    for folder, inner_folders, names in os.walk(library):
        inner_folders[:] = sorted(each for each in inner_folders if each not in LEFT_OUT and each.isidentifier())
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix == ".py" and path.stem.isidentifier():
                parts = path.relative_to(library).with_suffix("").parts
                files[".".join(parts[:-1] if path.stem == "__init__" else parts)] = path
    return files


def imported_modules(tree: ast.Module, module: str, *, is_package: bool, known: Iterable[str]) -> set[str]:
    """Returns the full names of the modules that the source of `module` imports.

    >>> tree = ast.parse("import json.decoder; from os import path, walk; from . import nodes")
    >>> sorted(imported_modules(tree, "ast_tools.scan", is_package=False, known={"os.path", "ast_tools.nodes"}))
    ['ast_tools.nodes', 'json.decoder', 'os', 'os.path']
    """
    known = set(known)
    found: set[str] = set()
    for statement in _imports(tree.body):
        if isinstance(statement, ast.Import):
            found.update(alias.name for alias in statement.names)
            continue
        origin = statement.module or ""
        if statement.level:
            parents = module.split(".")
            parents = parents[: len(parents) - statement.level + is_package]
            origin = ".".join([*parents, origin] if origin else parents)
        for alias in statement.names:
            inner = f"{origin}.{alias.name}"
            found.add(inner if inner in known else origin)
    return {STANDS_FOR.get(name, name) for name in found}


def _imports(statements: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yields every import among the statements and their nested blocks; expressions contain none and are skipped."""
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(statement, block, ())
            if isinstance(inner, list):
                yield from _imports(inner)
