"""Downloads from a Maven repository on loopback: complete and checked, or not there at all."""

import dataclasses
import gc
import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from hybridrank.local_engines.artifacts import Artifact, fetch
from hybridrank.local_engines.errors import ChecksumMismatch, DownloadFailed

JAR = b"not really a jar, but as good as one" * 1000
ZIP = b"and this one is unpacked" * 5000


@dataclass
class Repository:
    """Serves `files` (path → bytes), keeps what it was asked for, and cuts `cut_short` answers off in the middle."""

    files: dict[str, bytes]
    asked: list[str] = field(default_factory=list)
    cut_short: int = 0
    url: str = ""

    def remote(self) -> dict[str, str]:
        return {"loopback": self.url}


@contextmanager
def serving(repository: Repository) -> Iterator[Repository]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = repository.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            repository.asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if repository.cut_short:
                repository.cut_short -= 1
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    repository.url = f"http://127.0.0.1:{server.server_address[1]}/maven"
    try:
        yield repository
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def repository():
    files = {
        "/maven/org/example/core/1.0/core-1.0.jar": JAR,
        "/maven/org/example/plugin/2.0/plugin-2.0.zip": ZIP,
    }
    with serving(Repository(files)) as running:
        yield running


def artifact(coordinates: str, content: bytes) -> Artifact:
    return Artifact(coordinates, "lib", hashlib.sha256(content).hexdigest(), len(content))


CORE = artifact("org.example:core:1.0:jar", JAR)
PLUGIN = artifact("org.example:plugin:2.0:zip", ZIP)
ABSENT = artifact("org.example:absent:1.0:jar", b"nowhere")
BOTH = [CORE, PLUGIN]


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_fetched_files_equal_those_of_the_repository(repository, tmp_path):
    fetch(BOTH, tmp_path, remote_repos=repository.remote())
    assert CORE.path_in(tmp_path).read_bytes() == JAR
    assert PLUGIN.path_in(tmp_path).read_bytes() == ZIP
    assert files_in(tmp_path) == {"core-1.0.jar", "plugin-2.0.zip"}


def test_the_second_time_asks_for_nothing(repository, tmp_path):
    fetch(BOTH, tmp_path, remote_repos=repository.remote())
    repository.asked.clear()
    fetch(BOTH, tmp_path, remote_repos=repository.remote())
    assert repository.asked == []


def test_a_wrong_checksum_is_named_and_leaves_no_file(repository, tmp_path):
    other = dataclasses.replace(CORE, sha256="0" * 64)
    with pytest.raises(ChecksumMismatch, match=r"org\.example:core:1\.0:jar arrived with SHA-256") as caught:
        fetch([other], tmp_path, remote_repos=repository.remote())
    assert hashlib.sha256(JAR).hexdigest() in str(caught.value)
    assert files_in(tmp_path) == set()


def test_a_file_that_changed_in_the_cache_is_fetched_again(repository, tmp_path):
    fetch([CORE], tmp_path, remote_repos=repository.remote())
    CORE.path_in(tmp_path).write_bytes(bytes(len(JAR)))  # the right size, other bytes
    fetch([CORE], tmp_path, remote_repos=repository.remote())
    assert CORE.path_in(tmp_path).read_bytes() == JAR


def test_a_broken_connection_is_tried_again(repository, tmp_path):
    repository.cut_short = 1
    fetch([CORE], tmp_path, remote_repos=repository.remote())
    assert CORE.path_in(tmp_path).read_bytes() == JAR
    assert len(repository.asked) == 2


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_finished_downloads_survive_a_failure(repository, tmp_path):
    fetch([CORE], tmp_path, remote_repos=repository.remote())
    with pytest.raises(DownloadFailed, match=r"org\.example:absent:1\.0:jar.*run the command again"):
        fetch([CORE, ABSENT], tmp_path, remote_repos=repository.remote())
    gc.collect()  # jgo leaves the answer to a refused request open; let it go while the warning is allowed
    assert files_in(tmp_path) == {"core-1.0.jar"}


def test_off_a_terminal_progress_is_plain_text_or_nothing(repository, tmp_path):
    console = Console(file=io.StringIO(), force_terminal=False)
    fetch(BOTH, tmp_path, console=console, remote_repos=repository.remote())
    assert "\x1b" not in console.file.getvalue()
