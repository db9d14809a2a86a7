"""helm, kubeconform, and the schemas of Kubernetes and Compose: pinned, made once from the Go module proxy.

Run as `python -m tests.docker.tools` from the root of the repository. Go's checksum database vouches for what comes.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from requirements.install import run
from tests.docker.schemas import definitions, of_custom_resources, of_kinds

TOOLS = {
    "helm": "helm.sh/helm/v4/cmd/helm@v4.3.1",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
}
# The oldest version that Chart.yaml allows, and the newest.
KUBERNETES = ("1.29.6", "1.36.3")
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
COMPOSE = "github.com/compose-spec/compose-go/v2@v2.16.2"
MONITORS = "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hybridrank" / "tools"
GO_MISSING = "the checks of docker/ need Go, 1.21 or newer, to build helm and kubeconform: install it from go.dev/dl"


def tool(name: str) -> Path:
    """Returns the path of the pinned tool, installed or not."""
    return CACHE / TOOLS[name].rpartition("@")[2] / name


def schemas(version: str) -> Path:
    """The folder of schemas for one version of Kubernetes, with the operator's pod monitor among its kinds."""
    return CACHE / f"schemas-{OPERATOR.rpartition('@')[2]}" / f"v{version}"


def compose_schema() -> Path:
    """The JSON schema of a compose file."""
    return CACHE / COMPOSE.rpartition("@")[2] / "compose-spec.json"


def get() -> None:
    """Build and convert what is not there yet; SystemExit that says what to install, or what failed."""
    os.environ["PATH"] += f"{os.pathsep}/usr/local/go/bin"  # where Go's own archive is unpacked, often on no path
    missing_tools = [name for name in TOOLS if not tool(name).exists()]
    missing_schemas = [version for version in KUBERNETES if not schemas(version).exists()]
    if (missing_tools or missing_schemas or not compose_schema().exists()) and not shutil.which("go"):
        sys.exit(GO_MISSING)
    for name in missing_tools:
        os.environ.update(GOBIN=str(tool(name).parent), CGO_ENABLED="0")
        run(f"building {TOOLS[name]}", ["go", "install", TOOLS[name]])
    for version in missing_schemas:
        kubernetes = _module(f"k8s.io/kubernetes@v{version}") / "api" / "openapi-spec" / "swagger.json"
        custom = yaml.safe_load((_module(OPERATOR) / MONITORS).read_text())
        _write(schemas(version), json.loads(kubernetes.read_text())["definitions"], custom)

    if not compose_schema().exists():
        compose_schema().parent.mkdir(parents=True, exist_ok=True)
        compose_schema().write_bytes((_module(COMPOSE) / "schema" / "compose-spec.json").read_bytes())


def _module(name: str) -> Path:
    done = subprocess.run(["go", "mod", "download", "-json", name], capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        sys.exit(f"{name} could not be had from the Go module proxy: {answer.get('Error') or done.stderr}")
    return Path(answer["Dir"])


def _write(folder: Path, swagger: dict, custom: dict) -> None:
    """All files or none, so that a run cut short leaves nothing that looks complete."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    files = {"_definitions": definitions(swagger), **of_kinds(swagger), **of_custom_resources(custom)}
    for name, schema in files.items():
        (partial / f"{name}.json").write_text(json.dumps(schema))
    partial.rename(folder)


if __name__ == "__main__":
    get()
