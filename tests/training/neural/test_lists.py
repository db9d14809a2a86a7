"""Lists, their files, what is mined, and the teacher: everything before a network is trained. No torch needed."""

import gzip
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.training.neural.errors import RecipeError
from hybridrank.training.neural.lists import RankedList, read_lists, write_lists
from hybridrank.training.neural.mining import beginnings, choose, draw
from hybridrank.training.neural.recipe import Mining, Recipe, TeacherWeights, load_recipe
from hybridrank.training.neural.teacher import read_ordering, taught, without_false_negatives

LIST = RankedList(
    query_id="q1",
    query="when does the train leave?",
    doc_ids=("d1", "d2", "d3"),
    texts=("At nine.", "Trains are red.", "It leaves at nine."),
    grades=(1, 0, None),
    scores={"bm25": (3.0, 2.0, 1.0), "colbert": (0.5, 0.1, 0.9)},
    collection="timetable",
)


@pytest.mark.parametrize("name", ["lists.jsonl", "lists.jsonl.gz"])
def test_lists_round_trip(name, tmp_path):
    path = tmp_path / name
    assert write_lists(path, [LIST, LIST.of([2, 0])]) == 2
    assert list(read_lists(path)) == [LIST, LIST.of([2, 0])]
    assert (path.read_bytes()[:2] == b"\x1f\x8b") is name.endswith("gz")
    assert list(tmp_path.iterdir()) == [path]


def test_a_bad_line_is_named(tmp_path):
    path = tmp_path / "lists.jsonl"
    write_lists(path, [LIST])
    entry = json.loads(path.read_text()) | {"grades": [1]}
    path.write_text(path.read_text() + json.dumps(entry) + "\n")
    with pytest.raises(RecipeError, match=r"lists\.jsonl:2: .*3 documents, but grades: 1"):
        list(read_lists(path))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"source": 3}, "source is or has something that is not a text"),
        ({"texts": ["a", None, "c"]}, "texts is or has something that is not a text"),
        ({"query": " "}, "it has no query or no documents"),
        ({"doc_ids": [], "texts": [], "grades": [], "scores": {}}, "it has no query or no documents"),
        ({"grades": ["2", 0, None]}, "grades has an entry that is neither a whole number nor null"),
    ],
)
def test_a_list_that_cannot_be_trained_on_is_named_before(change, problem, tmp_path):
    path = tmp_path / "lists.jsonl"
    write_lists(path, [LIST])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecipeError, match=rf"lists\.jsonl:1: .*{problem}"):
        list(read_lists(path))


def test_a_list_without_a_source_is_of_none(tmp_path):
    path = tmp_path / "lists.jsonl"
    write_lists(path, [LIST])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"source": None}))
    assert list(read_lists(path)) == [LIST]


def test_a_file_that_was_cut_off_is_an_error(tmp_path):
    path = tmp_path / "lists.jsonl.gz"
    write_lists(path, [LIST] * 50)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()))[:-20])
    with pytest.raises(RecipeError, match="cannot be read"):
        list(read_lists(path))


def test_texts_are_cut_to_the_words_that_were_judged():
    assert LIST.cut(2).texts == ("At nine.", "Trains are", "It leaves")
    assert LIST.cut(None) is LIST


def test_texts_and_queries_stay_out_of_reprs():
    assert "train" not in repr(LIST)
    assert "nine" not in repr(LIST)


ids = st.lists(st.integers(0, 60).map("d{}".format), unique=True, max_size=40)


@given(ids, st.dictionaries(st.integers(0, 60).map("d{}".format), st.integers(0, 3), max_size=6), st.integers(0, 9))
def test_lists_have_relevant_documents_first_and_no_duplicates(ranking, grades, seed):
    mining = Mining(documents=8, relevant=2, hardest=3, depth=20)
    chosen = choose(ranking, grades, mining, random.Random(seed))
    relevant = [doc_id for doc_id, grade in grades.items() if grade > 0]
    assert len(chosen) == len(set(chosen)) <= 8
    assert set(chosen[: min(2, len(relevant))]) <= set(relevant)
    assert not set(chosen[2:]) & set(relevant) or len(relevant) < 2
    negatives = [doc_id for doc_id in ranking[:20] if grades.get(doc_id, 0) <= 0]
    taken = chosen[min(2, len(relevant)) :]
    assert taken[: min(3, len(negatives))] == tuple(negatives[:3])
    assert set(taken) <= set(negatives)


