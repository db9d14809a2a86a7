"""The log of features: what a search wrote is what it ranked by, and a disk that is full costs no search."""

import hashlib
import json
import math

import pytest
from pyarrow.parquet import read_table

from hybridrank.connector import FeatureLog, FeatureRescore, HybridSearch, Rescore, SearchRequest
from hybridrank.connector.stages import feature_log
from hybridrank.connector.stages.feature_log import read_feature_log, write_parquet
from tests.connector.test_stages import FEATURES, PriceSidecar
from tests.evaluation.menu import menu_engine

QUERY = "hot tea with milk"


@pytest.fixture
async def engine(tmp_path):
    return await menu_engine(tmp_path / "indices")


def request(**changes) -> SearchRequest:
    stages = (Rescore(model="words"), FeatureRescore(model="price", feature_set=FEATURES, with_features=True))
    return SearchRequest(**{"index": "menu", "query_text": QUERY, "rescore": stages} | changes)


def same(one: dict[str, float], other: dict[str, float]) -> bool:
    """Bit by bit, and NaN is NaN."""
    return {name: value.hex() for name, value in one.items()} == {name: value.hex() for name, value in other.items()}


async def test_a_line_holds_what_the_hit_was_ranked_by(engine, tmp_path):
    log = FeatureLog(tmp_path / "log")
    response = await HybridSearch(engine, PriceSidecar(), feature_log=log).search(request(query_id="q7"))
    records = {each["doc_id"]: each for each in read_feature_log(log.folder)}
    assert len(records) == len(response.hits) == 5
    for hit in response.hits:
        record = records[hit.doc_id]
        assert same(record["features"], hit.features)
        assert (record["query_id"], record["index"], record["rank"]) == ("q7", "menu", hit.rank)
        assert record["feature_set"] == {"name": "menu", "version": "1", "digest": FEATURES.digest}
    assert any(math.isnan(each["features"]["price"]) for each in records.values())
    assert len({each["timestamp"] for each in records.values()}) == 1


async def test_the_text_of_a_query_is_written_only_when_asked(engine, tmp_path):
    for with_text in (False, True):
        log = FeatureLog(tmp_path / f"{with_text}", with_text=with_text)
        await HybridSearch(engine, PriceSidecar(), feature_log=log).search(request())
        for record in read_feature_log(log.folder):
            assert record["query_id"] == hashlib.sha256(QUERY.encode()).hexdigest()[:16]
            assert record.get("query_text") == (QUERY if with_text else None)
        assert (QUERY in (log.folder / "features.jsonl").read_text()) is with_text


async def test_every_line_is_json_for_any_reader(engine, tmp_path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    log = FeatureLog(tmp_path / "log")
    await HybridSearch(engine, PriceSidecar(), feature_log=log).search(request())
    lines = (log.folder / "features.jsonl").read_text().splitlines()
    values = [json.loads(line, parse_constant=refuse)["features"] for line in lines]
    assert any(each["price"] is None for each in values)


async def test_the_files_are_bounded_in_size_and_number(engine, tmp_path):
    log = FeatureLog(tmp_path / "log", max_file_bytes=1, max_files=3)
    search = HybridSearch(engine, PriceSidecar(), feature_log=log)
    for number in range(6):
        await search.search(request(query_id=f"q{number}"))
    assert sorted(each.name for each in log.folder.iterdir()) == [
        "features-000004.jsonl",
        "features-000005.jsonl",
        "features.jsonl",
    ]
    assert list(dict.fromkeys(each["query_id"] for each in read_feature_log(log.folder))) == ["q3", "q4", "q5"]


async def test_the_log_can_keep_a_single_file(engine, tmp_path):
    log = FeatureLog(tmp_path / "log", max_file_bytes=1, max_files=1)
    search = HybridSearch(engine, PriceSidecar(), feature_log=log)
    for number in range(3):
        await search.search(request(query_id=f"q{number}"))
    assert [each.name for each in log.folder.iterdir()] == ["features.jsonl"]
    assert {each["query_id"] for each in read_feature_log(log.folder)} == {"q2"}


async def test_a_full_disk_costs_the_lines_and_no_search(engine, tmp_path):
    """Every write to /dev/full fails as on a full disk."""
    log = FeatureLog(tmp_path / "log")
    log.folder.mkdir()
    (log.folder / "features.jsonl").symlink_to("/dev/full")
    response = await HybridSearch(engine, PriceSidecar(), feature_log=log).search(request())
    assert [hit.rank for hit in response.hits] == [1, 2, 3, 4, 5]
    (lack,) = response.degraded
    assert (lack.stage, lack.reason) == ("feature_log", "not_written")
    assert "No space left" in lack.detail
    (log.folder / "features.jsonl").unlink()
    assert (await HybridSearch(engine, PriceSidecar(), feature_log=log).search(request())).degraded == ()
    assert len(list(read_feature_log(log.folder))) == 5


async def test_a_line_that_was_cut_off_is_left_out(engine, tmp_path):
    log = FeatureLog(tmp_path / "log")
    search = HybridSearch(engine, PriceSidecar(), feature_log=log)
    await search.search(request())
    file = log.folder / "features.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    await search.search(request())
    assert len(list(read_feature_log(log.folder))) == 9


async def test_a_log_becomes_a_parquet_file(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_log, "_ROW_GROUP", 2)
    log = FeatureLog(tmp_path / "log", with_text=True)
    await HybridSearch(engine, PriceSidecar(), feature_log=log).search(request())
    assert write_parquet(log.folder, tmp_path / "log.parquet") == 5
    table = read_table(tmp_path / "log.parquet").to_pylist(maps_as_pydicts="strict")
    for row, record in zip(table, read_feature_log(log.folder), strict=True):
        assert same(row["features"], record["features"])
        assert {name: row[name] for name in record if name != "features"} == {
            name: value for name, value in record.items() if name != "features"
        }


def test_bounds_that_keep_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"max_files \(0\)"):
        FeatureLog(tmp_path, max_files=0)
