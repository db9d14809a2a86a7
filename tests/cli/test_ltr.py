"""`hybridrank ltr` as a user runs it: judgments to a model folder, and that to other servers; clicks to judgments."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from hybridrank.connector import FeatureRescore, HybridSearch, SearchRequest, SidecarClient, connect_engine
from hybridrank.connector.stages.feature_log import FeatureLog
from hybridrank.evaluation.collections.runs import read_run
from hybridrank.evaluation.experiments.fold_models import FoldModels
from hybridrank.ltr_features import FeatureSet
from hybridrank.model_files import forest_folder
from hybridrank.training.ltr.letor import read_letor
from hybridrank.training.ltr.train import load_options, train

THINGS = (
    "kettle bicycle notebook umbrella garden lamp violin pepper jacket window orange hammer sofa drill candle mirror "
    "pillow scarf teapot wallet whistle carpet puzzle compass"
)
NOUNS = THINGS.split()
LAMP = hashlib.sha256(b"lamp").hexdigest()[:16]
FEATURES = """\
name: shop
features:
  - {name: title, kind: bm25, fields: [title]}
  - {name: price, kind: number, field: price, description: what it costs}
  - {name: rank, kind: fused, value_of: rank}
  - {name: near, kind: vector_similarity, field: vector}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Three of each thing; people want the cheap one, which comes last where all else is equal."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "qrels").mkdir()
    things = [(f"{noun}-{2 - dear}", noun, dear) for noun, dear in product(NOUNS, range(3))]
    documents = [
        {"_id": doc_id, "title": noun, "text": f"A {noun} for every day.", "price": 10 * dear + 1}
        for doc_id, noun, dear in things
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(each) + "\n" for each in documents))
    queries = [{"_id": f"q-{noun}", "text": noun} for noun in NOUNS]
    (folder / "queries.jsonl").write_text("".join(json.dumps(each) + "\n" for each in queries))
    rows = [f"q-{noun}\t{doc_id}\t{2 - dear}\n" for doc_id, noun, dear in things]
    (folder / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    (folder / "shop.yaml").write_text(FEATURES)
    (folder / "options.yaml").write_text("min_data_in_leaf: 5\nmax_trees: 60\nthreads: 1\nmonotone: {price: -1}\n")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(cache, sidecar_address):
    """Runs `hybridrank ltr` with its caches in a folder of the tests."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "HYBRIDRANK_SIDECAR": sidecar_address}

    def ltr(*flags, command="ltr"):
        line = [sys.executable, "-m", "hybridrank", command, *map(str, flags)]
        return subprocess.run(line, capture_output=True, text=True, env=environment, check=False)

    return ltr


@pytest.fixture(scope="module")
def trained(shop, run, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "shop"
    data = ("--collection", shop, "--features", shop / "shop.yaml", "--window", 20)
    result = out.with_suffix(".json")
    files = ("--out", out, "--fold-models", out.parent / "folds", "--json", result)
    done = run("train", *data, "--options", shop / "options.yaml", *files, "--licence", "CC0-1.0")
    assert done.returncode == 0, done.stderr
    return out, json.loads(result.read_text()), done


def test_training_writes_a_model_folder_with_a_card(trained):
    out, _, done = trained
    folder = forest_folder.read(out)
    assert (folder.toml.name, folder.toml.licence, folder.feature_set.names) == (
        "lambdamart",
        "CC0-1.0",
        ("title", "price", "rank", "near"),
    )
    card = (out / "README.md").read_text()
    assert "| price |" in card
    assert "what it costs" in card
    assert folder.feature_set.digest in card
    assert f"digest {folder.info.digest}" in done.stdout


def test_the_model_beats_the_first_stage_on_unseen_queries(trained):
    _, result, done = trained
    measured = {name: each["mean"]["ndcg@10"] for name, each in result["rankers"].items()}
    assert list(measured) == ["rrf", "lambdamart", "linear"]
    assert measured["lambdamart"] > measured["rrf"] + 0.05
    assert result["versus"]["lambdamart"]["p"] < 0.05
    assert f"lambdamart  nDCG@10 {measured['lambdamart']:.4f}" in done.stdout


def test_options_reach_the_training(trained):
    booster = lightgbm.Booster(model_file=str(trained[0] / "model.txt"))
    row = np.array([[3.0, 0.0, 5.0, 0.8]])
    prices = np.repeat(row, 30, axis=0)
    prices[:, 1] = np.arange(30)
    assert (np.diff(booster.predict(prices)) <= 0).all()


async def test_a_model_is_trained_on_what_live_searches_showed(trained, run, cache, sidecar_address, tmp_path):
    (indices,) = (cache / "hybridrank/indices").iterdir()
    feature_set = forest_folder.read(trained[0]).feature_set
    engine = await connect_engine(f"embedded:{indices.parent}")
    events = []
    async with SidecarClient(sidecar_address) as client:
        search = HybridSearch(engine, client, feature_log=FeatureLog(tmp_path / "log"))
        for noun in NOUNS:
            stage = FeatureRescore(feature_set=feature_set, timeout_s=30)
            request = SearchRequest(
                index=indices.name, query_text=noun, query_id=f"search-{noun}", rescore=stage, size=5
            )
            for hit in (await search.search(request)).hits:
                details = {"object": {"object_id": hit.doc_id}, "position": {"ordinal": hit.rank}}
                event = {"query_id": request.query_id, "user_query": noun, "event_attributes": details}
                liked = hit.source["price"] == 1 and hit.source["title"] == noun
                events += [event | {"action_name": name} for name in ("impression", "click")[: 1 + liked]]
    await engine.close()
    (tmp_path / "ubi.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    (tmp_path / "options.json").write_text('{"min_data_in_leaf": 5, "max_trees": 60, "threads": 1}')
    out = tmp_path / "model"
    options = ("--features", trained[0] / "features.json", "--options", tmp_path / "options.json", "--out", out)
    done = run("train-clicks", tmp_path / "log", tmp_path / "ubi.jsonl", *options)
    assert done.returncode == 0, done.stderr
    folder = forest_folder.read(out)
    assert folder.feature_set.digest == feature_set.digest
    card = (out / "README.md").read_text()
    assert "| rows | 120, 24 of them clicked |" in card
    measured = dict(re.findall(r"^\| (as shown|lambdamart) \| (\S+) ", card, flags=re.MULTILINE))
    assert float(measured["lambdamart"]) > float(measured["as shown"])


@pytest.fixture(scope="module")
def logged(shop, run, tmp_path_factory):
    out = tmp_path_factory.mktemp("log") / "shop.letor"
    done = run("log", "--collection", shop, "--features", shop / "shop.yaml", "--window", 20, "--out", out)
    assert done.returncode == 0, done.stderr
    return read_letor(out), done


def test_each_query_is_served_by_a_forest_that_has_not_seen_it(shop, run, trained, logged, tmp_path):
    """The served order is that of a forest trained again without the query's fold, and of no other."""
    folder = trained[0].parent / "folds"
    pipelines = "rrf,rrf+lambdamart,rrf+lambdamart+cross-encoder"
    flags = ("--collection", shop, "--split", "train", "--pipelines", pipelines, "--baseline", "rrf", "--window", 20)
    files = ("--fold-models", folder, "--json", tmp_path / "shop.json", "--run-dir", tmp_path / "runs")
    done = run(*flags, *files, "--sidecar", "auto", command="evaluate")
    assert done.returncode == 0, done.stderr
    served = read_run(tmp_path / "runs/rrf+lambdamart.run")
    data, queries = logged[0], {f"q-{noun}": noun for noun in NOUNS}
    options = load_options(shop / "options.yaml").of(FeatureSet.load(shop / "shop.yaml"))
    held_out = FoldModels.load(folder).held_out
    assert list(held_out) == [f"lambdamart-fold-{number}" for number in range(1, 6)]
    assert {query_id: text for fold in held_out.values() for query_id, text in fold.items()} == queries
    for model, fold in held_out.items():
        trees = lightgbm.Booster(model_file=str(folder / model / "model.txt")).num_trees()
        forest = train(data.of(set(queries) - set(fold)), ("title", "price", "rank", "near"), options, trees)
        for query_id, place in data.of(set(fold)).groups():
            own = data.of(set(fold))
            order = np.argsort(-np.asarray(forest.predict(own.rows[place])), kind="stable")
            assert [own.doc_ids[place][each] for each in order] == list(served[query_id][:20])
    result = json.loads((tmp_path / "shop.json").read_text())
    assert [each["degraded"] for each in result["pipelines"].values()] == [0, 0, 0]
    assert result["settings"]["fold_models"] == list(held_out)
    table, card = result["pipelines"]["rrf+lambdamart"], trained[1]["rankers"]["lambdamart"]
    assert table["ndcg@10"] == pytest.approx(card["mean"]["ndcg@10"])


def test_queries_that_no_fold_holds_out_are_not_measured(shop, run, trained, tmp_path):
    folder = shutil.copytree(shop, tmp_path / "shop")
    (folder / "queries.jsonl").write_text((shop / "queries.jsonl").read_text().replace('"lamp"', '"a lamp"'))
    folds = ("--pipelines", "rrf,rrf+lambdamart", "--baseline", "rrf", "--fold-models", trained[0].parent / "folds")
    done = run("--collection", folder, "--split", "train", *folds, command="evaluate")
    assert done.returncode == 1
    assert "query 'q-lamp' says something else, so no model is known not to have seen it" in done.stderr


def test_one_of_several_options_is_chosen_in_each_fold(shop, run, tmp_path):
    (tmp_path / "stump.json").write_text('{"num_leaves": 2, "max_trees": 1, "min_data_in_leaf": 5}')
    data = ("--collection", shop, "--features", shop / "shop.yaml", "--window", 20, "--out", tmp_path / "model")
    done = run("train", *data, "--options", tmp_path / "stump.json", "--options", shop / "options.yaml")
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "model/README.md").read_text()
    assert re.search(r"\| setting \| (stump|options), \d+ trees, by .*: stump \d\.\d+, options \d\.\d+ \|", card)
    assert len(re.findall(r"(?:stump|options), \d+ trees", card)) == 1 + 5  # all queries, and without each fold


