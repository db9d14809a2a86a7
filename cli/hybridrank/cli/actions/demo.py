"""`hybridrank demo`: hybrid search with reranking over the documentation of this Python, with measures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from hybridrank.cli.bench import open_bench
from hybridrank.cli.console import tables
from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.common.counts import counted
from hybridrank.connector import HybridSearch, SearchResponse
from hybridrank.connector.indexing import default_token_vectors
from hybridrank.evaluation.collections.beir import Qrels
from hybridrank.evaluation.collections.judged import judged_queries
from hybridrank.evaluation.collections.stdlib import StdlibCollection, read_stdlib
from hybridrank.evaluation.experiments.bench import Bench
from hybridrank.evaluation.experiments.pipelines import STANDARD_PIPELINES, Pipeline, PipelineSettings, parse_pipeline
from hybridrank.evaluation.experiments.results import ExperimentResult, summarise
from hybridrank.evaluation.report.findings import findings
from hybridrank.evaluation.report.tables import caption
from hybridrank.index_templates import TokenNote

__all__ = ["DemoResult", "read_documentation", "run_demo"]

SPLIT = "test"
RERANKED = "rrf+colbert"
BASELINES = FIRST_STAGE, RETRIEVER = "rrf", "knn"
HALVES = {
    "described": "described: needs in other words than those of the answer",
    "typed": "typed: names, keywords, error messages and how-to questions, as in a search box",
}

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class DemoResult:
    """Results over all queries and over each half, compared with the first stage."""

    whole: ExperimentResult
    halves: Mapping[str, ExperimentResult]

    def as_json(self) -> dict[str, Any]:
        """Returns the whole's JSON, and in `halves` the pipelines of each half."""
        return {
            **self.whole.as_json(),
            "halves": {half: each.as_json()["pipelines"] for half, each in self.halves.items()},
        }


def read_documentation() -> StdlibCollection:
    """Reads the documentation of this Python's standard library, and prints its size."""
    _heading(1, "The documentation of this Python's standard library")
    with ConsoleProgress(err).step("reading the standard library") as advance:
        collection = read_stdlib(lambda _done, _total: advance(1))
    kinds = Counter(str(each.source["kind"]) for each in collection.entries)
    reasons = Counter(reason.partition(":")[0] for reason in collection.skipped.values())
    out.print(
        f"Python {collection.python}: {counted(len(collection.entries), 'document')} ({kinds['module']} modules,"
        f" {kinds['class']} classes, {kinds['function']} functions); {collection.undocumented} public names have no"
        " docstring of their own"
    )
    shown = ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
    out.print(f"{counted(len(collection.skipped), 'module')} skipped: {shown}", markup=False)
    return collection


async def run_demo(collection: StdlibCollection, engine: str, sidecar: str = "auto") -> DemoResult:
    """Runs steps 2 to 4: index, measure, show two queries. Raises EngineError, SidecarError and CollectionError."""
    pipelines = [parse_pipeline(name) for name in STANDARD_PIPELINES]
    # The beginning of a docstring says what the object does; on other collections a window of 50 ranks no better
    settings = PipelineSettings(max_chunks=1, rescore_window_size=30)
    qrels = collection.qrels(SPLIT)
    queries = judged_queries(collection.queries(), qrels)
    _heading(2, "An index with BM25 and vectors, and a sidecar that encodes and reranks")
    async with open_bench(engine, sidecar, pipelines, ConsoleProgress(err)) as bench:
        tokens = default_token_vectors(bench.models, None)
        index = bench.index_name(collection.name, collection.digest(), tokens.format if tokens else None)
        await _index(bench, index, collection, tokens)
        _heading(3, f"{counted(len(queries), 'judged query')} through {counted(len(pipelines), 'pipeline')}")
        runs = await bench.run(index, pipelines, queries, settings)
        about = await bench.about(settings, _facts(collection, qrels, len(queries)))
        whole, halves = summarise(runs, qrels, BASELINES, about), {}
        for half, ids in collection.halves().items():
            if some := {each for each in ids if each in queries and max(qrels[each].values(), default=0) > 0}:
                part = {name: run.only(some) for name, run in runs.items()}
                halves[half] = summarise(part, qrels, BASELINES)
                _show(half, halves[half])
        for sentence in findings(whole, halves, RERANKED):
            out.print(sentence, markup=False)
        _heading(4, f"A typical gain and a typical loss of {RERANKED} over {FIRST_STAGE}, side by side")
        search = HybridSearch(bench.engine, bench.sidecar)
        for query_id in whole.win_loss(RERANKED).typical:
            change = whole.by_query(RERANKED)[query_id] - whole.by_query(FIRST_STAGE)[query_id]
            out.print(f"\n{queries[query_id]!r}: nDCG@10 {change:+.4f}", markup=False)
            answers = await _answers(search, pipelines, index, queries[query_id], settings)
            out.print(tables.side_by_side(answers, qrels[query_id]))
        out.print(
            "Rank and score in every stage, for the first five of each: BM25, cosine, fused share (RRF), the reranker's"
            " own. Grade: 2 answers the question, 1 helps, 0 does not, ? not judged. Typical is the median of all"
            " queries that gained, or lost.",
            style="dim",
        )
    return DemoResult(whole, halves)


def _show(half: str, result: ExperimentResult) -> None:
    count = len(next(iter(result.pipelines.values())).evaluation.per_query)
    out.print(f"\n{counted(count, 'query')} {HALVES[half]}", style="bold", markup=False)
    tables.wide_enough(out).print(tables.results(result))
    for line in caption(result):
        out.print(line, style="dim", markup=False)


async def _index(bench: Bench, index: str, collection: StdlibCollection, tokens: TokenNote | None) -> None:
    info = await bench.engine.info()
    for each in bench.models:
        out.print(f"sidecar: {each.name} ({each.kind}, {each.precision}, digest {each.digest[:12]})", markup=False)
    report = (
        await bench.index(index, collection.entries, tokens.format, [tokens.name])
        if tokens
        else await bench.index(index, collection.entries)
    )
    out.print(
        f"{info.name} {info.version}: {report.total_in_index} documents; {report.indexed} written now,"
        f" {report.encoded} texts encoded now; vectors of whole texts are kept for the next time"
    )
    if tokens:
        out.print(
            f"token vectors of {tokens.name} are stored as {tokens.format}, so rrf+colbert encodes only questions"
        )
    for rejected in report.rejected:
        err.print(f"rejected: {rejected.doc_id}: {rejected.reason}", markup=False)
    if "english" not in info.capabilities:
        out.print("note: this server has no English analysis; terms are not stemmed")


def _facts(collection: StdlibCollection, qrels: Qrels, queries: int) -> dict[str, object]:
    return {
        "name": collection.name,
        "digest": collection.digest(),
        "split": SPLIT,
        "documents": len(collection.entries),
        "queries": queries,
        "judgments": sum(map(len, qrels.values())),
        "judgments_dropped": collection.dropped_judgments(SPLIT),
        "undocumented": collection.undocumented,
        "skipped": dict(collection.skipped),
    }


async def _answers(
    search: HybridSearch, pipelines: list[Pipeline], index: str, query_text: str, settings: PipelineSettings
) -> Mapping[str, SearchResponse]:
    return {each.name: await search.search(each.request(index, query_text, settings)) for each in pipelines}


def _heading(number: int, text: str) -> None:
    out.print(f"\n[bold]{number}.[/] {text}", highlight=False)
