#!/bin/sh
# Resolves pyproject.toml into lock files with hashes, valid for every supported Python. The dev lock is resolved first;
# the other two are cut from it, so that all three agree on every version.
set -eu
cd "$(dirname "$0")/.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet uv
compile() {
    "$venv/bin/uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
        pyproject.toml --extra all --group build "$@"
}
compile --group dev --upgrade --output-file requirements/dev.lock
compile --constraint requirements/dev.lock --output-file requirements/runtime.lock
compile --extra train --group dev --constraint requirements/dev.lock --output-file requirements/train.lock
