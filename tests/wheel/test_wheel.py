"""The wheel in fresh environments, with each extra, of every Python at hand: commands work or say what to install.

`make test-wheel` runs it. uv takes packages from its cache, so that only the first run downloads them. Not here:
`train`, which `make test-torch` has from its lock file, and `pyserini`; both bring torch.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hybridrank.cli.discovery import all_commands
from tests.evaluation.menu import write_menu
from tests.sidecar.forests import write_forest
from tests.training import onnx_sources

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
ALL = {"opensearch", "elasticsearch", "embedded", "sidecar", "otel", "ltr", "eval", "tune", "engines", "cli"}
INSTALLED = [
    "",
    "cli",
    "opensearch,sidecar,cli",
    "elasticsearch,cli",
    "embedded,cli",
    "otel,sidecar,cli",
    "openvino,sidecar,cli",
    "eval,cli",
    "ltr,cli",
    "tune,cli",
    "engines,cli",
    "quantize,sidecar,cli",
    "all",
]

HELP = """
import contextlib, io, os, sys
from hybridrank.cli.__main__ import main
from hybridrank.cli.app import load
from hybridrank.cli.discovery import all_commands

def exit_code(path):
    sys.argv = ["hybridrank", *path.split(), "--help"]
    try:
        main()
    except SystemExit as end:
        return end.code or 0

paths = sys.argv[1:]
for names in all_commands():
    load(*names)  # once, for all children, as what the first help imports
with contextlib.redirect_stdout(io.StringIO()):
    exit_code("search")
for path in paths:
    if not (child := os.fork()):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(exit_code(path))
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"hybridrank {path} --help: exit {code}")
"""

SERVE = "serve --port 0 --http-port -1 --exit-with-parent"
INDEX = "index --collection menu --index menu"
# Command, the extras that it needs, and what it prints when it has them. Exit codes are 0, or as they stand here.
CALLS = [
    ("--version", set(), "0."),
    ("engine stop opensearch", set(), "was not running"),
    ("ltr judgments clicks.csv --out clicks --min-shown 1", set(), "judgments of 1 query"),
    (SERVE, {"sidecar"}, "ready on"),
    (f"{SERVE} --otlp-endpoint http://127.0.0.1:1", {"sidecar", "otel"}, "ready on"),
    (f"{SERVE} --runtime openvino", {"sidecar", "openvino"}, "openvino computes fp32"),
    (INDEX, {"embedded", "sidecar"}, "the index holds 5\ntoken vectors: residual"),
    ("search tea --index menu", {"embedded", "sidecar"}, "tea"),
    ("evaluate --collection menu --pipelines bm25,rrf+nano", {"embedded", "sidecar", "eval"}, "rrf+nano"),
    ("judgments agree ann.jsonl bob.jsonl", {"eval"}, "Krippendorff"),
    ("model import tiny --kind encoder --out imported --quantize", {"sidecar", "quantize"}, "int8 and fp32, 48 tokens"),
    ("ltr export forest --to xgboost --out forest.json", {"ltr"}, "xgboost"),
]


# An application whose modules have the names of our folders; commands run where it lies.
APPLICATION = ("connector", "sidecar", "models", "evaluation", "training", "common", "cli")
USES_BOTH = f"""
import {", ".join(APPLICATION)}
from hybridrank.connector import HybridSearch, SearchRequest, SidecarClient
assert all(each.MINE for each in ({", ".join(APPLICATION)}))
"""


class _Cluster(BaseHTTPRequestHandler):
    """As much of a cluster as tells its product, without an index."""

    def do_GET(self) -> None:
        is_root = self.path.startswith("/_nodes")
        error = {"type": "index_not_found_exception", "reason": "no such index"}
        body = {"nodes": {"n": {}}} if is_root else {"error": {**error, "root_cause": [error]}, "status": 404}
        self.send_response(200 if is_root else 404)
        for product in self.server.product:  # type: ignore[attr-defined]
            self.send_header("X-Elastic-Product", product)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_POST = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def cluster(*product: str) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Cluster)
    server.product = product  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def pythons() -> Iterator[tuple[str, str]]:
    """Version and path of each supported Python on this machine."""
    installed = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin/python"))
    for version in VERSIONS:
        named = shutil.which(f"python{version}")
        for path in filter(None, (sys.executable, named, *map(str, installed))):
            asked = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            if found == version:
                yield version, path
                break


def run(*command: object, ok: bool = True, **options) -> subprocess.CompletedProcess[str]:
    words = list(map(str, command))
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options)
    if ok and done.returncode:
        raise AssertionError(f"{' '.join(words)[:300]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def write_application(folder: Path) -> None:
    for number, name in enumerate(APPLICATION):  # modules and packages
        path = folder / (f"{name}.py" if number % 2 else f"{name}/__init__.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text("MINE = True\n")


def check(python: str, extras: str, wheel: Path, folder: Path, clusters: dict[str, str]) -> None:
    """Install, then call everything. The folder of a Python's environments stays the same, and so do its .pyc files."""
    uv, venv = Path(sys.executable).with_name("uv"), folder / "venv"
    shutil.rmtree(venv, ignore_errors=True)
    run(uv, "venv", "--quiet", "--python", python, venv)
    wanted = f"{wheel}[{extras}]" if extras else wheel
    pins = ROOT / "requirements" / "dev.lock"
    run(uv, "pip", "install", "--quiet", "--python", venv / "bin/python", "--constraint", pins, wanted)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPYCACHEPREFIX": str(folder / "pycache"),
        "HYBRIDRANK_ENGINES": str(folder / "engines"),
        "HYBRIDRANK_SIDECAR_PORT": "1",
    }
    has = (ALL if extras == "all" else set(extras.split(","))) - {""}
    call = {"env": environment, "cwd": folder}
    hybridrank = venv / "bin" / "hybridrank"
    run(venv / "bin/python", "-c", USES_BOTH, **call)
    if extras == "opensearch,sidecar,cli":
        flags = ("--port", "0", "--http-port", "-1", "--exit-with-parent")
        assert "ready on" in run(venv / "bin/python", "-m", "hybridrank.sidecar", *flags, **call).stdout
    if "cli" not in has:
        for words in ((), ("--help",), ("search", "tea")):
            done = run(hybridrank, *words, ok=False, **call)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr == (
                "error: the hybridrank command needs packages that are not installed: pip install 'hybridrank[cli]'\n"
            )
        return
    commands = ["", *map(" ".join, all_commands())]
    # Help loads no library (tests/cli/test_commands.py), so that all of it is the same with every extra.
    run(venv / "bin/python", "-c", HELP, *(each for each in commands if extras == "cli" or " " not in each), **call)
    reached = [
        (f"search tea --index x --engine {url}", {product}, "no such index") for product, url in clusters.items()
    ]
    for line, needs, said in [*CALLS, *reached]:
        if extras != "cli" and not needs <= has:
            continue  # what is missing is told from the least
        done = run(hybridrank, *line.split(), ok=False, **call)
        output = done.stdout + done.stderr
        assert "Traceback" not in output, f"{line}\n{output}"
        if needs <= has:
            assert said in output, f"{line}\n{output}"
        else:
            *_, last = done.stderr.splitlines()
            assert done.returncode == 1, f"{line}\n{output}"
            named = {each for each in needs - has if each in last.partition("pip install ")[2]}
            assert "pip install 'hybridrank[" in last, f"{line}\n{output}"
            assert named, f"{line}\n{output}"


