#!/bin/sh
# Makes the folder that benchmarks/peers/__init__.py describes: two virtual environments of about 6 GB each, and two models.
#   sh benchmarks/peers/build.sh PYTHON DIR      PYTHON has hybridrank[train]
set -eu
python=$1
peers=$2

"$python" -m venv "$peers/sentence-transformers"
"$peers/sentence-transformers/bin/pip" install --quiet sentence-transformers

# infinity-emb 0.0.78 speeds torch up by optimum's BetterTransformer, which needs transformers < 4.49 and optimum < 2;
# that optimum's exporter cannot be imported beside torch 2.9 or newer, nor the datasets 2.14 it asks for beside newer
# pyarrow and pandas.
"$python" -m venv "$peers/infinity"
"$peers/infinity/bin/pip" install --quiet 'infinity-emb[torch,optimum]' 'transformers<4.49' 'optimum<2' \
    'torch<2.9' 'pyarrow<21' 'pandas<3'

for library in maxsim-cpu pylate; do
    "$python" -m venv "$peers/$library"
    "$peers/$library/bin/pip" install --quiet "$library" numpy
done

model=cross-encoder-minilm-l6
"$python" -m hybridrank.training.onnx.to_transformers "models/hybridrank/models/$model" "$peers/fp32"
"$python" -m hybridrank model export "$peers/fp32" --out "$peers/fp32-onnx" --name "$model-fp32" --licence Apache-2.0
# infinity's ONNX engine takes a file of this name as it is.
cp "$peers/fp32-onnx/model.onnx" "$peers/fp32/model_optimized.onnx"
