"""The commands that the files in `commands/` hold, and their summaries; nothing is imported for it."""

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from hybridrank.cli import commands

__all__ = ["all_commands", "children", "module_of", "path_of", "summary"]

ROOT = Path(commands.__file__).parent


@functools.cache
def children(*names: str) -> Mapping[str, Path]:
    """Returns the file or folder of each command in a group, by name; without names, of the program."""
    paths = (each for each in path_of(*names).iterdir() if not each.name.startswith("_"))
    is_part = {each for each in paths if each.suffix == ".py" or (each / "__init__.py").exists()}
    named = {each.stem.rstrip("_").replace("_", "-"): each for each in is_part}
    order = {name: number for number, name in enumerate(() if names else commands.FIRST)}
    return {name: named[name] for name in sorted(named, key=lambda each: (order.get(each, len(order)), each))}


def path_of(*names: str) -> Path:
    """Returns the file of a command, or the folder of a group. Raises KeyError."""
    return children(*names[:-1])[names[-1]] if names else ROOT


def module_of(path: Path) -> str:
    """Returns the dotted name of a command's file, or of a group's folder."""
    return ".".join([commands.__name__, *path.relative_to(ROOT).with_suffix("").parts])


def summary(path: Path) -> str:
    """Returns the first paragraph of the function's docstring, or of the module's in a group without a function."""
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path).read_text(encoding="utf-8"))
    functions = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == path.stem]
    text = ast.get_docstring(functions[0] if functions else tree) or ""
    return " ".join(text.partition("\n\n")[0].split())


def all_commands(*names: str) -> Iterator[tuple[str, ...]]:
    """Yields the names of each command and group, with those below it."""
    for name, path in children(*names).items():
        yield (*names, name)
        if path.is_dir():
            yield from all_commands(*names, name)