def test_the_log_holds_the_same_rows_as_training_had(logged):
    data, done = logged
    assert data.sizes == (20,) * 24
    assert data.rows[:, 2].tolist() == list(range(1, 21)) * 24
    assert {price % 10 for price in data.rows[:, 1]} == {1}
    assert "2 price" in done.stdout


@pytest.mark.parametrize(("name", "count"), [("shop", 19), ("passages", 15)])
def test_the_examples_of_feature_sets_are_some(name, count):
    example = FeatureSet.load(Path(__file__).parents[2] / f"examples/ltr/{name}.yaml")
    assert (example.name, len(example.names)) == (name, count)
    assert all(each.description for each in example.features)


@pytest.mark.parametrize(("to", "start"), [("xgboost", "["), ("lightgbm", "{")])
def test_a_model_is_exported(trained, run, tmp_path, to, start):
    done = run("export", trained[0], "--to", to, "--out", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model").read_text().startswith(start)


def test_features_that_a_plugin_cannot_compute_are_named(trained, run, tmp_path):
    done = run("export", trained[0], "--to", "featureset", "--out", tmp_path / "model")
    assert done.returncode == 1
    assert "error: the LTR plugin cannot compute rank (fused), near (vector_similarity)" in done.stderr
    assert not (tmp_path / "model").exists()


def test_clicks_become_judgments_for_training(shop, run, tmp_path):
    (tmp_path / "queries.jsonl").write_text('{"_id": "q7", "text": "kettle"}\n')
    table = tmp_path / "ctr.csv"
    table.write_text(
        "query,doc_id,position,impressions,clicks\n"
        "kettle,kettle-0,1,100,60\nkettle,kettle-1,2,100,1\nlamp,lamp-0,1,9,9\nlamp,lamp-1,1,50,20\n"
    )
    done = run("judgments", table, "--out", tmp_path, "--model", "coec")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in (tmp_path / "queries.jsonl").read_text().splitlines()] == [
        {"_id": "q7", "text": "kettle"},
        {"_id": LAMP, "text": "lamp"},
    ]
    assert (tmp_path / "qrels/clicks.tsv").read_text() == (
        f"query-id\tcorpus-id\tscore\nq7\tkettle-0\t2\nq7\tkettle-1\t2\n{LAMP}\tlamp-1\t1\n"
    )


