"""The cost of smaller token vectors in quality: the size of a document and nDCG@10 with each codec.

The first documents of BM25 for each judged query, ranked by late interaction alone over stored vectors. Documents are
encoded once, and every codec packs the same rows. Codecs are trained as `hybridrank colbert train-codec` does by
default, on documents alone. For SciFact, ten minutes on two cores and 5 GB of memory.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.results_file import Aim, Section
from hybridrank.cli.console.progress import progress
from hybridrank.connector import HybridSearch
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.passages import passage_text
from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.collections.judged import judged_queries
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.experiments.experiment import run_pipeline
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.evaluation.measures.significance import compare
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.index_templates import IndexDefinition
from hybridrank.model_files import token_vectors
from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.token_codec import TokenCodec, codecs_of
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import TextKind
from hybridrank.training.token_codec import DOCUMENTS, default_centroids, frequent_tokens, sample_rows, train_codec

MODEL = SHIPPED_MODELS / "encoder-minilm-l6"
CANDIDATES = 100
TRAINED = ((4, 0), (2, 0), (1, 0), (2, 25), (2, 50), (2, 100), (2, 200))  # bits a dimension, tokens pruned
WHOLE, TWO_BITS = "fp32", "residuals, 2 bits"
SHIPPED = "residuals, 2 bits, by the codec that ships"
WITHIN = 0.01
MEASURE = "ndcg@10"
CONSOLE = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Encoded:
    """A document as the model read it, and the row of each token that is scored."""

    sequence: TokenSequence
    rows: FloatArray

    def without(self, pruned: frozenset[int]) -> FloatArray:
        left_out = np.array(self.sequence.without(pruned).special)
        return self.rows[~left_out[~np.array(self.sequence.special)]]


@dataclass(frozen=True)
class Measured:
    document_bytes: float
    per_query: Mapping[str, float]

    @property
    def mean(self) -> float:
        return sum(self.per_query.values()) / len(self.per_query)


def measure(folder: Path, split: str = "test") -> Section:
    """`folder` is a collection in BEIR's layout, and `split` whose judgments are used."""
    collection = BeirFolder(folder)
    qrels = collection.qrels(split)
    queries = judged_queries(collection.queries(), qrels)
    documents = list(collection.documents())
    candidates = asyncio.run(first_stage(documents, queries))
    first = {query_id: values[MEASURE] for query_id, values in evaluate(qrels, candidates).per_query.items()}
    model = load_model(MODEL)
    texts = {each.doc_id: passage_text(each.source) for each in documents}
    encoded = encode(model, {doc_id: texts[doc_id] for ranking in candidates.values() for doc_id in ranking})
    found = {}
    for name, codec in codecs(model, list(texts.values())):
        with progress(f"{name}: {len(queries)} queries", CONSOLE):
            found[name] = rank(model, codec, encoded, queries, candidates, qrels)
        CONSOLE.print(f"{name}: {found[name].document_bytes:,.0f} bytes a document, {MEASURE} {found[name].mean:.4f}")
    about = {**describe_environment(None, [model.info]), "collection": {"name": collection.name, "split": split}}
    tokens = sum(len(each.rows) for each in encoded.values()) / len(encoded)
    return section(found, Measured(0, first), about, tokens)


