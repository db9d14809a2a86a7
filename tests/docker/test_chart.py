"""The Helm chart under the real helm, its manifests under kubeconform with Kubernetes' own schemas."""

import json
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from hybridrank.sidecar.app.settings import load_settings
from tests.docker.tools import KUBERNETES, schemas, tool

pytestmark = pytest.mark.chart
HELM = Path(__file__).parents[2] / "docker" / "helm"
CHART = HELM / "hybridrank-sidecar"
EXAMPLES = tuple(sorted((HELM / "examples").glob("*.yaml")))
COMBINATIONS = [(), *((path,) for path in EXAMPLES), EXAMPLES]
NAMES = ["defaults", *(path.stem for path in EXAMPLES), "all"]
combinations = pytest.mark.parametrize("files", COMBINATIONS, ids=NAMES)


def run(name, *arguments, text=None):
    return subprocess.run(
        [tool(name), *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60, check=False
    )


def flags(files, values=()):
    return [*(f"--values={path}" for path in files), *(f"--set={value}" for value in values)]


@cache
def manifests(files=(), *values, kubernetes=KUBERNETES[-1]):
    done = run("helm", "template", "search", CHART, f"--kube-version={kubernetes}", *flags(files, values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(*arguments):
    """The manifests by kind."""
    return {document["kind"]: document for document in yaml.safe_load_all(manifests(*arguments)) if document}


def pod(*arguments):
    return rendered(*arguments)["Deployment"]["spec"]["template"]["spec"]


def faults(text, kubernetes):
    """Faults that kubeconform finds in the manifests; a kind without a schema is one of them."""
    folder = schemas(kubernetes).parent / "{{.NormalizedKubernetesVersion}}"
    location = folder / "{{.ResourceKind}}{{.KindSuffix}}.json"
    where = [f"-kubernetes-version={kubernetes}", f"-schema-location={location}"]
    done = run("kubeconform", "-strict", "-output=json", *where, "-", text=text)
    return [fault["msg"] for fault in json.loads(done.stdout)["resources"]]


@combinations
def test_helm_finds_nothing_to_mend(files):
    done = run("helm", "lint", "--strict", CHART, *flags(files))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kubernetes", KUBERNETES)
@combinations
def test_kubernetes_knows_every_field(files, kubernetes):
    assert faults(manifests(files, kubernetes=kubernetes), kubernetes) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("automountServiceAccountToken", "automountServiceAccountTokens", "automountServiceAccountTokens"),
        ("containerPort: 50051", "containerPort: fifty", "want integer"),
        ("kind: PodDisruptionBudget", "kind: PodDisruption", "could not find schema"),
    ],
)
def test_kubeconform_would_have_found_a_fault(right, wrong, fault):
    text = manifests()
    assert right in text
    found = faults(text.replace(right, wrong), KUBERNETES[-1])
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (["replicas=3"], "'replicas' not allowed"),
        (["security.keys.name=sidecar-keys"], "'name' not allowed"),
        (["replicaCount=three"], "/replicaCount"),
        (["settings.port=50051"], "/settings/port"),
        (["security.clientCa.secret=search-ca"], "/security/tls/secret"),
        (["models.fetch.image=models"], "/models/source"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(values, fault):
    done = run("helm", "template", "search", CHART, *flags((), values))
    assert done.returncode != 0
    assert fault in done.stderr


def test_the_schema_knows_the_values_and_no_others():
    def compare(values, schema, path=""):
        properties = schema.get("properties")
        if isinstance(values, dict) and properties is not None and values:
            assert properties.keys() - {"global"} == values.keys(), path
            for name, value in values.items():
                compare(value, properties[name], f"{path}.{name}")

    schema = json.loads((CHART / "values.schema.json").read_text())
    compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema)


@combinations
def test_the_settings_are_ones_that_the_sidecar_takes(files, tmp_path):
    file = tmp_path / "sidecar.toml"
    file.write_text(rendered(files, "settings.max_queue_tokens=100000")["ConfigMap"]["data"]["sidecar.toml"])
    settings = load_settings(["--config", str(file)])
    assert settings.max_queue_tokens == 100000
    container = pod(files)["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": settings.port, "health": settings.health_port, "http": settings.http_port}
    assert container["readinessProbe"]["grpc"] == container["startupProbe"]["grpc"] == {"port": settings.health_port}
    paths = [settings.tls_cert, settings.tls_key, settings.tls_client_ca, settings.api_keys]
    folders = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {str(path.parent) for path in paths if path} <= folders
    assert pod(files)["terminationGracePeriodSeconds"] > settings.drain_wait_s + settings.drain_s


@combinations
def test_everything_selects_the_pods(files):
    documents = rendered(files)
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        documents["Service"]["spec"]["selector"],
        *(
            documents[kind]["spec"]["selector"]["matchLabels"]
            for kind in ("Deployment", "PodDisruptionBudget", "PodMonitor")
            if kind in documents
        ),
        *(spread["labelSelector"]["matchLabels"] for spread in pod(files)["topologySpreadConstraints"]),
    ]
    assert all(selector.items() <= labels for selector in selectors)


@combinations
def test_no_container_may_do_more_than_it_needs(files):
    """Kubernetes' restricted policy, and a file system that nobody writes."""
    spec = pod(files)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize(
    ("values", "probe"),
    [
        ([], {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}}),
        (["security.tls.secret=tls"], {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTPS"}}),
        (["security.tls.secret=tls", "security.clientCa.secret=ca"], {"tcpSocket": {"port": "health"}}),
    ],
)
def test_the_kubelet_can_ask_whether_the_process_lives(values, probe):
    assert pod((), *values)["containers"][0]["livenessProbe"].items() >= probe.items()


def test_the_chart_sets_no_replicas_with_autoscaling():
    assert rendered()["Deployment"]["spec"]["replicas"] == 2
    for value in ("autoscaling.enabled=true", "replicaCount=null"):
        assert "replicas" not in rendered((), value)["Deployment"]["spec"]
