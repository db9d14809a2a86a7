"""Output on the screen: tables and progress."""

import threading
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from hybridrank.cli.actions.model_control import _table
from hybridrank.cli.actions.search import show_response
from hybridrank.cli.console import progress as progress_module
from hybridrank.cli.console.progress import progress
from hybridrank.cli.console.tables import listing, side_by_side, wide_enough
from hybridrank.connector import Hit, ModelInfo, RetrieverScore, SearchResponse, Timings, TotalHits
from hybridrank.evaluation.report.tables import ReportTable


def rendered(table) -> str:
    console = wide_enough(Console(file=StringIO()))
    console.print(table)
    return console.file.getvalue()


def answer(*hits) -> SearchResponse:
    return SearchResponse(hits, len(hits), (), Timings())


def hit(doc_id, rank, retrievers, fused_score=0.5, rerank_score=None) -> Hit:
    scores = {name: RetrieverScore(rank, score) for name, score in retrievers.items()}
    return Hit(doc_id, rank, 0.0, rank, fused_score, scores, rerank_score, final_score=fused_score)


def test_each_document_has_rank_and_score_in_every_pipeline():
    responses = {
        "bm25": answer(hit("a", 1, {"bm25": 12.5}), hit("b", 2, {"bm25": 7.0})),
        "knn": answer(hit("c", 1, {"knn": 0.75})),
        "rrf": answer(hit("b", 1, {"bm25": 7.0}, 0.0328)),
        "rrf+colbert": answer(hit("c", 1, {"knn": 0.75}, 0.0164, rerank_score=0.625)),
    }
    rows = {line.split()[0]: line.split()[1:] for line in rendered(side_by_side(responses, {"a": 2, "b": 0})).splitlines()[2:] if line.strip()}  # fmt: skip  # noqa: E501
    assert rows["a"] == ["2", "1", "12.500", "–", "–", "–"]
    assert rows["b"] == ["0", "2", "7.000", "–", "1", "0.0328", "–"]
    assert rows["c"] == ["?", "–", "1", "0.750", "–", "1", "0.625"]


def test_a_document_below_the_depth_has_a_rank_but_no_row():
    low = [hit(f"d{rank}", rank, {"bm25": 1.0}) for rank in range(1, 5)]
    high = [hit("d4", 1, {"knn": 1.0})]
    text = rendered(side_by_side({"bm25": answer(*low), "knn": answer(*high)}, {}, depth=2))
    assert {line.split()[0] for line in text.splitlines()[2:] if line.strip()} >= {"d1", "d2", "d4"}
    assert "d3" not in text


def test_square_brackets_in_names_are_no_markup():
    assert "x[bold]y" in rendered(side_by_side({"bm25": answer(hit("x[bold]y", 1, {"bm25": 1.0}))}, {}))


def test_long_queries_are_folded_and_are_no_markup():
    content = ReportTable(("query", "id", "bm25", "rrf", "Δ"), ((f"[red]{'tea ' * 60}", "q1", "0.1", "0.2", "+0.1"),))
    lines = rendered(listing(content)).splitlines()[3:]
    assert "[red]tea" in lines[0]
    assert lines[0].split()[-4:] == ["q1", "0.1", "0.2", "+0.1"]
    assert sum(line.count("tea") for line in lines) == 60


def test_a_long_step_prints_progress_outside_a_terminal(monkeypatch):
    monkeypatch.setattr(progress_module, "EVERY_S", 0.01)
    console = Console(file=StringIO())
    seen = threading.Event()
    written = console.file.write

    def write(text):
        if "3 of 7" in text:
            seen.set()
        return written(text)

    console.file.write = write
    with progress("counting", console, 7) as advance:
        advance(1)
        advance(2)
        assert seen.wait(timeout=30)
    assert console.file.getvalue().splitlines()[-1].startswith("counting: ")


def test_a_step_that_fails_stops_its_lines():
    console = Console(file=StringIO())
    with pytest.raises(KeyError), progress("failing", console):
        raise KeyError
    assert not [each for each in threading.enumerate() if "_run" in each.name]


def test_piped_progress_is_a_line_a_tenth_at_most(monkeypatch):
    monkeypatch.setattr(progress_module, "LEAST_S", 0)
    console = Console(file=StringIO())
    with progress("counting", console, 1000) as advance:
        for _ in range(1000):
            advance(1)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("counting: 100 of 1000,")


def test_the_list_of_models_is_not_cut_at_80_columns():
    digest = "0123456789abcdef"
    models = [
        ModelInfo(
            name="cross-encoder-minilm-l6",
            version="4",
            kind="cross-encoder",
            digest=digest,
            precision="int8",
            max_tokens=160,
            dimensions=0,
            aliases=("cross-encoder",),
        ),
        ModelInfo(
            name="encoder-minilm-l6",
            version="2",
            kind="encoder",
            digest=digest,
            precision="int8",
            max_tokens=256,
            dimensions=384,
            aliases=("encoder", "colbert"),
        ),
    ]
    console = Console(file=StringIO(), width=80)
    console.print(_table(models))
    text = console.file.getvalue()
    assert "…" not in text
    assert all(each in text for each in ("cross-encoder-minilm-l6:4", "cross-encoder, int8", "encoder-minilm-l6:2"))


@pytest.mark.parametrize(
    ("total", "shown"),
    [
        (TotalHits(1), "1 BM25 match"),
        (TotalHits(1_234), "1,234 BM25 matches"),
        (TotalHits(1_000, "gte"), "at least 1,000 BM25 matches"),
    ],
    ids=str,
)
def test_the_total_below_the_hits_says_whether_it_is_exact(capsys, total, shown):
    show_response(replace(answer(), total=total), explain=False)
    assert f"\n{shown} · 0 candidates" in capsys.readouterr().out


def test_a_search_that_counts_nothing_shows_no_total(capsys):
    show_response(answer(), explain=False)
    assert "match" not in capsys.readouterr().out


def test_a_hits_id_is_told_from_its_title(capsys):
    found = replace(hit("24", 1, {"bm25": 1.0}), source={"title": "Brioche", "text": "Butter."})
    show_response(answer(found), explain=False)
    assert "Brioche (24)" in capsys.readouterr().out
