"""--sidecar auto: the sidecar that runs where it serves, else one of the command's own, and errors before either."""

import asyncio
import json
import os
import shutil
import subprocess
import sys

import pytest

from hybridrank.cli.bench import open_bench
from hybridrank.cli.startable import check_startable
from hybridrank.common.progress import Silent
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.evaluation.experiments.served_models import UnknownModel
from hybridrank.index_templates import IndexDefinition
from hybridrank.model_files import model_folder
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.child import sidecar_process
from hybridrank.sidecar.models.loading import load
from tests.contracts.passages import PASSAGES
from tests.evaluation.menu import write_menu
from tests.golden.sidecar import FOLDER
from tests.sidecar.forests import write_forest
from tests.sidecar.serving import serving

RECIPE = """
name: x
kind: cross-encoder
student: {base: encoder-minilm-l6}
losses: [{name: kl, weight: 1.0}]
teacher: {weights: {bm25: 1.0}}
train: [{collection: nowhere}]
dev: [{collection: nowhere}]
"""


@pytest.fixture
def run(tmp_path):
    """Runs a command with caches of the test's own, and --sidecar left to `auto`."""

    def run(*arguments, port="1", expect=0):
        environment = {name: value for name, value in os.environ.items() if name != "HYBRIDRANK_SIDECAR"}
        environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HYBRIDRANK_SIDECAR_PORT": port}
        command = [sys.executable, "-m", "hybridrank", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert done.returncode == expect, done.stderr
        return done

    return run


def told(done):
    return [line for line in done.stderr.splitlines() if line.startswith("sidecar: ")]


def test_a_sidecar_that_runs_is_used_by_every_command(run, tmp_path, sidecar_address):
    menu, port = write_menu(tmp_path / "menu"), sidecar_address.partition(":")[2]
    for command in (
        ("index", "--collection", menu, "--index", "menu"),
        ("search", "green tea", "--index", "menu"),
        ("evaluate", "--collection", menu, "--pipelines", "bm25,rrf+nano"),
        ("doctor",),
    ):
        assert told(run(*command, port=port)) == [f"sidecar: using the one on {sidecar_address}"], command


def test_a_sidecar_without_the_models_asked_for_is_not_used(run, tmp_path):
    menu = write_menu(tmp_path / "menu")
    write_forest(tmp_path / "models" / "forest")
    with sidecar_process(models=tmp_path / "models") as running:
        port = running.address.partition(":")[2]
        (line,) = told(run("index", "--collection", menu, "--index", "menu", port=port))
    assert line == (
        f"sidecar: the one on {running.address} has no encoder, but forest, forest:1, forest-alias;"
        " starting one for this command"
    )


def test_a_sidecar_with_the_wrong_encoder_is_not_used(run, tmp_path):
    menu = write_menu(tmp_path / "menu")
    run("index", "--collection", menu, "--index", "menu")
    other = shutil.copytree(FOLDER / "tiny-encoder", tmp_path / "models" / "tiny")
    names = {"aliases": ("encoder", "colbert")}
    model_folder.write(other, model_folder.read(other).toml.model_copy(update=names))
    with sidecar_process(models=tmp_path / "models") as running:
        done = run("search", "green tea", "--index", "menu", "--json", port=running.address.partition(":")[2])
    (line,) = told(done)
    assert line.startswith(f"sidecar: the one on {running.address} has another encoder than encoder-minilm-l6 (digest ")
    assert json.loads(done.stdout)["degraded"] == []


def test_without_a_sidecar_a_search_starts_one_and_says_so(run, tmp_path):
    menu = write_menu(tmp_path / "menu")
    run("index", "--collection", menu, "--index", "menu")
    done = run("search", "green tea", "--index", "menu", "--json")
    assert told(done) == ["sidecar: none on 127.0.0.1:1; starting one for this command"]
    assert json.loads(done.stdout)["degraded"] == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("search tea --index nowhere", "no index 'nowhere'"),
        ("search tea --index x --engine http://127.0.0.1:1", "127.0.0.1:1"),
        ("index --collection nowhere --index x", "nowhere"),
        ("index --collection menu --index Shop", "index 'Shop' has uppercase letters"),
        ("index --collection menu --index menu*", "index 'menu*' has '*'"),
        ("index --collection menu --index x --engine http://127.0.0.1:1", "127.0.0.1:1"),
        ("index --collection menu --index x --dry-run --engine http://127.0.0.1:1", "127.0.0.1:1"),
        ("evaluate --collection nowhere", "nowhere"),
        ("evaluate --collection menu --split none", "none"),
        ("evaluate --collection menu --engine http://127.0.0.1:1", "127.0.0.1:1"),
        ("tune --collection nowhere", "nowhere"),
        ("judgments pool --collection nowhere --pipelines bm25 --out x.jsonl", "nowhere"),
        ("ltr log --collection nowhere --features features.json --out x.txt", "nowhere"),
        ("train mine recipe.yaml --out run", "nowhere"),
        ("reproduce scifact --collections nowhere", "nowhere"),
    ],
)
def test_missing_parts_are_named_before_looking_for_a_sidecar(run, tmp_path, command, said):
    write_menu(tmp_path / "menu")
    (tmp_path / "features.json").write_bytes((write_forest(tmp_path / "forest").path / "features.json").read_bytes())
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = run(*command.split(), expect=1)
    assert said in done.stderr + done.stdout
    assert told(done) == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("search tea --index menu --rerank nosuch", 2),
        ("search tea --index menu --rerank colbert+nosuch", 2),
        ("evaluate --collection menu --pipelines bm25,rrf+nosuch", 2),
        ("tune --collection menu --models nosuch --dev-split test --test-split other", 2),
        ("tune --collection menu --models none --default rrf+nosuch --dev-split test --test-split other", 2),
        ("judgments pool --collection menu --pipelines rrf+nosuch --out x.jsonl", 2),
        ("ltr log --collection menu --features features.json --split test --pipeline rrf+nosuch --out x.txt", 2),
        ("index --collection menu --index x --token-vectors int8 --colbert nosuch", 1),
        ("index --collection menu --index x --sparse nosuch", 1),
        ("index --collection menu --index x --sparse nosuch --dry-run", 1),
        ("reproduce menu --collections . --experiments .", 1),
    ],
)
def test_an_unknown_model_is_refused_before_a_sidecar_starts(run, tmp_path, command, code):
    menu = write_menu(tmp_path / "menu")
    (menu / "qrels/other.tsv").write_text("query-id\tcorpus-id\tscore\nq3\tcake\t1\n")
    (tmp_path / "features.json").write_bytes((write_forest(tmp_path / "forest").path / "features.json").read_bytes())
    (tmp_path / "menu.yaml").write_text("collection: menu\ntraining: none\npipelines:\n  rrf: ~\n  rrf+nosuch: ~\n")
    indices = EmbeddedEngine(tmp_path / "cache/hybridrank/indices")
    asyncio.run(indices.create_index("menu", IndexDefinition(dimensions=3)))
    done = run(*command.split(), expect=code)
    assert told(done) == []
    said = " ".join(done.stderr.split())
    assert "no model 'nosuch': one started for this command would have cross-encoder, " in said
    assert "colbert" in said


