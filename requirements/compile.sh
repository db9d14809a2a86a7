#!/bin/sh
# Resolves pyproject.toml into lock files with hashes, valid for every supported Python. The dev lock is resolved first;
# the others are cut from it, so that all agree on every version. The one for GPUs is for the image alone: one Python, one
# platform, and CUDA and cuDNN as packages.
set -eu
cd "$(dirname "$0")/.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet uv
compile() {
    "$venv/bin/uv" pip compile --quiet --generate-hashes --no-header --no-annotate pyproject.toml --extra all --group build "$@"
}
compile_all() {
    compile --universal --python-version 3.10 "$@"
}
compile_all --group dev --upgrade --output-file requirements/dev.lock
compile_all --constraint requirements/dev.lock --output-file requirements/runtime.lock
compile_all --extra train --group dev --constraint requirements/dev.lock --output-file requirements/train.lock
echo 'onnxruntime-gpu[cuda,cudnn]' | compile - --no-emit-package onnxruntime \
    --python-version 3.12 --python-platform x86_64-manylinux_2_28 \
    --constraint requirements/runtime.lock --output-file requirements/gpu.lock
