"""Tables of `evaluate` and `demo`: the result of an experiment, and one query in every pipeline."""

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hybridrank.connector import Hit, SearchResponse
from hybridrank.evaluation.experiments.results import ExperimentResult
from hybridrank.evaluation.report.tables import ReportTable, result_table

__all__ = ["listing", "results", "side_by_side", "wide_enough"]

GRADE_STYLES = {0: "red", 1: "yellow", 2: "green"}
NOT_A_TERMINAL_WIDTH = 120


def wide_enough(console: Console) -> Console:
    """Returns the same console, widened in a file or pipe, where rich assumes 80 columns."""
    if not console.is_terminal:
        console.width = max(console.width, NOT_A_TERMINAL_WIDTH)
    return console


def results(result: ExperimentResult) -> Table:
    """Returns a table with a row per pipeline; the best by the measure of comparison is bold."""
    content = result_table(result)
    best = max(result.pipelines, key=lambda name: result.pipelines[name].evaluation.mean[result.compared_by])
    table = _table()
    for place, header in enumerate(content.headers):
        table.add_column(header, justify="right" if place else "left", no_wrap=True)
    for row in content.rows:
        table.add_row(*row, style="bold" if row[0] == best else "")
    return table


def listing(content: ReportTable) -> Table:
    """Returns a table of texts; long ones are folded in the first column."""
    table = _table()
    for place, header in enumerate(content.headers):
        table.add_column(header, justify="right" if place else "left", overflow="fold", no_wrap=bool(place))
    for row in content.rows:
        table.add_row(*map(Text, row))
    return table


def side_by_side(responses: Mapping[str, SearchResponse], grades: Mapping[str, int], depth: int = 5) -> Table:
    """Returns a table of the documents that a pipeline ranks among its first `depth`, with rank and score in each.

    `responses` are by name of pipeline. The score is that of the pipeline's last stage: BM25, cosine, the fused share,
    or the reranker's own. Documents are in the order of their best rank.
    """
    found = {name: {hit.doc_id: hit for hit in answer.hits} for name, answer in responses.items()}
    best_rank: dict[str, int] = {}
    for hits in found.values():
        for hit in list(hits.values())[:depth]:
            best_rank[hit.doc_id] = min(hit.rank, best_rank.get(hit.doc_id, hit.rank))
    table = _table()
    table.add_column("document", overflow="fold")
    table.add_column("grade", justify="right")
    for name in found:
        table.add_column(name, justify="right", no_wrap=True)
    for doc_id in sorted(best_rank, key=lambda each: best_rank[each]):
        grade = grades.get(doc_id)
        shown = Text("?" if grade is None else str(grade), style=GRADE_STYLES.get(grade or 0, "green"))
        table.add_row(Text(doc_id), shown, *(_place(hits.get(doc_id), name, depth) for name, hits in found.items()))
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _place(hit: Hit | None, pipeline: str, depth: int) -> Text:
    if hit is None:
        return Text("–", style="dim")
    place = Text(str(hit.rank), style="bold" if hit.rank <= depth else "")
    return place.append(f" {_last_score(hit, pipeline):>7}", style="dim not bold")


def _last_score(hit: Hit, pipeline: str) -> str:
    """Returns the reranker's score if there is one, else that of the only retriever, else the fused share."""
    if hit.rerank_score is not None:
        return f"{hit.rerank_score:.3f}"
    if pipeline in hit.retrievers:
        return f"{hit.retrievers[pipeline].score:.3f}"
    return f"{hit.fused_score:.4f}"
