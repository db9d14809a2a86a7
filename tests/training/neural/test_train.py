"""`hybridrank train` from the command line to a model that a sidecar serves, on a menu of a few dishes."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]

DISHES = {
    "soup": "Tomato soup with basil and bread",
    "salad": "Green salad with walnuts and pears",
    "pasta": "Pasta with mushrooms and cream",
    "fish": "Grilled trout with lemon and potatoes",
    "curry": "Red lentil curry with rice",
    "cake": "Chocolate cake with cherries",
    "ice": "Vanilla ice cream with hot raspberries",
    "tea": "Peppermint tea with honey",
}
ASKED = {
    "soup": "tomato",
    "salad": "pears",
    "pasta": "mushrooms",
    "fish": "trout",
    "curry": "lentils",
    "cake": "cherries",
}
LATE_INTERACTION = (
    "[{name: kl}, {name: partial-ranking, in_batch: true}, {name: lce, by: vectors, in_batch: true},"
    " {name: same-vectors, weight: 5}]"
)
CROSS_ENCODER = ("cross-encoder", "recipe.yaml", "--collections", ".")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A collection, a recipe and a folder to train in, with a cache of its own."""
    folder = tmp_path_factory.mktemp("train")
    menu = folder / "menu"
    (menu / "qrels").mkdir(parents=True)
    corpus = [{"_id": doc_id, "title": doc_id, "text": text} for doc_id, text in DISHES.items()]
    queries = [{"_id": f"q-{doc_id}", "text": f"a dish with {word}"} for doc_id, word in ASKED.items()]
    for name, lines in (("corpus", corpus), ("queries", queries)):
        (menu / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for split, wanted in (("train", list(ASKED)[:4]), ("dev", list(ASKED)[4:])):
        rows = "".join(f"q-{doc_id}\t{doc_id}\t1\n" for doc_id in wanted)
        (menu / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    (folder / "recipe.yaml").write_text(
        """
name: menu
aliases: [waiter]
blend_weight: 0.4
licence: Apache-2.0
student:
  {base: encoder-minilm-l6, layers: [0, 5], fade: 12, vocabulary: 4000, intermediate: 256, max_tokens: 32, dropout: 0}
train: [{collection: menu, repeats: 5}]
dev: [{collection: menu, split: dev}]
mining: {depth: 8, documents: 4, relevant: 1, hardest: 1}
teacher: {weights: {bm25: 1, knn: 1, colbert: 1, grade: 3}}
losses: [{name: kl, temperature: 2}, {name: lce, weight: 0.5}]
schedule: {batch: 2, save_every: 10, measure_every: 10, learning_rate: 5.0e-4, threads: 1}
"""
    )
    return folder


def command(workplace, *arguments):
    """The command line, where it runs, and what it sees of the environment."""
    return {
        "args": [sys.executable, "-m", "hybridrank", "train", *arguments],
        "cwd": workplace,
        "env": {**os.environ, "XDG_CACHE_HOME": str(workplace / "cache"), "COLUMNS": "120"},
        "text": True,
    }


def run(workplace, *arguments):
    return subprocess.run(**command(workplace, *arguments), capture_output=True, timeout=580, check=False)


def test_twenty_steps_make_a_model_folder_that_a_sidecar_serves(workplace):
    done = run(workplace, *CROSS_ENCODER, "--out", "run", "--max-steps", "20", "--json", "run.json")
    assert done.returncode == 0, done.stderr
    assert "20 steps: about" in done.stderr
    with (workplace / "run" / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows if row["eval_alone"]] == ["10", "20"]
    assert (workplace / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    measured = json.loads((workplace / "run.json").read_text())
    assert measured["refused"] == "" or "int8" in measured["refused"]

    from hybridrank.sidecar.models import trial

    loaded = trial.load_model(workplace / "run" / "model")
    assert (loaded.info.aliases, loaded.info.blend_weight) == (("waiter",), 0.4)
    assert loaded.info.precision == ("fp32" if measured["refused"] else "int8")
    scores = loaded.reranker.relevance_scores("a dish with tomato", [DISHES["soup"], DISHES["tea"]])
    assert scores[0] > scores[1]
    card = (workplace / "run" / "model" / "README.md").read_text()
    assert loaded.info.digest in card
    assert "menu (20)" in card


def test_a_killed_training_resumes_to_the_same_result(workplace):
    from safetensors.torch import load_file

    arguments = (*CROSS_ENCODER, "--out", "killed", "--max-steps", "20")
    shutil.copytree(workplace / "run" / "lists", workplace / "killed" / "lists")
    checkpoint = workplace / "killed" / "checkpoints" / "checkpoint-10" / "trainer_state.json"
    with subprocess.Popen(**command(workplace, *arguments), stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 200
        while not checkpoint.exists() and time.monotonic() < until:
            time.sleep(0.05)
        process.kill()
    done = run(workplace, *arguments)
    assert done.returncode == 0, done.stderr
    weights = [load_file(workplace / name / "transformers" / "model.safetensors") for name in ("run", "killed")]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    ("kind", "reading", "losses"),
    [
        (
            "encoder",
            "pooling: cls, query_prefix: 'ask ', ",
            "[{name: lce, in_batch: true}, {name: margin-mse, weight: 0.1}]",
        ),
        ("colbert", "", LATE_INTERACTION),
    ],
)
def test_an_encoder_learns_from_lists_somebody_made(kind, reading, losses, workplace):
    made = next((workplace / "run" / "lists").glob("train-*"))
    recipe = (workplace / "recipe.yaml").read_text().replace("name: menu", f"name: menu-{kind}\nkind: {kind}")
    recipe = recipe.replace("train: [{collection: menu, repeats: 5}]", f"train: [{{lists: {made}}}]")
    recipe = recipe.replace("[{name: kl, temperature: 2}, {name: lce, weight: 0.5}]", losses)
    (workplace / f"{kind}.yaml").write_text(recipe.replace("vocabulary: 4000, intermediate: 256, ", reading))
    done = run(workplace, kind, f"{kind}.yaml", "--collections", ".", "--out", kind, "--max-steps", "10")
    assert done.returncode == 0, done.stderr
    with (workplace / kind / "curves.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    assert losses

    from sentence_transformers import SentenceTransformer

    from hybridrank.sidecar.models import trial

    loaded = trial.load_model(workplace / kind / "model", precision="fp32")
    texts = list(DISHES.values())
    peer = SentenceTransformer(str(workplace / kind / "transformers"), device="cpu")
    wanted = peer.encode(texts) @ peer.encode("a dish with tomato", prompt_name="query")
    assert (loaded.info.pooling, loaded.info.query_prefix) == (("cls", "ask ") if reading else ("mean", ""))
    assert trial.cosines(loaded.encoder, "a dish with tomato", texts) == pytest.approx(wanted.tolist(), abs=1e-4)


def test_errors_are_one_sentence(workplace):
    done = run(workplace, "cross-encoder", "recipe.yaml", "--out", "other", "--collections", "nowhere")
    assert done.returncode == 1
    assert "nowhere/menu: there is no such folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recipe_of_another_kind_is_wrong_usage(workplace):
    done = run(workplace, "colbert", "recipe.yaml", "--out", "other")
    assert done.returncode == 2
    assert "recipe.yaml is for: hybridrank train cross-encoder" in done.stderr
