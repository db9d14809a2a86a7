"""The structure of the source tree; with nothing to complain about it exits 0. Part of `make check`.

Run as `python -m tests.structure` from the root of the repository.
"""

import ast
import graphlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
MAX_MODULES = 20
MAX_TEST_NAME = 60
MAX_POSITIONAL = 7
QUESTION_WORDS = ("What", "How", "Whether", "Which", "Where", "When")
GENERATED = ("_pb2.py", "_pb2_grpc.py")
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def modules() -> list[Path]:
    """Every Python file that is or may come under version control, without generated ones, from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in listed.splitlines() if not line.endswith(GENERATED) and (ROOT / line).exists()]


def slices(paths: list[Path]) -> list[Path]:
    """Those of them that are part of the package `hybridrank`."""
    return [path for path in paths if len(path.parts) > 2 and path.parts[1] == "hybridrank"]


def long_modules(paths: list[Path]) -> Iterator[str]:
    """Modules of more than MAX_LINES lines."""
    for path in paths:
        lines = len((ROOT / path).read_text().splitlines())
        if lines > MAX_LINES:
            yield f"{path} has {lines} lines; a module holds one idea in at most {MAX_LINES}"


def crowded_folders(paths: list[Path]) -> Iterator[str]:
    """Folders with more than MAX_MODULES modules beside their subfolders."""
    counts = Counter(str(path.parent) for path in slices(paths) if path.name != "__init__.py")
    for folder, count in counts.items():
        if count > MAX_MODULES:
            yield f"{folder} has {count} modules; sort them into folders of at most {MAX_MODULES}"


def import_circles(paths: list[Path]) -> Iterator[str]:
    """A circle of imports between modules, where there is one; imports inside functions count."""
    parts = sorted({path.parts[0] for path in slices(paths)} - {"models"})
    graph = grimp.build_graph(*(f"hybridrank.{part}" for part in parts), cache_dir=None)
    order = graphlib.TopologicalSorter({each: graph.find_modules_directly_imported_by(each) for each in graph.modules})
    try:
        order.prepare()
    except graphlib.CycleError as error:
        yield f"modules import each other in a circle: {' -> '.join(error.args[1])}"


def long_test_names(paths: list[Path]) -> Iterator[str]:
    """Tests whose names have more than MAX_TEST_NAME characters."""
    for path in paths:
        if path.parts[0] == "tests":
            for node in ast.walk(ast.parse((ROOT / path).read_text())):
                is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                if is_function and node.name.startswith("test_") and len(node.name) > MAX_TEST_NAME:
                    yield f"{path}: {node.name} has {len(node.name)} characters, over {MAX_TEST_NAME}"


def docstring_openings(paths: list[Path]) -> Iterator[str]:
    """Docstrings that begin with a question word rather than a noun phrase or a verb."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in paths:
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            words = (ast.get_docstring(node) or "").split() if isinstance(node, kinds) else []
            if words and words[0] in QUESTION_WORDS:
                yield f"{path}: {getattr(node, 'name', 'the module')}: begin the docstring with a noun phrase or a verb"


def unexported_names(paths: list[Path]) -> Iterator[str]:
    """Names that examples in README and docs/ import and that `__all__` of their module lacks."""
    exported = {}
    for path in slices(paths):
        dotted = ".".join(path.with_suffix("").parts[1:]).removesuffix(".__init__")
        for node in ast.parse((ROOT / path).read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                exported[dotted] = set(ast.literal_eval(node.value))
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for example in EXAMPLE.findall(page.read_text()):
            for node in ast.walk(ast.parse(example)):
                if isinstance(node, ast.ImportFrom) and node.module in exported:
                    for missing in {each.name for each in node.names} - exported[node.module]:
                        yield f"{page.relative_to(ROOT)} imports {missing} from {node.module}, whose __all__ lacks it"


def positional_calls(paths: list[Path]) -> Iterator[str]:
    """Calls with more than MAX_POSITIONAL values that have no name."""
    for path in slices(paths):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Call) and len(node.args) > MAX_POSITIONAL:
                yield f"{path}:{node.lineno}: pass the {len(node.args)} values of {ast.unparse(node.func)} by keyword"


CHECKS = (
    long_modules,
    crowded_folders,
    import_circles,
    long_test_names,
    docstring_openings,
    unexported_names,
    positional_calls,
)


def main() -> int:
    """Print each problem in a line; 1 where there are any."""
    paths = modules()
    problems = [problem for check in CHECKS for problem in check(paths)]
    print(*problems, sep="\n", end="\n" * bool(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
