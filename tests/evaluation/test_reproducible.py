"""Experiments as files: what they say, what is wrong with them, the sample they draw, and their new scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.collections.beir import CollectionError
from hybridrank.evaluation.experiments.pipelines import STANDARD_PIPELINES
from hybridrank.evaluation.reproduce.experiment_files import (
    EXPERIMENTS,
    Experiment,
    ExperimentError,
    load_experiments,
    sample,
    write_expected,
)

FILE = """\
# Tea and soup.
collection: menu
split: test
training: zero-shot
queries: 2
tolerance: 0.01
weight: 0.7
pipelines:  # nDCG@10
  bm25: 0.5    # as of old
  rrf: ~
  rrf+colbert: 0.75
published:
  - system: bm25
    ndcg@10: 0.4
    source: Somebody 2020
    address: https://example.org/tea
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tea.yaml"
    path.write_text(FILE)
    return path


def test_a_file_by_hand(file):
    found = Experiment.load(file)
    assert (found.name, found.collection, found.split, found.queries, found.compared_with) == (
        "tea",
        "menu",
        "test",
        2,
        ("rrf",),
    )
    assert dict(found.pipelines) == {"bm25": 0.5, "rrf": None, "rrf+colbert": 0.75}
    assert (found.settings.weight, found.settings.rescore_window_size, found.tolerance) == (0.7, 50, 0.01)
    assert [each.name for each in found.parsed] == ["bm25", "rrf", "rrf+colbert"]
    assert (found.published[0].system, found.published[0].ndcg) == ("bm25", 0.4)


def test_zero_shot_sets_leave_out_what_chose_the_weights():
    unseen = [each for each in load_experiments(EXPERIMENTS) if each.training == "zero-shot"]
    assert {(each.name, each.split, each.without) for each in unseen} == {
        (name, "all", "dev") for name in ("cacm", "cisi", "cranfield", "vaswani-npl")
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("split: test", "splitt: test"), "splitt: Extra inputs are not permitted"),
        (("collection: menu\n", ""), "collection: Field required"),
        (("rrf+colbert: 0.75", "rff+colbert: 0.75"), "pipelines: there is no pipeline 'rff+colbert'"),
        (("bm25: 0.5 ", "bm25: 51 "), "pipelines.bm25: Input should be less than or equal to 1"),
        (("queries: 2", "queries: none"), "queries: Input should be a valid integer"),
        (("weight: 0.7", "weight: 0"), "weight: Input should be greater than 0"),
        (("  rrf: ~\n", ""), "the file: name the baselines, as neither rrf nor knn is one of the pipelines"),
        (("queries: 2", "baselines: [knn]"), "the file: the baseline 'knn' is not one of the pipelines bm25, rrf, rrf"),
        (("https://example.org/tea", "somewhere"), "published.0.address: String should match pattern"),
        (("split: test", "split: [test"), "not YAML"),
        ((FILE, "bm25"), "expected the fields of an experiment"),
    ],
)
def test_errors_name_the_file_and_the_field(file, change, said):
    assert change[0] in FILE
    file.write_text(FILE.replace(*change))
    with pytest.raises(ExperimentError) as error:
        Experiment.load(file)
    assert str(error.value).startswith(f"{file}: ")
    assert said in str(error.value)
    assert isinstance(error.value, CollectionError)  # so that the command line shows it as a sentence


def test_names_choose_in_their_order_and_an_unknown_one_is_told(file, tmp_path):
    (tmp_path / "soup.yaml").write_text(FILE)
    assert [each.name for each in load_experiments(tmp_path)] == ["soup", "tea"]
    assert [each.name for each in load_experiments(tmp_path, ["tea", "soup", "tea"])] == ["tea", "soup"]
    with pytest.raises(ExperimentError, match="no experiment 'cake'; there are: soup, tea"):
        load_experiments(tmp_path, ["tea", "cake"])
    with pytest.raises(ExperimentError, match="there are no experiments"):
        load_experiments(tmp_path / "nowhere")


def test_the_experiments_that_ship_can_be_read():
    found = {each.name: each for each in load_experiments()}
    assert set(found) == {
        *("cacm", "chorus-ecommerce", "cisi", "covidqa", "cranfield", "medquad", "medquad-liveqa", "nq-qed", "scifact"),
        *("squad", "vaswani-npl"),
    }
    for each in found.values():
        assert each.pipelines.keys() == set(STANDARD_PIPELINES)
    assert len(found["scifact"].published) == 6
    for name, each in found.items():  # what --update needs
        text = (EXPERIMENTS / f"{name}.yaml").read_text()
        assert all(text.count(f"\n  {pipeline}: ") == 1 for pipeline in each.pipelines)


QUERIES = {f"q{number}": f"text {number}" for number in range(40)}
QRELS = {query_id: {"tea": 1} for query_id in QUERIES}


def test_the_experiments_that_ship_read_the_beginning_of_texts():
    """Their expected scores were measured so; a search reads up to four windows by default."""
    assert {each.settings.max_chunks for each in load_experiments()} == {1}


def test_the_sample_by_hand():
    """SHA-256 of "hybridrank:q19", of :q3 and of :q25 are the smallest of forty, on every machine."""
    assert list(sample(QUERIES, QRELS, 3)) == ["q3", "q19", "q25"]


@given(st.integers(1, 45), st.permutations(list(QUERIES)))
def test_a_sample_depends_on_ids_alone_and_a_larger_one_holds_it(count, order):
    drawn = sample(QUERIES, QRELS, count)
    shuffled = sample({query_id: QUERIES[query_id] for query_id in order}, QRELS, count)
    assert len(drawn) == min(count, len(QUERIES))
    assert set(shuffled) == set(drawn) <= set(sample(QUERIES, QRELS, count + 1))
    assert list(shuffled) == [query_id for query_id in order if query_id in drawn]


def test_queries_that_say_nothing_are_not_drawn():
    qrels = {"q1": {"tea": 0}, "q2": {"tea": 0, "soup": 2}, "elsewhere": {"tea": 1}}
    assert sample(QUERIES, qrels, None) == sample(QUERIES, qrels, 5) == {"q2": "text 2"}


def test_new_scores_replace_old_ones_and_nothing_else_changes(file):
    write_expected(file, {"bm25": 0.61234, "rrf": 0.7, "rrf+colbert": 0.8})
    lines = {"bm25: 0.5 ": "bm25: 0.6123 ", "rrf: ~": "rrf: 0.7000", "rrf+colbert: 0.75": "rrf+colbert: 0.8000"}
    expected = FILE
    for before, after in lines.items():
        expected = expected.replace(before, after)
    assert file.read_text() == expected
    assert dict(Experiment.load(file).pipelines) == {"bm25": 0.6123, "rrf": 0.7, "rrf+colbert": 0.8}


def test_a_pipeline_without_its_own_line_is_refused_unchanged(file):
    text = FILE.replace("  rrf: ~\n  rrf+colbert: 0.75\n", "").replace(
        "pipelines:  # nDCG@10\n  bm25", "pipelines:\n  bm25"
    )
    file.write_text(text)
    with pytest.raises(ExperimentError, match="one line `rrf: VALUE` below `pipelines:`, found 0"):
        write_expected(file, {"bm25": 0.1, "rrf": 0.2})
    assert file.read_text() == text
