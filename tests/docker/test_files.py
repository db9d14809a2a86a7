"""The files of docker/ can be read, and what they say of the sidecar (settings, ports, metrics) is so."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from packaging.requirements import Requirement

from hybridrank.sidecar.app.settings import ENV_PREFIX, Settings, tomllib
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.rerankers.token_overlap import TokenOverlapReranker
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.status import Outcome
from tests.sidecar.doubles import loaded
from tests.sidecar.serving import serving

DOCKER = Path(__file__).parents[2] / "docker"
REQUIREMENTS = DOCKER.parent / "requirements"
PYTHON = "3.12"  # of the image
TEMPLATES = DOCKER / "helm" / "hybridrank-sidecar" / "templates"
DASHBOARD = DOCKER / "grafana" / "sidecar.json"
ALERTS = DOCKER / "prometheus" / "alerts.yaml"
PLAIN = [
    path for path in sorted(DOCKER.rglob("*")) if path.suffix in {".yaml", ".json"} and TEMPLATES not in path.parents
]


def dashboard_expressions():
    return [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]


def alert_rules():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: str(path.relative_to(DOCKER)))
def test_every_file_can_be_read(path):
    text = path.read_text()
    assert json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


async def test_every_metric_that_is_asked_for_is_one_of_ours():
    async with serving(Models([loaded(TokenOverlapReranker())])) as client:
        families = [*Calls(client.service).metrics.registry.collect()]
    ours = {"up"}
    for family in families:
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        ours |= {family.name + ending for ending in endings}
    scaling = (TEMPLATES / "horizontalpodautoscaler.yaml").read_text()
    for expression in [scaling, *dashboard_expressions(), *(rule["expr"] for rule in alert_rules())]:
        asked = set(re.findall(r"\b(?:hybridrank_sidecar_\w+|process_\w+|up\b)", expression))
        assert asked, expression
        assert asked <= ours


def test_the_outcomes_that_alerts_look_at_exist():
    looked_at = {
        outcome
        for rule in alert_rules()
        for found in re.findall(r'outcome=~?"([^"]+)"', rule["expr"])
        for outcome in found.split("|")
    }
    assert looked_at
    assert looked_at <= set(get_args(Outcome))


def test_every_alert_says_what_is_wrong_and_what_to_do():
    for rule in alert_rules():
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


def test_the_image_gets_every_folder_of_the_wheel():
    project = tomllib.loads((DOCKER.parent / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    sent = (DOCKER / "sidecar.Dockerfile.dockerignore").read_text().split()
    assert {f"!{each.partition('/')[0]}" for each in packages} <= set(sent)


@pytest.mark.parametrize("path", sorted(DOCKER.glob("compose.*.yaml")), ids=lambda path: path.name)
def test_compose_sets_what_exists_and_mounts_what_is_there(path):
    for service in yaml.safe_load(path.read_text())["services"].values():
        for variable in service.get("environment", {}):
            if variable.startswith(ENV_PREFIX):
                assert variable.removeprefix(ENV_PREFIX).lower() in Settings.model_fields
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (path.parent / source).exists()


def test_the_image_sets_what_exists():
    variables = re.findall(rf"{ENV_PREFIX}(\w+)=", (DOCKER / "sidecar.Dockerfile").read_text())
    assert variables
    assert {name.lower() for name in variables} <= set(Settings.model_fields)


def pinned(lock):
    """Version by package of what a lock file installs in the image."""
    image = {"python_full_version": f"{PYTHON}.0", "sys_platform": "linux", "platform_machine": "x86_64"}
    lines = re.findall(r"^(\w\S+==[^\\\n]+)", (REQUIREMENTS / f"{lock}.lock").read_text(), flags=re.MULTILINE)
    found = [Requirement(line) for line in lines]
    return {one.name: str(one.specifier) for one in found if not one.marker or one.marker.evaluate(image)}


def test_the_gpu_image_differs_only_in_onnx_runtime():
    """If this fails after a change to the other lock files, `make lock` makes all of them anew."""
    runtime, gpu = pinned("runtime"), pinned("gpu")
    cuda = {name for name in gpu if name.startswith("nvidia-")}
    assert {"nvidia-cudnn-cu13", "nvidia-cublas"} <= cuda
    gpu["onnxruntime"] = gpu.pop("onnxruntime-gpu")
    assert {name: version for name, version in gpu.items() if name not in cuda} == runtime


def test_the_image_build_copies_every_lock_file():
    dockerfile = (DOCKER / "sidecar.Dockerfile").read_text()
    built_from = {"runtime", *re.findall(r"LOCK=(\w+)", dockerfile)}
    assert built_from == {"runtime", "gpu"}
    assert f"FROM python:{PYTHON}-slim" in dockerfile
    assert f"lib/python{PYTHON}/" in dockerfile
    sent = (DOCKER / "sidecar.Dockerfile.dockerignore").read_text().split()
    assert {f"!requirements/{lock}.lock" for lock in built_from} <= set(sent)


@pytest.mark.parametrize("path", sorted(DOCKER.glob("compose.*.yaml")), ids=lambda path: path.name)
def test_compose_publishes_both_ports_of_the_sidecar(path):
    ports = yaml.safe_load(path.read_text())["services"]["sidecar"]["ports"]
    defaults = [Settings.model_fields[name].default for name in ("port", "http_port")]
    assert ports == [f"127.0.0.1:{port}:{port}" for port in defaults]
