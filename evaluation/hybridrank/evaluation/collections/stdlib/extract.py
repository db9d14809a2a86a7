"""Prints the documentation of the running Python's standard library as JSON lines, one public name per line.

Runs as a script in a separate process (`python -I -S extract.py`), because reading docstrings means importing every
module: everything that the modules register, print or warn about ends with the process. It needs only the standard
library.

Lines are `{"document": {...}}`, `{"skipped": module, "reason": ...}` and `{"undocumented": count}`.
"""

import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TextIO

__all__ = ["Exposure", "canonical", "has_own_docstring", "main", "search_words"]

NOT_FOR_IMPORT = {
    "antigravity": "opens a web browser on import",
    "idlelib": "an application",
    "lib2to3": "may write to disk on import",
    "test": "the tests of Python itself",
    "this": "prints on import",
    "turtledemo": "an application",
    "xxlimited": "an example",
    "xxlimited_35": "an example",
    "xxsubtype": "an example",
}
TEST_PACKAGES = {"idle_test", "test", "tests"}

# Implementations without an underscore: their names are documented under another module's name.
IMPLEMENTATIONS = {"genericpath", "nt", "ntpath", "nturl2path", "opcode", "posix", "posixpath", "pyexpat"}

PLAIN_TYPES = {bool, bytes, complex, float, int, str, type, type(None)}
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+[0-9]*")


@dataclass(frozen=True)
class Exposure:
    """One public name under which an object can be reached; `listed` if the module's `__all__` has it."""

    module: str
    name: str
    listed: bool


