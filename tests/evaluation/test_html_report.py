"""The page of an experiment: what is on it, and that nothing from outside is more than text."""

import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.results import ExperimentResult, summarise
from hybridrank.evaluation.report.html import html_report, quality_and_latency

QUERIES = {"q1": "hot tea with milk", "q2": "vegetables in water"}
QRELS = {"q1": {"chai": 2, "tea": 1}, "q2": {"soup": 1}}
ABOUT = {
    "collection": {"name": "menu", "queries": 2},
    "models": [{"name": "words", "aliases": ["w", "x"]}, {"name": "other", "aliases": []}],
    "python": "3.x",
}

anything = st.text(st.characters(), max_size=30) | st.sampled_from(
    ["</title><script>alert(1)</script>", '" onload="alert(1)', "<!--", "]]>", "&lt;", "\x00\ud800", "a\r\nb"]
)


@cache
def measured(pipeline: str) -> ExperimentResult:
    runs = {
        "bm25": PipelineRun({"q1": ("soup", "tea"), "q2": ("soup",)}, {"q1": 1.0, "q2": 2.0}, {}),
        pipeline: PipelineRun({"q1": ("chai",), "q2": ("tea", "soup")}, {"q1": 4.0, "q2": 9.0}, {"q2": "timeout"}),
    }
    return summarise(runs, QRELS, ["bm25"])


def result_of(pipeline: str = "rrf", about=ABOUT) -> ExperimentResult:
    return replace(measured(pipeline), about=about)


def parsed(page: str) -> ElementTree.Element:
    page.encode("utf-8")  # can be written to a file
    return ElementTree.fromstring(page)


def elements(page: str) -> list[tuple[str, list[str]]]:
    return [(each.tag, list(each.keys())) for each in parsed(page).iter()]


def cells(page: str) -> list[tuple[str, ...]]:
    return [tuple("".join(cell.itertext()) for cell in row) for row in parsed(page).iter("tr")]


def test_everything_is_on_the_page():
    page = html_report(result_of(), QUERIES)
    rows = cells(page)
    assert ("hot tea with milk", "q1", "0.2398", "0.7602", "+0.5204") in rows
    assert ("vegetables in water", "q2", "1.0000", "0.6309", "-0.3691") in rows
    assert ("models 1 aliases", "w, x") in rows
    assert ("collection name", "menu") in rows
    assert ("python", "3.x") in rows
    assert ("rrf", "6.5", "8.8", "0.0") in rows  # what it costs
    assert ("rrf", "0.225", "1.000") in rows  # how alike
    assert "Degraded answers (a stage was skipped): rrf 1." in page
    assert "rrf against bm25 by nDCG@10: 1 query better, 1 worse, 0 the same." in page
    assert quality_and_latency(result_of()) in page


def test_a_pipeline_alone_has_a_page_too():
    alone = summarise({"bm25": PipelineRun({"q1": ("tea",)}, {"q1": 1.0}, {})}, QRELS, ["bm25"])
    assert parsed(html_report(alone, QUERIES)).findtext("body/h1") == "1 pipeline"


def test_the_page_runs_nothing_and_loads_nothing():
    page = html_report(result_of(), QUERIES)
    root = parsed(page)
    assert {each.tag.rpartition("}")[2] for each in root.iter()}.isdisjoint(
        {"script", "link", "img", "iframe", "image"}
    )
    assert not [key for each in root.iter() for key in each.attrib if key in {"src", "href"} or key.startswith("on")]
    assert not re.search(r"url\(|@import", page)
    assert set(re.findall(r"https?://[^\"]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, which nobody fetches


@pytest.mark.parametrize("tag", ["table", "figure", "h2"])
def test_every_part_is_closed(tag):
    page = html_report(result_of(), QUERIES)
    assert page.count(f"<{tag}>") == page.count(f"</{tag}>") > 0


@given(query=anything, collection=anything, model=anything)
def test_text_from_outside_adds_no_element_and_no_attribute(query, collection, model):
    about = {**ABOUT, "collection": {"name": collection or "menu", "queries": 2}, "models": [{"name": model}]}
    plain = {**about, "collection": {"name": "menu", "queries": 2}, "models": [{"name": "words"}]}
    page = html_report(result_of(about=about), {**QUERIES, "q1": query})
    assert elements(page) == elements(html_report(result_of(about=plain), QUERIES))


@given(st.text(st.characters(exclude_categories=["C"]), max_size=40))
def test_text_from_outside_reads_as_it_is(text):
    rows = cells(html_report(result_of(about={"models": [{"name": text}]}), {**QUERIES, "q1": text}))
    assert ("models 1 name", text) in rows
    assert " ".join(text.split()) in [row[0] for row in rows if row[1:2] == ("q1",)]


@settings(max_examples=25)
@given(pipeline=anything.filter(lambda each: each != "bm25"))
def test_names_of_pipelines_are_text_too(pipeline):
    assert elements(html_report(result_of(pipeline), QUERIES)) == elements(html_report(result_of(), QUERIES))


def test_a_result_made_by_hand_needs_nothing_about_it():
    assert "2 pipelines" in html_report(replace(result_of(), about={}), QUERIES)
