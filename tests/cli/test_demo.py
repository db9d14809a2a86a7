"""The demo on a part of the standard library, with a few judgments made here; the whole takes minutes."""

import asyncio
import json

import pytest

from hybridrank.cli.actions.demo import run_demo
from hybridrank.evaluation.collections.beir import BeirFolder, CollectionError
from hybridrank.evaluation.collections.stdlib import StdlibCollection, read_stdlib

JUDGED = {
    "q1": ("turn an object into a json string", {"json.dumps": 2, "json": 1, "json.loads": 0}),
    "q2": ("text of a file into objects", {"json.load": 2, "csv.reader": 1}),
    "q3": ("nothing here answers this", {"json.dumps": 0, "gone.away": 2}),
}


@pytest.fixture
def part(tmp_path) -> StdlibCollection:
    (tmp_path / "judged/qrels").mkdir(parents=True)
    kinds = {"q1": "described", "q2": "how-to", "q3": "described"}
    queries = [json.dumps({"_id": each, "text": text, "kind": kinds[each]}) for each, (text, _) in JUDGED.items()]
    (tmp_path / "judged/queries.jsonl").write_text("\n".join(queries))
    rows = [f"{each}\t{doc_id}\t{grade}" for each, (_, grades) in JUDGED.items() for doc_id, grade in grades.items()]
    (tmp_path / "judged/qrels/test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
    entries = tuple(each for each in read_stdlib().entries if each.source["module"] in {"json", "csv"})
    return StdlibCollection(entries, {"this": "prints on import"}, 5, BeirFolder(tmp_path / "judged"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_second_demo_run_encodes_nothing(part, tmp_path, sidecar_address, capsys):
    asyncio.run(run_demo(part, f"embedded:{tmp_path / 'indices'}", sidecar_address))
    first = capsys.readouterr().out
    result = asyncio.run(run_demo(part, f"embedded:{tmp_path / 'indices'}", sidecar_address))
    shown = capsys.readouterr().out
    assert f"{len(part.entries)} written now, {len(part.entries)} texts encoded now" in first
    assert "0 written now, 0 texts encoded now" in shown
    assert "token vectors of encoder-minilm-l6 are stored as residual" in shown
    assert [each.name.rpartition("-")[2] for each in (tmp_path / "indices").iterdir()] == ["residual"]
    document = result.as_json()
    assert list(document["pipelines"]) == ["bm25", "knn", "rrf", "rrf+colbert", "rrf+cross-encoder", "rrf+nano"]
    assert document["collection"]["documents"] == len(part.entries)
    assert document["collection"]["judgments_dropped"] == 1
    settings = document["settings"]  # as its published figures
    assert (settings["max_chunks"], settings["rescore_window_size"], settings["weight"]) == (1, 30, None)
    assert all(set(each["per_query"]) == {"q1", "q2"} for each in document["pipelines"].values())
    assert document["pipelines"]["bm25"]["per_query"]["q1"]["r@100"] == 1.0
    assert document["baseline"] == "rrf"
    halves = {half: set(each["rrf"]["per_query"]) for half, each in document["halves"].items()}
    assert halves == {"described": {"q1"}, "typed": {"q2"}}
    assert "1 query described: needs in other words" in shown
    assert "1 query typed: names" in shown
    assert "left out" not in shown, "q3 has no relevant document here"
    assert "against rrf and knn" in shown
    assert "rrf+colbert changes the nDCG@10 of its own first stage, rrf, by" in shown
    _, _, below = shown.partition("side by side")
    changed = result.whole.win_loss("rrf+colbert")
    for query_id in changed.typical:
        assert repr(JUDGED[query_id][0]) in below
    assert below.count("rrf+cross-encoder") == len(changed.typical)


def test_without_judgments_it_says_which_file_is_missing(part, tmp_path, sidecar_address):
    (tmp_path / "judged/qrels/test.tsv").unlink()
    with pytest.raises(CollectionError, match=r"qrels/test\.tsv"):
        asyncio.run(run_demo(part, f"embedded:{tmp_path / 'indices'}", sidecar_address))