PYTHONS = dict(pythons())


@pytest.fixture(scope="session")
def outcomes() -> Iterator[dict[tuple[str, str], "Future[None]"]]:
    """Everything, at once for as many Pythons as there are cores; one environment after the other for each."""
    folder = Path(tempfile.mkdtemp(prefix="hybridrank-wheel-"))
    folder.chmod(0o755)  # the engines' folder below is for another user, where this one is root
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    servers = {"opensearch": cluster(), "elasticsearch": cluster("Elasticsearch")}
    clusters = {name: f"http://127.0.0.1:{server.server_port}" for name, server in servers.items()}
    found: dict[tuple[str, str], Future[None]] = {(each, extras): Future() for each in PYTHONS for extras in INSTALLED}

    def of_one(version: str) -> None:
        place = folder / version
        write_menu(place / "menu")
        write_forest(place / "forest")
        onnx_sources.folder(place / "tiny", onnx_sources.files())
        write_application(place)
        (place / "clicks.csv").write_text("query,doc_id,position,shown,clicked\ntea,a,1,20,5\ntea,b,2,20,1\n")
        for judge, grade in (("ann", 1), ("bob", 0)):
            line = {"query_id": "q", "doc_id": "d", "grade": grade, "judge": judge}
            (place / f"{judge}.jsonl").write_text(json.dumps(line) + "\n")
        for extras in INSTALLED:
            try:
                found[version, extras].set_result(check(PYTHONS[version], extras, wheel, place, clusters))
            except BaseException as error:
                found[version, extras].set_exception(error)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for version in PYTHONS:
            pool.submit(of_one, version)
        yield found
    for server in servers.values():
        server.shutdown()
        server.server_close()
    shutil.rmtree(folder)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("extras", INSTALLED, ids=lambda each: each or "none")
@pytest.mark.parametrize("version", PYTHONS)
def test_an_installed_command_works_or_names_the_extra(outcomes, version, extras):
    outcomes[version, extras].result()
