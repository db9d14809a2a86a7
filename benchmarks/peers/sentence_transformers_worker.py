"""sentence-transformers' CrossEncoder with its own defaults. Run by a Python that has it: MODEL THREADS.

Reads one JSON line {"query", "passages"}, then scores those pairs once for each further line and answers with the
seconds that took.
"""

import json
import sys
from time import perf_counter

import sentence_transformers
import torch

torch.set_num_threads(int(sys.argv[2]))
model = sentence_transformers.CrossEncoder(sys.argv[1], device="cpu")
task = json.loads(sys.stdin.readline())
pairs = [(task["query"], passage) for passage in task["passages"]]
model.predict(pairs[:8])
print(json.dumps({"name": f"sentence-transformers {sentence_transformers.__version__}"}), flush=True)
for _ in sys.stdin:
    started = perf_counter()
    model.predict(pairs)
    print(perf_counter() - started, flush=True)
