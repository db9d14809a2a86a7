"""sentence-transformers' CrossEncoder.predict with its own defaults: MODEL THREADS."""

import sys

import torch
from protocol import read_task, serve
from sentence_transformers import CrossEncoder

torch.set_num_threads(int(sys.argv[2]))
# Logits rather than their sigmoids, which one comparison needs and which cost the same.
model = CrossEncoder(sys.argv[1], device="cpu", activation_fn=torch.nn.Identity())
query, passages = read_task()
serve(
    lambda: model.predict([(query, passage) for passage in passages]),
    ("sentence-transformers", "transformers", "torch"),
)