def test_a_model_of_the_folders_in_the_environment_is_startable(tmp_path, monkeypatch):
    write_forest(tmp_path / "forest")
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_MODELS", f"shipped:{tmp_path / 'forest'}")
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_NAMES", "rerank-v3.5=cross-encoder")
    check_startable(["encoder", "forest", "forest-alias", "forest:1", "colbert", "rerank-v3.5"], {}, "none")
    with pytest.raises(UnknownModel, match=r"no model 'colbert': .* would have forest"):
        check_startable(["colbert"], {"models": str(tmp_path / "forest")}, "none")


async def test_measured_scores_are_computed_and_not_cached(tmp_path):
    pipelines, queries = [parse_pipeline("rrf+cross-encoder")], {"q": "green tea"}
    engine = f"embedded:{tmp_path / 'indices'}"
    async with (
        serving(load([SHIPPED_MODELS]), score_cache_bytes=1_000_000) as client,
        open_bench(engine, client.address, pipelines, Silent()) as bench,
    ):
        await bench.index("menu", PASSAGES)
        for _ in range(2):
            before = client.service.batch_totals.tokens
            await bench.run("menu", pipelines, queries, PipelineSettings())
            assert client.service.batch_totals.tokens > before
        assert (len(client.service.cache), client.service.cache.hits) == (0, 0)


def test_missing_sidecar_packages_are_named_for_installation(tmp_path):
    hide = "import sys; sys.modules['structlog'] = None; import importlib.util as u; f = u.find_spec\n"
    hide += "import hybridrank.common.extras as e\n"
    hide += "e.find_spec = lambda name: None if name == 'structlog' else f(name)\n"
    hide += "from hybridrank.cli.__main__ import main; main()"
    engine = EmbeddedEngine(tmp_path / "indices")
    asyncio.run(engine.create_index("menu", IndexDefinition(dimensions=3)))
    environment = {name: value for name, value in os.environ.items() if name != "HYBRIDRANK_SIDECAR"}
    environment |= {"HYBRIDRANK_SIDECAR_PORT": "1"}
    for words in (["search", "tea", "--index", "menu", "--engine", f"embedded:{tmp_path / 'indices'}"], ["doctor"]):
        command = [sys.executable, "-c", hide, *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        told = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 1
        assert "the sidecar needs: pip install 'hybridrank[sidecar]', or name one with --sidecar HOST:PORT" in told
        assert "Traceback" not in told
