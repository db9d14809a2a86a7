"""Judgment files: written, read with every line accounted for, and merged."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.collections.beir import BeirFolder, CollectionError
from hybridrank.evaluation.judging.judgments import (
    Judgment,
    by_judge,
    lines_to_judge,
    merged,
    parse_scale,
    read_judgments,
    write_qrels,
)
from tests.contracts.passages import PASSAGES
from tests.evaluation.menu import QUERIES

DOCUMENTS = {each.doc_id: each for each in PASSAGES}
SCALE = range(4)
METHODS = ("majority", "mean", "lowest", "highest")


def line(query_id="q1", doc_id="tea", grade=2, **more):
    return json.dumps({"query_id": query_id, "doc_id": doc_id, "grade": grade, **more})


def written(path, *lines):
    path.write_text("\n".join(lines))
    return path


def to_judge(pooled, **more):
    return [
        json.loads(each) for each in lines_to_judge(pooled, QUERIES, DOCUMENTS, **{"seed": 0, "characters": 99} | more)
    ]


def test_a_line_by_hand():
    (found,) = to_judge({"q1": ["tea"]}, characters=12, judge="ann")
    assert found == {
        "query_id": "q1",
        "query": "hot tea with milk",
        "doc_id": "tea",
        "title": "Green tea",
        "text": "Leaves in …",
        "grade": None,
        "judge": "ann",
        "note": "",
    }


def test_the_order_is_shuffled_and_the_same_for_the_same_seed():
    pooled = {"q1": [*DOCUMENTS], "q2": [*DOCUMENTS]}
    orders = {seed: [each["doc_id"] for each in to_judge(pooled, seed=seed)] for seed in range(4)}
    assert orders[0] == [each["doc_id"] for each in to_judge({key: pooled[key][::-1] for key in pooled})]
    assert len({tuple(order) for order in orders.values()}) == 4
    assert orders[0][:5] != orders[0][5:]
    for order in orders.values():
        assert sorted(order[:5]) == sorted(order[5:]) == sorted(DOCUMENTS)


def test_grades_that_judges_fill_in_are_read_back(tmp_path):
    lines = to_judge({"q1": ["tea", "chai"], "q2": ["soup"]}, judge="ann")
    for number, each in enumerate(lines):
        each["grade"] = number
    sheet = read_judgments([written(tmp_path / "a.jsonl", *map(json.dumps, lines))], SCALE, QUERIES, DOCUMENTS)
    assert (sheet.empty, sheet.wrong) == ((), ())
    assert by_judge(sheet.judgments) == {"ann": {(each["query_id"], each["doc_id"]): each["grade"] for each in lines}}


def test_every_line_is_a_judgment_or_named_with_its_place(tmp_path):
    first = written(tmp_path / "ann.jsonl", line(), "", line(doc_id="chai", grade=None), "{tea", line(doc_id="soup"))
    second = written(
        tmp_path / "bob.jsonl",
        "\ufeff" + line(judge="ann"),
        line(grade=4),
        line(grade="2"),
        line(grade=True),
        line(grade=1.5),
        line(query_id="q9"),
        line(doc_id="coffee"),
        line(doc_id=""),
        line(doc_id=7),
        line(judge=3),
        "[]",
        '{"query_id": "q1", "doc_id": "tea"}',
        line(grade=0.0, judge=None),
    )
    sheet = read_judgments([first, second], SCALE, QUERIES, DOCUMENTS)
    assert [(each.judge, each.doc_id, each.grade, each.number) for each in sheet.judgments] == [
        ("ann", "tea", 2, 1),
        ("ann", "soup", 2, 5),
        ("bob", "tea", 0, 13),
    ]
    assert [str(each) for each in sheet.empty] == [f"{first}:3: no grade for 'chai' of query 'q1'"]
    said = {(each.path.name, each.number): each.reason for each in sheet.wrong}
    assert said.pop(("ann.jsonl", 4)).startswith("not JSON: ")
    assert said == {
        ("bob.jsonl", 1): f"'ann' judged 'tea' of query 'q1' at {first}:1 already",
        ("bob.jsonl", 2): "the grade 4 is not a whole number from 0 to 3",
        ("bob.jsonl", 3): "the grade '2' is not a whole number from 0 to 3",
        ("bob.jsonl", 4): "the grade True is not a whole number from 0 to 3",
        ("bob.jsonl", 5): "the grade 1.5 is not a whole number from 0 to 3",
        ("bob.jsonl", 6): "the collection has no query_id 'q9'",
        ("bob.jsonl", 7): "the collection has no doc_id 'coffee'",
        ("bob.jsonl", 8): "expected a string as doc_id",
        ("bob.jsonl", 9): "the collection has no doc_id '7'",
        ("bob.jsonl", 10): "expected a string as judge",
        ("bob.jsonl", 11): "expected a JSON object, {…}, on one line",
        ("bob.jsonl", 12): "expected a grade, or null where there is none yet",
    }


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "ann.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(CollectionError, match=r"ann\.jsonl: is UTF-16; save it as UTF-8"):
        read_judgments([tmp_path / "ann.jsonl"], SCALE)


def judgments(*grades):
    return [Judgment("q1", "tea", grade, f"judge {n}", None, n) for n, grade in enumerate(grades)]


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ((2,), (2, 2, 2, 2)),
        ((0, 3, 3), (3, 2, 0, 3)),
        ((0, 3), (0, 1, 0, 3)),  # no majority, and a mean of 1.5
        ((0, 0, 1, 3, 3), (0, 1, 0, 3)),
        ((1, 2, 2, 3), (2, 2, 1, 3)),
    ],
)
def test_grades_of_several_judges_by_hand(grades, expected):
    assert tuple(merged(judgments(*grades), how)["q1"]["tea"] for how in METHODS) == expected


@given(grades=st.lists(st.integers(0, 3), min_size=1, max_size=9), data=st.data())
def test_a_merged_grade_is_within_range_and_ignores_the_order(grades, data):
    other = data.draw(st.permutations(grades))
    for how in METHODS:
        (grade,) = merged(judgments(*grades), how)["q1"].values()
        assert min(grades) <= grade <= max(grades)
        assert merged(judgments(*other), how) == {"q1": {"tea": grade}}
        if how == "majority":
            assert Counter(grades)[grade] == max(Counter(grades).values())
        if how == "mean":
            assert abs(grade - sum(grades) / len(grades)) <= 0.5


def test_a_split_that_is_written_is_read(tmp_path):
    (tmp_path / "qrels").mkdir()
    qrels = {"q1": {"tea": 2, "chai with milk": 0}, "q2": {"soup": 3}}
    write_qrels(tmp_path / "qrels/mine.tsv", qrels)
    assert BeirFolder(tmp_path).qrels("mine") == qrels
    with pytest.raises(CollectionError, match=r"'te\\ta' cannot stand there"):
        write_qrels(tmp_path / "qrels/mine.tsv", {"q1": {"te\ta": 1}})
    assert BeirFolder(tmp_path).qrels("mine") == qrels


@pytest.mark.parametrize("text", ["3", "3-0", "a-b", "0-3-5", "-1-2", "1-1"])
def test_a_wrong_scale_is_named(text):
    with pytest.raises(ValueError, match="is no scale; write the lowest and the highest grade, 0-3"):
        parse_scale(text)
