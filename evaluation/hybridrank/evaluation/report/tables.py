"""Result of an experiment as tables of texts, and a table as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybridrank.common.counts import counted
from hybridrank.evaluation.experiments.results import ExperimentResult, PipelineResult
from hybridrank.evaluation.measures.significance import Comparison
from hybridrank.evaluation.measures.standard import label

__all__ = [
    "ReportTable",
    "caption",
    "markdown",
    "overlap_table",
    "result_table",
    "versus_cells",
    "versus_headers",
    "win_loss_caption",
    "win_loss_table",
]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Column names and rows of texts; the first column names the row, the others hold numbers."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def result_table(result: ExperimentResult) -> ReportTable:
    """Returns one row per pipeline: quality, latency, and the difference from each baseline with its p after Holm."""
    headers = ("pipeline", *map(label, result.measures), "p50 ms", "p95 ms")
    rows = (
        (*_row(name, each, result.measures), *versus_cells(each.versus, result.baselines))
        for name, each in result.pipelines.items()
    )
    return ReportTable((*headers, *versus_headers(result.baselines)), tuple(rows))


def versus_headers(baselines: Sequence[str]) -> tuple[str, ...]:
    """Returns the columns of the comparisons with these baselines."""
    return tuple(header for each in baselines for header in (f"Δ {each}", "p Holm"))


def versus_cells(versus: Mapping[str, Comparison], baselines: Sequence[str]) -> tuple[str, ...]:
    """Returns a pipeline's difference from each baseline and its p, with dashes for the baseline itself."""
    compared = (versus.get(each) for each in baselines)
    cells = ((f"{each.delta:+.4f}", f"{each.p_holm:.4f}") if each else ("–", "–") for each in compared)
    return tuple(cell for pair in cells for cell in pair)


def _row(name: str, result: PipelineResult, measures: Sequence[str]) -> tuple[str, ...]:
    quality = (_mean(measure, result.evaluation.mean[measure]) for measure in measures)
    return (name, *quality, f"{result.ms_p50:.1f}", f"{result.ms_p95:.1f}")


def _mean(measure: str, value: float) -> str:
    return f"{value:.0%}" if measure.startswith("judged") else f"{value:.4f}"


def caption(result: ExperimentResult) -> tuple[str, ...]:
    """Returns the sentences below the table: measured queries, left-out queries, degraded answers."""
    first = next(iter(result.pipelines.values()))
    left_out = len(first.evaluation.without_relevant)
    lines = [
        f"{counted(len(first.evaluation.per_query), 'query')}"
        + (f"; left out: {left_out} more without a relevant document here" if left_out else "")
        + f". p: two-sided randomisation test on {label(result.compared_by)} per query against"
        f" {' and '.join(result.baselines)}, 10,000 permutations, Holm's correction."
    ]
    degraded = {name: each.degraded for name, each in result.pipelines.items() if each.degraded}
    if degraded:
        counts = ", ".join(f"{name} {count}" for name, count in degraded.items())
        lines.append(f"Degraded answers (a stage was skipped): {counts}.")
    return tuple(lines)


def win_loss_caption(result: ExperimentResult, pipeline: str) -> str:
    """Returns a sentence with the number of queries on which a pipeline is better and worse than the baseline."""
    found = result.win_loss(pipeline)
    return (
        f"{pipeline} against {result.baseline} by {label(result.compared_by)}:"
        f" {counted(len(found.wins), 'query')} better, {len(found.losses)} worse, {found.ties} the same."
    )


def win_loss_table(result: ExperimentResult, pipeline: str, queries: Mapping[str, str], shown: int = 5) -> ReportTable:
    """Returns the `shown` largest wins, the largest first, then as many losses, the largest last, with query texts."""
    before, after = result.by_query(result.baseline), result.by_query(pipeline)
    found = result.win_loss(pipeline)
    rows = (
        (" ".join(queries[each].split()), each, f"{before[each]:.4f}", f"{after[each]:.4f}", f"{difference:+.4f}")
        for each, difference in (*found.wins[:shown], *reversed(found.losses[:shown]))
    )
    return ReportTable(("query", "id", result.baseline, pipeline, "Δ"), tuple(rows))


def significance_table(result: ExperimentResult) -> ReportTable:
    """Compares each pipeline with the first baseline: difference, queries better and worse, and the p of every test."""
    rows = []
    for name, each in result.pipelines.items():
        if versus := each.versus.get(result.baseline):
            found = result.win_loss(name)
            counts = (str(len(found.wins)), str(len(found.losses)), str(found.ties))
            tests = (f"{p:.4f}" for p in (versus.p, versus.p_t, versus.p_holm))
            rows.append((name, f"{versus.delta:+.4f}", *counts, *tests))
    headers = ("pipeline", f"Δ {label(result.compared_by)}", "better", "worse", "same", "p", "p t test", "p Holm")
    return ReportTable(headers, tuple(rows))


def cost_table(result: ExperimentResult) -> ReportTable:
    """Returns the milliseconds of a search and the mean number of documents that models scored."""
    rows = (
        (name, f"{each.ms_p50:.1f}", f"{each.ms_p95:.1f}", f"{each.scored:.1f}")
        for name, each in result.pipelines.items()
    )
    return ReportTable(("pipeline", "p50 ms", "p95 ms", "documents scored"), tuple(rows))


def overlap_table(result: ExperimentResult) -> ReportTable:
    """Returns the similarity of the rankings of each two pipelines: their mean rank-biased overlap."""
    rows = ((name, *(f"{value:.3f}" for value in others.values())) for name, others in result.overlaps.items())
    return ReportTable(("RBO", *result.overlaps), tuple(rows))


def markdown(table: ReportTable) -> str:
    """Returns the table in GitHub's Markdown, numbers right-aligned, columns padded for readable source."""
    cells = [[text.replace("|", r"\|") for text in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(table.headers, *cells, strict=True)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    rows: list[Sequence[str]] = [table.headers, rule, *cells]
    return "".join(f"| {' | '.join(_padded(row, widths))} |\n" for row in rows)


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
