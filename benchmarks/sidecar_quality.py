"""The cost of int8 in quality: the same candidates ranked by the served cross-encoder and by its fp32 weights.

    python -m benchmarks.sidecar_quality --collection ../scifact --fp32-model ~/peers/fp32-onnx

BM25 and kNN fused by RRF on the embedded engine, the first documents of each judged query scored by both models in one
sidecar. fp32 here is the int8 weights in fp32 arithmetic (training.onnx.to_transformers): those from before the
rounding are not published. Takes about 20 minutes on two cores for the 300 queries of SciFact and 50 documents each.
"""

import argparse
import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.results_file import Aim, Section, update
from hybridrank.cli.bench import open_bench
from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.cli.session import default_engine
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.collections.judged import judged_queries
from hybridrank.evaluation.experiments.bench import Bench
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings
from hybridrank.evaluation.measures.significance import compare
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.model_files import model_folder
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.child import sidecar_process

SERVED = "cross-encoder-minilm-l6"
WEIGHTS = {"alone": 1.0, "blended half and half": 0.5}  # the reranker's share in the final score
WITHIN = 0.005
MEASURE = "ndcg@10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", type=Path, required=True, help="a folder in BEIR's layout")
    parser.add_argument("--fp32-model", type=Path, required=True, help="a model folder of the sidecar")
    parser.add_argument("--split", default="test")
    parser.add_argument("--queries", type=int, help="only the first of them; default: all")
    parser.add_argument("--window", type=int, default=50, help="documents of a query that are scored")
    print(update("quality", asyncio.run(measure(parser.parse_args()))))


async def measure(arguments: argparse.Namespace) -> Section:
    collection = BeirFolder(arguments.collection)
    qrels = collection.qrels(arguments.split)
    queries = judged_queries(collection.queries(), qrels, arguments.queries)
    documents = list(collection.documents())
    fp32 = model_folder.read(arguments.fp32_model).info.name
    first_stage = Pipeline("rrf", ("bm25", "knn"))
    by_model = {"int8": replace(first_stage, models=(SERVED,)), "fp32": replace(first_stage, models=(fp32,))}
    settings = PipelineSettings(rescore_window_size=arguments.window, timeout_s=300, max_chunks=1)
    async with AsyncExitStack() as stack:
        # Scores are cached, so that each pair is computed once, whatever its weight in the blend.
        process = sidecar_process(settings={"models": f"{SHIPPED_MODELS}:{arguments.fp32_model}"})
        address = (await asyncio.to_thread(process.__enter__)).address
        stack.push_async_callback(asyncio.to_thread, process.__exit__, None, None, None)
        progress = ConsoleProgress(Console(stderr=True, highlight=False))
        opened = open_bench(default_engine(), address, list(by_model.values()), progress)
        bench = await stack.enter_async_context(opened)
        index = bench.index_name(collection.name, collection.digest())
        await bench.index(index, documents)
        found = await ndcg(bench, index, {"": first_stage}, queries, settings, qrels)
        for name, weight in WEIGHTS.items():
            pipelines = {
                f"{precision}, {name}": replace(each, name=f"rrf+{each.models[0]}, {name}")
                for precision, each in by_model.items()
            }
            found |= await ndcg(bench, index, pipelines, queries, replace(settings, weight=weight), qrels)
        about = await bench.about(settings, {"name": collection.name, "split": arguments.split})
    return section(found, about, arguments.window)


async def ndcg(
    bench: Bench,
    index: str,
    pipelines: Mapping[str, Pipeline],
    queries: Mapping[str, str],
    settings: PipelineSettings,
    qrels: Mapping[str, Mapping[str, int]],
) -> dict[str, dict[str, float]]:
    """nDCG@10 of each query by each pipeline."""
    runs = await bench.run(index, list(pipelines.values()), queries, settings)
    return {name: by_query(runs[each.name], qrels) for name, each in pipelines.items()}


def by_query(run: PipelineRun, qrels: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Raises RuntimeError where an answer went without its scores: it would compare something else."""
    if run.degraded:
        query_id, reason = next(iter(run.degraded.items()))
        raise RuntimeError(f"{len(run.degraded)} searches were cut short, first {query_id}: {reason}")
    judged = {query_id: qrels[query_id] for query_id in run.rankings}
    return {query_id: values[MEASURE] for query_id, values in evaluate(judged, run.rankings).per_query.items()}


def section(found: Mapping[str, Mapping[str, float]], about: Mapping[str, object], window: int) -> Section:
    first_stage = found[""]
    rows, aims = [], []
    for name in WEIGHTS:
        int8, fp32 = found[f"int8, {name}"], found[f"fp32, {name}"]
        versus = compare(fp32, {name: int8})[name]
        rows.append((name, f"{mean(int8):.4f}", f"{mean(fp32):.4f}", f"{versus.delta:+.4f}", f"{versus.p:.3f}"))
        aims.append(Aim(f"nDCG@10 of int8 beside fp32, {name}: difference", abs(versus.delta), WITHIN, at_most=True))
    return Section(
        "Quality of int8",
        about,
        {"first_stage": first_stage, **{name: dict(values) for name, values in found.items() if name}},
        (
            f"Written by `make bench-sidecar`: {about['collection']['name']}, {about['collection']['split']},"
            f" {len(first_stage)} queries, the first {window} of BM25 and kNN fused by RRF (nDCG@10"
            f" {mean(first_stage):.4f}) scored by both. p: two-sided randomisation test over queries.",
            "fp32 means the weights as int8 rounded them, in fp32 arithmetic; those from before the rounding are not"
            " published. So this is what rounding the activations costs.",
        ),
        ReportTable(("the cross-encoder", "int8", "fp32", "difference", "p"), tuple(rows)),
        tuple(aims),
    )


def mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)


if __name__ == "__main__":
    main()
