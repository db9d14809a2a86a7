"""The results page in the docs: Markdown generated from outcomes, so that no number on it is typed by hand."""

from collections.abc import Iterator, Sequence
from typing import Any

from hybridrank.common.counts import counted
from hybridrank.evaluation.experiments.results import COMPARED_BY, ExperimentResult, PipelineResult
from hybridrank.evaluation.measures.standard import label
from hybridrank.evaluation.report.tables import ReportTable, caption, markdown, versus_cells, versus_headers
from hybridrank.evaluation.reproduce.means import Means, means_by_training
from hybridrank.evaluation.reproduce.outcomes import (
    ENOUGH_QUERIES,
    LARGEST_P,
    LEAST_GAIN,
    LEAST_KEPT,
    Aim,
    Outcome,
    Verdict,
)

__all__ = ["reproduced_page"]

_NOTHING = "–"
_SHOWN = ("rr@10", "r@100", "judged@10")  # besides the compared measure


def reproduced_page(outcomes: Sequence[Outcome], command: str) -> str:
    """Returns the whole page: environment, means, aim, and a section for each experiment."""
    sections = [_head(outcomes, command), _means(outcomes), _aim(outcomes), *(_section(each) for each in outcomes)]
    return "\n".join("".join(f"{line}\n" for line in each) for each in sections)


def _head(outcomes: Sequence[Outcome], command: str) -> Iterator[str]:
    verdicts = [verdict for each in outcomes for verdict in each.verdicts]
    right = sum(verdict.ok for verdict in verdicts)
    yield "# Reproduced results"
    yield ""
    yield "Written by this command, not by hand ([what it does](evaluation.md#reproduce)). OK: the nDCG@10 is within"
    yield "the tolerance of what the experiment's file expects."
    yield ""
    yield from ("```", command, "```")
    yield ""
    yield f"**{right} of {len(verdicts)} scores are as expected**" + _not_run(outcomes)
    if about := next((each.result.about for each in outcomes if each.result), None):
        yield ""
        yield _ran_on(about)
        yield ""
        yield markdown(_models(about)).rstrip()


def _not_run(outcomes: Sequence[Outcome]) -> str:
    missing = [each.experiment.name for each in outcomes if not each.result]
    return f"; not run: {', '.join(missing)}." if missing else "."


def _ran_on(about: Any) -> str:
    engine, hardware = about["engine"], about["hardware"]
    return (
        f"hybridrank {about['hybridrank']}, engine {engine['name']} {engine['version']}, Python {about['python']},"
        f" {hardware['cores']} cores of {hardware['cpu']}; latencies are those of this machine as it was then."
    )


def _models(about: Any) -> ReportTable:
    rows = (
        (
            *(each["name"], ", ".join(each["aliases"]), each["version"], each["precision"]),
            *(f"{each['blend_weight']:g}" if each["blend_weight"] else _NOTHING, f"`{each['digest'][:12]}`"),
        )
        for each in about["models"]
    )
    return ReportTable(("model", "answers to", "version", "precision", "weight", "digest"), tuple(rows))


def _means(outcomes: Sequence[Outcome]) -> Iterator[str]:
    groups = means_by_training(outcomes)
    if not groups:
        return
    yield "## Means"
    yield ""
    yield f"Mean {label(COMPARED_BY)} over collections, by what the models had seen of them in training. p: two-sided"
    yield "randomisation test over all their queries, each collection with the same weight, after Holm's correction."
    for each in groups:
        yield ""
        yield f"**{each.training}**: {', '.join(each.experiments)}; {counted(each.queries, 'query')}."
        yield ""
        yield markdown(_means_table(each)).rstrip()


def _means_table(means: Means) -> ReportTable:
    rows = (
        (name, f"{mean:.4f}", *versus_cells(means.versus.get(name, {}), means.baselines))
        for name, mean in means.pipelines.items()
    )
    return ReportTable(("pipeline", label(COMPARED_BY), *versus_headers(means.baselines)), tuple(rows))


def _aim(outcomes: Sequence[Outcome]) -> Iterator[str]:
    rows = [(each, each.aim) for each in outcomes if each.aim]
    if not rows:
        return
    yield "## The aim"
    yield ""
    yield (
        f"On every collection rrf+cross-encoder gains at least {LEAST_GAIN} nDCG@10 over rrf, with p Holm below"
        f" {LARGEST_P}"
    )
    yield (
        f"where there are {ENOUGH_QUERIES} queries or more; rrf+nano keeps {LEAST_KEPT:.0%} of the cross-encoder's"
        " nDCG@10; and no"
    )
    yield "reranker ends up below rrf."
    yield "*training* says what the models had seen of a collection."
    yield ""
    headers = ("experiment", "training", "queries", "rrf", "+ cross-encoder", "gain", "p Holm", "nano keeps", "aim")
    yield markdown(ReportTable(headers, tuple(_aim_row(*row) for row in rows))).rstrip()
    missed = [(outcome.experiment.name, aim.missed) for outcome, aim in rows if aim and aim.missed]
    yield ""
    yield f"Met on {len(rows) - len(missed)} of {len(rows)}." + (" Missed:" if missed else "")
    yield from ([""] if missed else [])
    yield from (f"- {name}: {'; '.join(parts)}" for name, parts in missed)


