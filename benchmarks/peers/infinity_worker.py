"""infinity-emb's own engine in this process, without its HTTP server, with its own defaults: MODEL THREADS ENGINE."""

import asyncio
import os
import sys

os.environ["DO_NOT_TRACK"] = "1"
import torch
from infinity_emb import AsyncEmbeddingEngine, EngineArgs
from protocol import read_task, serve


async def start() -> AsyncEmbeddingEngine:
    engine = AsyncEmbeddingEngine.from_args(
        # Its own warm-up takes minutes on a CPU; the benchmark's first rounds warm everybody up.
        EngineArgs(model_name_or_path=sys.argv[1], engine=sys.argv[3], device="cpu", model_warmup=False)
    )
    await engine.astart()
    return engine


def score() -> list[float]:
    """Logits, in the order of the passages."""
    found, _ = loop.run_until_complete(engine.rerank(query=query, docs=passages, raw_scores=True))
    return [each.relevance_score for each in sorted(found, key=lambda each: each.index)]


torch.set_num_threads(int(sys.argv[2]))
query, passages = read_task()
loop = asyncio.new_event_loop()
engine = loop.run_until_complete(start())
serve(score, ("infinity-emb", "transformers", "optimum", "torch", "onnxruntime"))
loop.run_until_complete(engine.astop())
