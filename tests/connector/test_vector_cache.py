"""A cache that cannot be written or read is done without: nothing fails, nothing wrong is read, and it says so once."""

import resource
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from hybridrank.connector.indexing.vector_cache import VectorCache

TEXTS = [f"text {number}" for number in range(200)]
VECTORS = {text: (float(number), 0.5) for number, text in enumerate(TEXTS)}
LIMIT = 64 * 1024  # bytes a file may have in the child, which then sees what a full disk is: a write that fails

INDEX = """
import asyncio, sys
from pathlib import Path
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from tests.connector.test_indexing import CountingEncoder, documents

folder = Path(sys.argv[1])
cache = VectorCache(folder / "vectors.sqlite3")
encoder = CountingEncoder()
for index in ("cups", "mugs"):
    report = asyncio.run(index_documents(EmbeddedEngine(folder), encoder, index, documents(150), cache=cache))
    assert (report.indexed, report.total_in_index) == (150, 150)
print(len(encoder.encoded))
"""


@pytest.fixture
def cache(tmp_path):
    return VectorCache(tmp_path / "vectors.sqlite3")


def test_indexing_continues_on_a_full_disk_with_the_cache_intact(cache, tmp_path):
    kept = 0
    while cache.file.stat().st_size < LIMIT:
        cache.put("full", {f"{kept + number}": (float(kept + number),) * 64 for number in range(10)})
        kept += 10
    child = subprocess.run(
        [sys.executable, "-c", INDEX, str(tmp_path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stdout) == (0, "300\n"), child.stderr
    assert child.stderr.count("takes no more vectors") == 1
    with closing(sqlite3.connect(cache.file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    known = cache.get("full", [str(number) for number in range(kept)])
    assert known == {str(number): (float(number),) * 64 for number in range(kept)}
    cache.put("full", {"room again": (1.0,)})
    assert cache.get("full", ["room again"]) == {"room again": (1.0,)}


@pytest.mark.parametrize("missing", [*range(1, 4096, 93), 5000, 10_000, 16_000])
def test_a_truncated_cache_file_gives_no_wrong_vectors(missing, cache):
    cache.put("m", VECTORS)
    whole = cache.file.read_bytes()
    cache.file.write_bytes(whole[:-missing])
    known = VectorCache(cache.file).get("m", TEXTS)
    assert known.items() <= VECTORS.items()
    assert known.keys() < VECTORS.keys()


def test_a_file_that_was_cut_to_nothing_is_a_new_one(cache):
    cache.put("m", VECTORS)
    cache.file.write_bytes(b"")
    found = VectorCache(cache.file)
    assert found.get("m", TEXTS) == {}
    found.put("m", VECTORS)
    assert found.get("m", TEXTS) == VECTORS


def test_a_file_that_is_no_database_is_named_once(tmp_path, caplog):
    (tmp_path / "vectors").write_text("something else " * 100)
    cache = VectorCache(tmp_path / "vectors")
    for _ in range(2):
        cache.put("m", VECTORS)
        assert cache.get("m", TEXTS) == {}
    (record,) = caplog.records
    assert f"{tmp_path / 'vectors'} cannot be used" in record.getMessage()
    assert (tmp_path / "vectors").read_text().startswith("something else")


def test_a_folder_that_cannot_be_made_is_named_once(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    cache = VectorCache(tmp_path / "file" / "vectors")
    cache.put("m", VECTORS)
    assert cache.get("m", TEXTS) == {}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
