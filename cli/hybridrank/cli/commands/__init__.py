"""The commands: a file each, which holds options and help and loads what the command needs when it runs.

`hybridrank NAME` is the function NAME of the module NAME here, or the group of commands `app` in it.
"""

from collections.abc import Mapping

__all__ = ["NEEDS", "SUMMARIES"]

SUMMARIES: Mapping[str, str] = {
    "demo": "Index the documentation of Python's standard library, search it in six ways, and measure each.",
    "search": "Search an index: BM25 and kNN in one round trip, fused, reranked.",
    "evaluate": "Measure pipelines on a collection: quality, latency, and whether differences could be chance.",
    "reproduce": "Run the experiments again, all or those named, and mark each score OK or FAIL.",
    "tune": "Choose boosts, weights, fusion, windows and reranker on dev, and measure the choice on test.",
    "doctor": "Look at everything a search needs. Exit code 1 when something is broken.",
    "serve": "Encode texts and score passages, beside a search engine; `hybridrank serve --help` lists the settings.",
    "index": "Index a collection: every document is encoded once and written in batches.",
    "engine": "Run a real OpenSearch or Elasticsearch on this machine, without Docker.",
    "setup": "Have a cluster rerank by a sidecar, for applications that only speak to the cluster.",
    "model": "Model folders for the sidecar.",
    "ltr": "LambdaMART: learning to rank from judgments or clicks.",
    "train": "Train rerankers on your own data (needs the train extra).",
    "colbert": "Late interaction over stored token vectors.",
    "judgments": "Judge what pipelines find, and see how far judges agree.",
}
"""Command → its line in `hybridrank --help`, in that order."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "demo": ("embedded", "eval", "sidecar"),
    "evaluate": ("eval",),
    "reproduce": ("embedded", "eval"),
    "tune": ("eval", "tune"),
    "serve": ("sidecar",),
    "engine start": ("engines",),
    "model calibrate": ("eval", "sidecar"),
    "model export": ("sidecar", "train"),
    "ltr train": ("eval", "ltr"),
    "ltr train-clicks": ("eval", "ltr"),
    "ltr log": ("eval", "ltr"),
    "ltr export": ("ltr",),
    "ltr upload": ("ltr",),
    "train mine": ("eval",),
    "train cross-encoder": ("eval", "sidecar", "train"),
    "train colbert": ("eval", "sidecar", "train"),
    "train encoder": ("eval", "sidecar", "train"),
    "colbert train-codec": ("sidecar",),
    "judgments pool": ("eval",),
    "judgments import": ("eval",),
    "judgments agree": ("eval",),
}
"""Command → the extras that it needs besides `cli`, whatever its options."""