async def first_stage(documents: Sequence[Document], queries: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """BM25's ranking of each query."""
    with tempfile.TemporaryDirectory() as folder:
        engine = EmbeddedEngine(Path(folder))
        await engine.create_index("bm25", IndexDefinition(dimensions=1))
        await engine.index_documents("bm25", documents)
        await engine.refresh("bm25")
        with progress(f"bm25: {len(queries)} queries", CONSOLE, len(queries)) as advance:
            settings = PipelineSettings(size=CANDIDATES)
            pipeline = parse_pipeline("bm25")
            run = await run_pipeline(HybridSearch(engine), pipeline, "bm25", queries, settings, lambda: advance(1))
        await engine.close()
    return run.rankings


def encode(model: LoadedModel, texts: Mapping[str, str]) -> dict[str, Encoded]:
    """Each text alone, as the sidecar does with an int8 model, on every core."""
    encoder = model.token_encoder
    sequences = encoder.tokenize_texts(list(texts.values()), TextKind.DOCUMENT)
    found: dict[str, Encoded] = {}
    with (
        progress(f"encoding {len(texts)} documents", CONSOLE, len(texts)) as advance,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
    ):
        every_row = pool.map(lambda sequence: encoder.token_rows([sequence])[0], sequences)
        for doc_id, sequence, rows in zip(texts, sequences, every_row, strict=True):
            found[doc_id] = Encoded(sequence, rows)
            advance(1)
    return found


def codecs(model: LoadedModel, texts: Sequence[str]) -> Iterator[tuple[str, TokenCodec]]:
    """By what a row of the table is called."""
    for name, codec in codecs_of(model.info.digest, model.codecs["fp32"].dimensions, None).items():
        yield name, codec
    yield SHIPPED, model.codecs["residual"]
    encoder = model.token_encoder
    for bits, prune in TRAINED:
        name = f"residuals, {bits} bit{'s' if bits > 1 else ''}"
        pruned, share = frequent_tokens(encoder, texts, prune)
        with progress(f"{name}: training", CONSOLE):
            rows = sample_rows(encoder, texts, documents=DOCUMENTS, pruned=pruned)
            centroids = default_centroids(len(rows))
            codec = train_codec(rows, bits=bits, centroids=centroids, model_digest=model.info.digest, pruned=pruned)
        yield name + (f", without {prune} tokens ({share:.0%} of all vectors)" if prune else ""), codec


def rank(
    model: LoadedModel,
    codec: TokenCodec,
    encoded: Mapping[str, Encoded],
    queries: Mapping[str, str],
    candidates: Mapping[str, Sequence[str]],
    qrels: Mapping[str, Mapping[str, int]],
) -> Measured:
    """First windows of documents, packed as in an index, and ranked as the sidecar scores those."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        packed = pool.map(lambda each: token_vectors.write(codec, each.without(codec.pruned)), encoded.values())
        stored = dict(zip(encoded, packed, strict=True))
    rankings = {}
    for query_id, doc_ids in candidates.items():
        passages = [token_vectors.read(stored[doc_id], {codec.format: codec}) for doc_id in doc_ids]
        head = model.reranker.tokenize_query(queries[query_id])
        scores = model.reranker.score_stored(head, passages) if passages else np.zeros(0)
        rankings[query_id] = [doc_ids[place] for place in np.argsort(-scores, kind="stable")]
    per_query = {query_id: values[MEASURE] for query_id, values in evaluate(qrels, rankings).per_query.items()}
    return Measured(sum(map(len, stored.values())) / len(stored), per_query)


def section(found: Mapping[str, Measured], first: Measured, about: Mapping[str, object], tokens: float) -> Section:
    """The numbers as the page shows them."""
    whole = found[WHOLE]
    versus = compare(whole.per_query, {name: each.per_query for name, each in found.items() if name != WHOLE})
    rows = [
        (
            name,
            f"{each.document_bytes:,.0f}",
            f"{each.document_bytes / whole.document_bytes:.3f}",
            f"{each.mean:.4f}",
            f"{versus[name].delta:+.4f}" if name in versus else "",
            f"{versus[name].p:.3f}" if name in versus else "",
        )
        for name, each in found.items()
    ]
    return Section(
        "Late interaction: bytes and quality",
        about,
        {
            "first_stage": first.per_query,
            **{
                name: {"document_bytes": each.document_bytes, "per_query": each.per_query}
                for name, each in found.items()
            },
        },
        (
            f"{about['collection']['name']}, {about['collection']['split']}, {len(whole.per_query)} queries: BM25's"
            f" first {CANDIDATES} (nDCG@10 {first.mean:.4f}) ranked by late interaction alone, by the shipped encoder"
            f" at {about['models'][0]['precision']}, {tokens:.0f} tokens a document on average. Every codec packs the"
            " same rows. Differences are from fp32; p: two-sided randomisation test over queries.",
            f"Other residuals are by codecs as `hybridrank colbert train-codec` trains them by default, on {DOCUMENTS}"
            " documents of the collection. Left out are the tokens that most documents have.",
        ),
        ReportTable(("stored as", "bytes a document", "of fp32", "nDCG@10", "difference", "p"), tuple(rows)),
        (
            *(
                Aim(f"nDCG@10 of {name} beside fp32: difference", abs(versus[name].delta), WITHIN, at_most=True)
                for name in (TWO_BITS, SHIPPED)
            ),
        ),
    )