def test_queries_are_drawn_by_the_weight_of_their_kind():
    queries = {f"q{number}": "text" for number in range(4000)}
    kinds = {query_id: ("question", "heading", "spam")[int(query_id[1:]) % 3] for query_id in queries}
    drawn = draw(queries, 600, kinds, {"question": 4, "heading": 1}, seed=1)
    counts = [sum(kinds[query_id] == kind for query_id in drawn) for kind in ("question", "heading", "spam")]
    assert counts[2] == 0
    assert 3 < counts[0] / counts[1] < 6
    assert drawn == draw(queries, 600, kinds, {"question": 4, "heading": 1}, seed=1)
    assert drawn != draw(queries, 600, kinds, {"question": 4, "heading": 1}, seed=2)


@given(st.dictionaries(st.integers(0, 60).map("d{}".format), st.integers(0, 200)), st.integers(0, 9))
def test_long_queries_are_the_first_20_to_80_words_of_documents(lengths, seed):
    texts = {doc_id: " ".join(map(str, range(length))) for doc_id, length in lengths.items()}
    found = beginnings(texts, seed)
    assert found == beginnings(texts, seed)
    assert all(texts[doc_id].startswith(query) and 20 <= len(query.split()) <= 80 for doc_id, query in found.items())
    assert {doc_id for doc_id, length in lengths.items() if length >= 80} <= set(found)
    assert not set(found) & {doc_id for doc_id, length in lengths.items() if length < 20}


def test_a_teacher_is_a_weighted_sum_of_z_scores_and_the_grade():
    found = taught(LIST, TeacherWeights(weights={"bm25": 2.0, "grade": 3.0}), {}).scores["teacher"]
    z = 1.224744871391589  # of 3, 2, 1
    assert found == pytest.approx((2 * z + 3, 0, -2 * z))


def test_missing_retrievers_score_zero_and_missing_models_fail():
    assert taught(LIST, TeacherWeights(weights={"knn": 1.0}), {}).scores["teacher"] == (0, 0, 0)
    with pytest.raises(RecipeError, match=r"query q1 has no scores of 'big'"):
        taught(LIST, TeacherWeights(weights={"big": 1.0}), {})


def test_an_ordering_teaches_its_order_and_puts_the_others_below(tmp_path):
    path = tmp_path / "order.jsonl"
    path.write_text('{"query_id": "q1", "doc_ids": ["d3", "d1"]}\n')
    found = taught(LIST, TeacherWeights(ordering=path), read_ordering(path)).scores["teacher"]
    assert found == (1, 0, 2)
    path.write_text('{"query_id": "q1"}\n')
    with pytest.raises(RecipeError, match=r"order\.jsonl:1: expected"):
        read_ordering(path)


def test_a_negative_far_above_the_relevant_document_is_left_out():
    whole = replace(LIST, scores={"teacher": (1.0, 1.4, 2.0)})
    assert without_false_negatives(whole, 0.5, 3).doc_ids == ("d1", "d2")
    assert without_false_negatives(whole, None, 3).doc_ids == ("d1", "d2", "d3")
    assert without_false_negatives(whole, None, 2).doc_ids == ("d1", "d2")


RECIPE = """
name: mine
student: {base: encoder-minilm-l6}
train: [{collection: shop}]
dev: [{collection: shop, split: dev}]
losses: [{name: lce}]
"""


