"""Who imports whom, from source text."""

import ast

import pytest

from hybridrank.evaluation.collections.stdlib.importers import count_importers, imported_modules

KNOWN = {"os.path", "pkg", "pkg.inner", "pkg.inner.leaf", "json.decoder"}


@pytest.mark.parametrize(
    ("source", "module", "is_package", "expected"),
    [
        ("import json, os.path", "m", False, {"json", "os.path"}),
        ("import json.decoder as d", "m", False, {"json.decoder"}),
        ("from json import decoder, dumps", "m", False, {"json.decoder", "json"}),
        ("import posixpath", "m", False, {"os.path"}),
        ("from . import inner", "pkg", True, {"pkg.inner"}),
        ("from .inner import leaf, name", "pkg", True, {"pkg.inner.leaf", "pkg.inner"}),
        ("from . import name", "pkg.inner", False, {"pkg"}),
        ("from .. import inner", "pkg.inner.leaf", False, {"pkg.inner"}),
        ("def f():\n  import json", "m", False, {"json"}),
        ("try:\n import a\nexcept E:\n import b\nelse:\n import c\nfinally:\n import d", "m", False, set("abcd")),
        ("match x:\n  case 1:\n    import json", "m", False, {"json"}),
        ("class A:\n  with b:\n    while c:\n      import json", "m", False, {"json"}),
        ("x = 'import json'", "m", False, set()),
    ],
)  # fmt: skip
def test_imports_resolve_to_full_names(source, module, is_package, expected):
    assert imported_modules(ast.parse(source), module, is_package=is_package, known=KNOWN) == expected


def test_each_importing_module_counts_once_and_not_for_itself(tmp_path):
    files = {
        "one.py": "import two\nimport two\nfrom two import x",
        "two.py": "import two",
        "pkg/__init__.py": "from . import inner",
        "pkg/inner.py": "import two",
        "test/test_one.py": "import one",
        "site-packages/other.py": "import one",
    }
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    progress = []
    importers = count_importers(tmp_path, lambda done, total: progress.append((done, total)))
    assert importers == {"two": 2, "pkg.inner": 1}
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