def _aim_row(outcome: Outcome, aim: Aim | None) -> tuple[str, ...]:
    assert aim is not None
    assert outcome.result is not None
    rrf, best = (_mean(outcome.result.pipelines[name]) for name in ("rrf", "rrf+cross-encoder"))
    kept = _NOTHING if aim.kept is None else f"{aim.kept:.1%}"
    numbers = (str(aim.queries), f"{rrf:.4f}", f"{best:.4f}", f"{aim.gain:+.4f}", f"{aim.p:.4f}", kept)
    return (outcome.experiment.name, outcome.experiment.training, *numbers, "missed" if aim.missed else "met")


def _section(outcome: Outcome) -> Iterator[str]:
    experiment = outcome.experiment
    yield f"## {experiment.name}"
    yield ""
    if outcome.result is None:
        yield f"Not run: {outcome.problem}"
        return
    yield _what(outcome, outcome.result)
    yield ""
    yield markdown(_scores(outcome, outcome.result)).rstrip()
    yield ""
    yield from caption(outcome.result)
    if outcome.lucene:
        yield ""
        yield f"The same queries over title and text in one field, {outcome.lucene_version}:"
        yield ""
        yield markdown(_lucene(outcome, outcome.result)).rstrip()
    if experiment.published:
        yield ""
        yield f"What others reported for {experiment.collection}, {experiment.split}, beside ours:"
        yield ""
        yield markdown(_published(outcome, outcome.result)).rstrip()


def _what(outcome: Outcome, result: ExperimentResult) -> str:
    experiment, collection = outcome.experiment, result.about["collection"]
    queries = (
        f"a sample of {collection['queries']:,} queries, drawn by the digest of their ids"
        if experiment.queries
        else f"{collection['queries']:,} queries"
    )
    stored = (
        f"token vectors stored as {experiment.token_vectors}"
        if experiment.token_vectors
        else "token vectors computed at search time"
    )
    weight = (
        f"weight {experiment.weight:g}" if experiment.weight else "the weights that their folders recommend, else 0.5"
    )
    return (
        f"{collection['name']}, `{collection['split']}`: {collection['documents']:,} documents (digest"
        f" `{collection['digest'][:12]}`), {queries}. Models: {experiment.training}. Rerankers score"
        f" {experiment.window} documents, with {weight}; {stored}."
        f" Tolerance {experiment.tolerance:g}."
    )


def _scores(outcome: Outcome, result: ExperimentResult) -> ReportTable:
    headers = ("pipeline", "expected", label(COMPARED_BY), "", *versus_headers(result.baselines))
    rows = (_row(each, result.pipelines[each.pipeline], result.baselines) for each in outcome.verdicts)
    return ReportTable((*headers, *map(label, _SHOWN), "p50 ms"), tuple(rows))


def _row(verdict: Verdict, result: PipelineResult, baselines: Sequence[str]) -> tuple[str, ...]:
    expected = _NOTHING if verdict.expected is None else f"{verdict.expected:.4f}"
    reciprocal, recall, judged = (result.evaluation.mean[name] for name in _SHOWN)
    others = (f"{reciprocal:.4f}", f"{recall:.4f}", f"{judged:.0%}", f"{result.ms_p50:.1f}")
    return (
        verdict.pipeline,
        expected,
        f"{verdict.got:.4f}",
        "OK" if verdict.ok else "FAIL",
        *versus_cells(result.versus, baselines),
        *others,
    )


def _lucene(outcome: Outcome, result: ExperimentResult) -> ReportTable:
    ours = {f"{name} (ours)": each.evaluation for name, each in result.pipelines.items() if name == "bm25"}
    rows = (
        (name, *(f"{each.mean[measure]:.4f}" for measure in (COMPARED_BY, *_SHOWN[:2])))
        for name, each in {**ours, **outcome.lucene}.items()
    )
    return ReportTable(("system", *map(label, (COMPARED_BY, *_SHOWN[:2]))), tuple(rows))


def _published(outcome: Outcome, result: ExperimentResult) -> ReportTable:
    """Returns all results sorted by nDCG@10, so that ours are at their place among the published ones."""
    others = [
        (each.ndcg, each.system, f"{each.ndcg:.4g}", f"[{each.source}]({each.address})")
        for each in outcome.experiment.published
    ]
    ours = [(_mean(each), f"**{name}**", f"**{_mean(each):.4f}**", "ours") for name, each in result.pipelines.items()]
    rows = sorted([*others, *ours], key=lambda row: -row[0])
    return ReportTable(("system", label(COMPARED_BY), "source"), tuple(row[1:] for row in rows))


def _mean(result: PipelineResult) -> float:
    return result.evaluation.mean[COMPARED_BY]
