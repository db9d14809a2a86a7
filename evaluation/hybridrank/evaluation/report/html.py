"""Result of an experiment as one self-contained HTML file: no script, no network, light and dark."""

from collections.abc import Iterator, Mapping
from typing import Any

from hybridrank.common.counts import counted
from hybridrank.evaluation.experiments.results import ExperimentResult
from hybridrank.evaluation.measures.standard import label
from hybridrank.evaluation.report.markup import escaped
from hybridrank.evaluation.report.pareto import Point, pareto_svg
from hybridrank.evaluation.report.tables import (
    ReportTable,
    caption,
    cost_table,
    overlap_table,
    result_table,
    significance_table,
    win_loss_caption,
    win_loss_table,
)

__all__ = ["html_report", "quality_and_latency"]

SHOWN = 10  # wins and losses per pipeline

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  background: #ffffff; color: #1f2328 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #d0d7de; text-align: right; font-weight: normal }
thead th { font-weight: 600; white-space: nowrap }
th:first-child { text-align: left }
figure { margin: 1rem 0 }
@media (prefers-color-scheme: dark) {
body { background: #0d1117; color: #e6edf3 }
th, td { border-bottom-color: #30363d }
}
"""


def html_report(result: ExperimentResult, queries: Mapping[str, str]) -> str:
    """Returns the whole page: tables, figure, wins and losses with query texts (query_id → text), environment.

    It is also well-formed XML. All external text is escaped.
    """
    collection = result.about.get("collection", {}).get("name", "")
    title = counted(len(result.pipelines), "pipeline") + (f" on {collection}" if collection else "")
    compared = [name for name in result.pipelines if name != result.baseline]
    parts = [
        f"<h1>{escaped(title)}</h1>",
        _table(result_table(result)),
        *(f"<p>{escaped(line)}</p>" for line in caption(result)),
        "<h2>Quality against latency</h2>",
        f"<figure>{quality_and_latency(result)}</figure>",
        f"<h2>Against {escaped(result.baseline)}</h2>",
        _table(significance_table(result)),
        "<h2>What a search costs</h2>",
        _table(cost_table(result)),
        "<h2>How alike the rankings are</h2>",
        "<p>Rank-biased overlap, the mean over queries: 0 where two have no document in common, 1 where they are the"
        " same.</p>",
        _table(overlap_table(result)),
        "<h2>Queries that win and lose most</h2>",
    ]
    for name in compared:
        parts.append(f"<h3>{escaped(win_loss_caption(result, name))}</h3>")
        parts.append(_table(win_loss_table(result, name, queries, SHOWN)))
    parts.append("<h2>What was run</h2>")
    parts.append(_table(ReportTable(("what", "value"), tuple(_facts(result.about)))))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"/><meta name="viewport" content="width=device-width"/>',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>",
            f"<title>{escaped(title)}</title>",
            f"<style>{_STYLE}</style></head>",
            "<body>",
            *parts,
            "</body></html>\n",
        ]
    )


def quality_and_latency(result: ExperimentResult) -> str:
    """Returns the figure of each pipeline's mean of the compared measure against its median latency."""
    points = [
        Point(name, each.ms_p50, each.evaluation.mean[result.compared_by]) for name, each in result.pipelines.items()
    ]
    return pareto_svg(points, label(result.compared_by))


def _table(table: ReportTable) -> str:
    head = "".join(f'<th scope="col">{escaped(each)}</th>' for each in table.headers)
    rows = "\n".join(
        f'<tr><th scope="row">{escaped(first)}</th>{"".join(f"<td>{escaped(each)}</td>" for each in others)}</tr>'
        for first, *others in table.rows
    )
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'


def _facts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields every value in nested JSON with its path; a list of plain values is one entry."""
    if isinstance(value, Mapping):
        nested = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        nested = [(str(place), each) for place, each in enumerate(value, start=1)]
    else:
        yield path, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        return
    for key, each in nested:
        yield from _facts(each, f"{path} {key}".strip())