def main() -> None:
    """Writes every line to standard output; output of imported modules is discarded."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as out:
        null = os.open(os.devnull, os.O_RDWR)
        for standard_stream in (0, 1, 2):
            os.dup2(null, standard_stream)
        write_documents(out)


def write_documents(out: TextIO) -> None:
    """Imports all public modules, then writes modules, classes and functions, each kind sorted by name."""
    modules: dict[str, ModuleType] = {}
    for name, module, reason in import_public_modules():
        if module is None:
            _write(out, {"skipped": name, "reason": reason})
        else:
            modules[name] = module
    undocumented = 0
    written: set[str] = set()
    for name, kind, module_name, value in public_objects(modules):
        if name in written:
            continue
        if not has_own_docstring(value):
            undocumented += 1
            continue
        written.add(name)
        document = {
            "name": name,
            "title": search_words(name),
            "kind": kind,
            "module": module_name,
            "signature": "" if kind == "module" else signature(value),
            "text": inspect.cleandoc(value.__doc__),
            "depth": module_name.count(".") + 1,
        }
        _write(out, {"document": document})
    _write(out, {"undocumented": undocumented})


def _write(out: TextIO, line: dict[str, Any]) -> None:
    out.write(json.dumps(line) + "\n")


def import_public_modules() -> Iterator[tuple[str, ModuleType | None, str]]:
    """Yields every public module by name, packages before their modules; None and the reason if it cannot be read."""
    waiting = sorted((name for name in sys.stdlib_module_names if is_public(name)), reverse=True)
    while waiting:
        name = waiting.pop()
        if name in NOT_FOR_IMPORT:
            yield name, None, NOT_FOR_IMPORT[name]
            continue
        if name.rpartition(".")[2] in TEST_PACKAGES:
            yield name, None, "tests"
            continue
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # modules of other platforms, or built without their C library
            yield name, None, f"cannot be imported here: {error}"
            continue
        yield name, module, ""
        if name == "os":
            yield "os.path", module.path, ""
        paths = getattr(module, "__path__", ())
        inner = (f"{name}.{found.name}" for found in pkgutil.iter_modules(paths))
        waiting.extend(sorted(filter(is_public, inner), reverse=True))


def is_public(module: str) -> bool:
    """True if people import it by this name: no part starts with an underscore, and it is not an implementation."""
    parts = module.split(".")
    return not any(part.startswith("_") for part in parts) and parts[0] not in IMPLEMENTATIONS


def public_objects(modules: dict[str, ModuleType]) -> Iterator[tuple[str, str, str, Any]]:
    """Yields name, kind, module and object of every public object; one that several modules expose comes only once."""
    for name, module in modules.items():
        yield name, "module", name, module
    objects: dict[int, Any] = {}
    exposures: dict[int, list[Exposure]] = {}
    for module_name, module in modules.items():
        for name, value, listed in exposed(module_name, module):
            objects[id(value)] = value
            exposures.setdefault(id(value), []).append(Exposure(module_name, name, listed))
    named = [(canonical(exposures[key], value), value) for key, value in objects.items()]
    for chosen, value in sorted(named, key=lambda pair: (pair[0].module, pair[0].name)):
        kind = "class" if isinstance(value, type) else "function"
        yield f"{chosen.module}.{chosen.name}", kind, chosen.module, value


def exposed(module_name: str, module: ModuleType) -> Iterator[tuple[str, Any, bool]]:
    """Yields the classes and functions that the module exposes, and whether `__all__` lists them.

    Without `__all__`: names that the module or a private module defines. In both cases: names that a package imports
    from its own submodules (Python 3.11 forgot to list `asyncio.TaskGroup`), and every builtin.
    """
    listed = set(getattr(module, "__all__", ()))
    for name in sorted(listed | set(vars(module))):
        value = getattr(module, name, None)
        if not isinstance(value, type) and not inspect.isroutine(value):
            continue
        home = str(getattr(value, "__module__", None))
        is_from_inside = module_name == "builtins" or (home.startswith(f"{module_name}.") and is_public(home))
        is_own = not listed and (home == module_name or not is_public(home))
        if name in listed or (not name.startswith("_") and (is_from_inside or is_own)):
            yield name, value, name in listed


def canonical(exposures: list[Exposure], value: Any) -> Exposure:
    """Returns the exposure under which to document the object, independent of their order.

    A builtin uses its bare name. Otherwise the object's own name comes before an alias, a package before its submodules
    (`json.JSONDecoder`, not `json.decoder.JSONDecoder`), a name that `__all__` lists before an unlisted one, and the
    module that defines the object before one that re-exports it.
    """
    own_name = getattr(value, "__name__", "")
    home = getattr(value, "__module__", None)

    def preference(each: Exposure) -> tuple[bool, bool, int, bool, bool, str, str]:
        return (
            each.module != "builtins",
            each.name != own_name,
            each.module.count("."),
            not each.listed,
            each.module != home,
            each.module,
            each.name,
        )

    return min(exposures, key=preference)


def has_own_docstring(value: Any) -> bool:
    """Returns True if it has a handwritten docstring: inherited ones and those that Python generates do not count."""
    if isinstance(value, type):
        text = value.__doc__ if vars(value).get("__doc__") is not None else None
        return isinstance(text, str) and bool(text.strip()) and not _is_generated(value, text)
    text = value.__doc__
    return isinstance(text, str) and bool(text.strip())


def _is_generated(value: type, text: str) -> bool:
    """Detects the fixed sentence of Python 3.10 enumerations and the field lists of named tuples and dataclasses."""
    is_record = hasattr(value, "_fields") or "__dataclass_fields__" in vars(value)
    return text == "An enumeration." or (is_record and "\n" not in text and text.startswith(f"{value.__name__}("))


def signature(value: Any) -> str:
    """Returns the call signature as text; empty if Python knows none.

    A default that is not a plain value is shown as `...`: it may contain a memory address, or (`cgi.parse`) the
    environment of this process with its secrets.

    >>> signature(lambda a, b=(1, None), *, c=os.environ: 0)
    '(a, b=(1, None), *, c=...)'
    """
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    shown = [
        each if each.default is each.empty or _is_plain(each.default) else each.replace(default=_Elided())
        for each in found.parameters.values()
    ]
    return str(found.replace(parameters=shown))


class _Elided:
    def __repr__(self) -> str:
        return "..."


def _is_plain(default: Any) -> bool:
    if type(default) is tuple:
        return all(map(_is_plain, default))
    return type(default) in PLAIN_TYPES or (type(default) in {dict, list} and not default)


def search_words(qualified_name: str) -> str:
    """Returns the name as words that a search can match.

    Engines' standard analyzers keep `collections.OrderedDict` as one token, which nobody types. The parts are
    separated, and a part of several words is followed by its words, so that both `OrderedDict` and "ordered dict"
    match.

    >>> search_words("collections.OrderedDict")
    'collections OrderedDict ordered dict'
    >>> search_words("os.path.join")
    'os path join'
    """
    shown = []
    for part in qualified_name.split("."):
        shown.append(part)
        words = WORD.findall(part)
        if len(words) > 1:
            shown.extend(word.lower() for word in words)
    return " ".join(shown)


if __name__ == "__main__":
    main()
