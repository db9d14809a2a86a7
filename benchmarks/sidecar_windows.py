"""The effect of windows of long texts on quality within a budget: nDCG@10 with one window and with several, in turn.

    python -m benchmarks.sidecar_windows --collection ../squad --collection ../medquad:liveqa [--queries N] [--dry-run]

Each query is searched with every number of windows, one search after the other, and the next query begins with the next
number, so that both meet the same machine. Scores are computed anew for each. A search may take the budget of a
`Rescore` stage (300 ms); what that leaves no time for is missing from the answer, and counted. For a machine that does
nothing else; with --dry-run the section is printed and not kept.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

from rich.console import Console

from benchmarks.results_file import Aim, Section, update
from hybridrank.cli.bench import open_bench
from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.cli.session import default_engine
from hybridrank.connector import HybridSearch
from hybridrank.connector.types import SearchResponse
from hybridrank.evaluation.collections.judged import read_collection
from hybridrank.evaluation.experiments.bench import Bench, index_name
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.evaluation.measures.significance import compare
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.evaluation.reproduce.experiment_files import sample

WINDOWS = (1, 4)
PIPELINE = parse_pipeline("rrf+cross-encoder")
BUDGET_S = 0.3
WITHIN = 0.005  # as much as a score may differ from the one that an experiment expects
MEASURE = "ndcg@10"


@dataclass
class Searched:
    """Results of the searches with one number of windows, by query; `cut_short` are those that lacked something."""

    rankings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ms: dict[str, float] = field(default_factory=dict)
    windows: dict[str, float] = field(default_factory=dict)
    cut_short: dict[str, str] = field(default_factory=dict)

    def add(self, query_id: str, response: SearchResponse, ms: float) -> None:
        """Note one answer."""
        read = [hit.scored_chunks for hit in response.hits if hit.scored_chunks]
        self.rankings[query_id] = tuple(hit.doc_id for hit in response.hits)
        self.ms[query_id] = ms
        self.windows[query_id] = mean(read) if read else 0.0
        if response.degraded:
            self.cut_short[query_id] = "; ".join(f"{each.stage}: {each.reason}" for each in response.degraded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--collection", action="append", required=True, metavar="DIR[:SPLIT]", help="in BEIR's layout; split test"
    )
    parser.add_argument("--queries", type=int, help="so many of each, drawn by the digest of their ids; default: all")
    parser.add_argument("--budget-ms", type=float, default=1000 * BUDGET_S, help="what rescoring may take")
    parser.add_argument("--dry-run", action="store_true", help="print what was measured, and keep none of it")
    arguments = parser.parse_args()
    collections = [(Path(each.partition(":")[0]), each.partition(":")[2] or "test") for each in arguments.collection]
    found = asyncio.run(measure(collections, arguments.queries, arguments.budget_ms / 1000))
    if arguments.dry_run:
        print(*found.paragraphs, *found.table.rows, sep="\n")
    else:
        print(update("windows", found))


async def measure(
    collections: Sequence[tuple[Path, str]], limit: int | None = None, budget_s: float = BUDGET_S
) -> Section:
    """Every collection (folder, split), one after the other."""
    progress = ConsoleProgress(Console(stderr=True, highlight=False))
    settings = PipelineSettings(timeout_s=budget_s, weight=0.5)
    rows, aims, measured = [], [], {}
    async with open_bench(default_engine(), "auto", [PIPELINE], progress, settings) as bench:
        for folder, split in collections:
            collection = read_collection(folder, split, progress)
            queries = sample(collection.queries, collection.qrels, limit)
            index = index_name(collection.name, collection.digest)
            await bench.fill(index, collection)
            found = await in_turn(bench, index, queries, settings)
            judged = {query_id: collection.qrels[query_id] for query_id in queries}
            scores = {most: ndcg(each, judged) for most, each in found.items()}
            name = f"{collection.name}, {split}"
            rows += [row(name, most, found[most], scores) for most in WINDOWS]
            aims.append(Aim(f"nDCG@10 of {WINDOWS[-1]} windows less that of one, {name}", delta(scores), -WITHIN))
            measured[name] = {str(most): vars(each) | {MEASURE: scores[most]} for most, each in found.items()}
        about = await bench.about(settings, {"names": list(measured)})
    return Section(
        "Windows of long texts",
        about,
        measured,
        (
            f"Written by `python -m benchmarks.sidecar_windows`: {PIPELINE.name}, {1000 * budget_s:.0f} ms for"
            " rescoring 50, numbers of windows in turn for each query. p: two-sided randomisation test over queries.",
        ),
        ReportTable(
            ("collection", "max_chunks", "nDCG@10", "difference", "p", "windows a text", "p50 ms", "cut short"),
            tuple(rows),
        ),
        tuple(aims),
    )


async def in_turn(
    bench: Bench, index: str, queries: Mapping[str, str], settings: PipelineSettings
) -> dict[int, Searched]:
    """Each query with each number of windows, beginning with another one each time."""
    search = HybridSearch(bench.engine, bench.sidecar)
    found = {most: Searched() for most in WINDOWS}

    async def ask(query_id: str, most: int) -> tuple[SearchResponse, float]:
        request = PIPELINE.request(index, queries[query_id], replace(settings, max_chunks=most), query_id)
        started_at = perf_counter()
        response = await search.search(request)
        return response, 1000 * (perf_counter() - started_at)

    for query_id in [*queries][:3]:  # the first calls open connections and measure the model's speed
        await ask(query_id, WINDOWS[0])
    with bench.progress.step(f"{len(queries)} queries, {len(WINDOWS)} times", len(queries)) as advance:
        for place, query_id in enumerate(queries):
            for turn in range(len(WINDOWS)):
                most = WINDOWS[(place + turn) % len(WINDOWS)]
                found[most].add(query_id, *await ask(query_id, most))
            advance(1)
    return found


def ndcg(searched: Searched, judged: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """nDCG@10 of each query."""
    return {query_id: values[MEASURE] for query_id, values in evaluate(judged, searched.rankings).per_query.items()}


def delta(scores: Mapping[int, Mapping[str, float]]) -> float:
    """By how much the most windows do better than one, over all queries."""
    return mean(scores[WINDOWS[-1]].values()) - mean(scores[WINDOWS[0]].values())


def row(name: str, most: int, searched: Searched, scores: Mapping[int, Mapping[str, float]]) -> tuple[str, ...]:
    """A line of the table; the first number of windows is what the others are compared with."""
    versus: tuple[Any, ...] = ("–", "–")
    if most != WINDOWS[0]:
        compared = compare(scores[WINDOWS[0]], {"": scores[most]})[""]
        versus = (f"{compared.delta:+.4f}", f"{compared.p:.3f}")
    return (
        name,
        str(most),
        f"{mean(scores[most].values()):.4f}",
        *versus,
        f"{mean(searched.windows.values()):.2f}",
        f"{median(searched.ms.values()):.0f}",
        str(len(searched.cut_short)),
    )


if __name__ == "__main__":
    main()