def test_a_recipe_is_read_with_its_defaults(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    recipe = load_recipe(path)
    assert recipe.mining.documents == 8
    assert recipe.lists_digest() == Recipe.model_validate(recipe.model_dump()).lists_digest()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("losses: [{name: lce}]=>losses: [{name: hinge}]", r"losses\.0\.name: .*'lce'"),
        ("losses: [{name: lce}]=>losses: [{name: kl}]", "kl compares with a teacher; give teacher.weights"),
        ("{collection: shop}]=>{collection: shop, lists: a.jsonl}]", "a collection or a file of lists"),
        ("name: mine=>name: mine\nlayers: 3", "layers: Extra inputs"),
        ("shop}]=>shop, queries_from: documents}]", "no judgments; add one that compares with a teacher"),
        ("shop}]=>shop, queries_from: documents, kinds: {faq: 1}}]", r"train\.0: .*documents are of no kind"),
        ("split: dev}]=>split: dev, queries_from: documents}]", "dev: queries_from: documents has no judgments"),
        ("name: mine=>name: mine\nmining: {documents: 3, hardest: 3}", r"relevant \+ hardest is over documents"),
        ("shop}]=>shop, sources: kept}]", r"train\.0: .*sources and words are those of lists"),
        ("shop}]=>shop, words: 80}]", r"train\.0: .*sources and words are those of lists"),
        ("name: mine=>name: mine\nschedule: {freeze_layers: 2, freeze_embeddings: false}", "needs freeze_embeddings"),
        ("[{name: lce}]=>[{name: lce, by: vectors}]", "a cross-encoder has no vectors"),
        ("[{name: lce}]=>[{name: lce}, {name: same-vectors}]", "a cross-encoder has no vectors"),
        ("[{name: lce}]=>[{name: lce, temperature: 2}]", "temperature is for kl and listnet, and lce has none"),
        ("minilm-l6}=>minilm-l6, intermediate: 99}\nschedule: {freeze_layers: 2}", "student.intermediate changes them"),
        ("minilm-l6}=>minilm-l6, layers: [0, 1], fade: 9, average: 0.5}", "average needs weights of the same layers"),
        ("minilm-l6}=>minilm-l6, fade: 9}", "fade removes the layers that are not in layers"),
    ],
)
def test_errors_in_a_recipe_name_the_file(change, problem, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.replace(*change.split("=>")))
    with pytest.raises(RecipeError, match=rf"(?s)recipe\.yaml: .*{problem}"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("student", "losses", "problem"),
    [
        ("vocabulary: 9000", "{name: lce}, {name: same-vectors}", "needs the base's whole vocabulary"),
        ("layers: [0]", "{name: lce}, {name: same-vectors}", "needs the base's layers at the beginning"),
        ("dropout: 0", "{name: same-vectors}", "same-vectors alone leaves the base as it is"),
        ("dropout: 0", "{name: lce}, {name: same-vectors, by: tokens}", "compares the vectors of whole texts"),
        ("dropout: 0", "{name: lce}, {name: same-vectors, in_batch: true}", "compares the vectors of whole texts"),
    ],
)
def test_vectors_of_the_base_need_the_base(student, losses, problem, tmp_path):
    path = tmp_path / "recipe.yaml"
    content = RECIPE.replace("name: mine", "name: mine\nkind: colbert").replace("minilm-l6}", f"minilm-l6, {student}}}")
    path.write_text(content.replace("{name: lce}", losses))
    with pytest.raises(RecipeError, match=problem):
        load_recipe(path)


def test_losses_that_need_judgments_refuse_unjudged_queries(tmp_path):
    path = tmp_path / "recipe.yaml"
    content = RECIPE.replace("shop}]", "shop, queries_from: documents}]") + "teacher: {weights: {bm25: 1}}\n"
    path.write_text(content.replace("{name: lce}", "{name: kl}, {name: lce}"))
    assert load_recipe(path).train[0].queries_from == "documents"
    path.write_text(content.replace("{name: lce}", "{name: kl}, {name: bce}"))
    with pytest.raises(RecipeError, match="losses: bce wants judgments"):
        load_recipe(path)


def test_another_loss_keeps_the_lists_and_another_seed_does_not(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    recipe = load_recipe(path)
    assert recipe.model_copy(update={"name": "other"}).lists_digest() == recipe.lists_digest()
    assert recipe.model_copy(update={"seed": 1}).lists_digest() != recipe.lists_digest()


def test_a_file_of_lists_that_changed_gives_other_lists(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.replace("{collection: shop}]", "{lists: made.jsonl}]"))
    recipe = load_recipe(path)
    made = tmp_path / "made.jsonl"
    write_lists(made, [LIST])
    before = recipe.lists_digest(tmp_path)
    assert recipe.lists_digest(tmp_path) == before
    write_lists(made, [LIST, LIST])
    assert recipe.lists_digest(tmp_path) != before
    made.unlink()
    with pytest.raises(RecipeError, match=r"made\.jsonl: No such file"):
        recipe.lists_digest(tmp_path)