def test_ids_with_line_breaks_are_refused_before_writing(run, tmp_path):
    (tmp_path / "ctr.csv").write_text('query,doc_id,position,shown,clicked\ntea,"a\tb",1,100,20\ntea,"a\nb",2,100,20\n')
    done = run("judgments", tmp_path / "ctr.csv", "--out", tmp_path / "shop")
    assert done.returncode == 1
    assert "cannot stand there: one has a tab or a line end" in done.stderr
    assert not [path for path in (tmp_path / "shop").rglob("*") if path.is_file()]


def test_queries_are_added_after_a_line_that_does_not_end(run, tmp_path):
    (tmp_path / "queries.jsonl").write_text('{"_id": "q7", "text": "kettle"}')
    (tmp_path / "ctr.csv").write_text("query;doc_id;position;shown;clicked\nlamp;lamp-1;1;50;20\n")
    assert run("judgments", tmp_path / "ctr.csv", "--out", tmp_path).returncode == 0
    added = [json.loads(line) for line in (tmp_path / "queries.jsonl").read_text().splitlines()]
    assert [each["text"] for each in added] == ["kettle", "lamp"]


@pytest.mark.parametrize(
    ("flags", "code", "problem"),
    [
        (["--baselines", "magic"], 2, "there is no 'magic'; it is one of linear, ranknet"),
        (["--pipeline", "rrf+nothing"], 2, "the sidecar has no model 'nothing'"),
        (
            ["--folds", "30"],
            1,
            "error: 30 folds need as many groups of near-equal queries; .*; judge more queries",
        ),
        (["--split", "dev"], 1, "error: .*qrels/dev.tsv: there is no such file"),
        (["--features", "queries.jsonl"], 1, "error: "),
        (["--options", "options.yaml", "--options", "options.yaml"], 2, "two files have the same name"),
    ],
)
def test_data_that_cannot_be_trained_on_is_one_sentence(shop, run, tmp_path, flags, code, problem):
    flags = [shop / each if (shop / each).is_file() else each for each in flags]
    features = [] if "--features" in flags else ["--features", shop / "shop.yaml"]
    done = run("train", "--collection", shop, *features, "--out", tmp_path / "model", *flags)
    assert done.returncode == code, done.stderr
    words = " ".join(done.stderr.replace("│", " ").split())
    assert re.search(problem, words), words
    assert not (tmp_path / "model").exists()
