"""The lists of a recipe whose queries are a collection's own documents, from files to files."""

import json
import random
from functools import partial

import pytest

from hybridrank.cli.bench import open_bench
from hybridrank.common.progress import Silent
from hybridrank.training.neural.errors import RecipeError
from hybridrank.training.neural.lists import RankedList, read_lists, write_lists
from hybridrank.training.neural.make_lists import make_lists
from hybridrank.training.neural.recipe import Recipe

WORDS = ["tea", "milk", "water", "soup", "bread", "salt", "pan", "oven", "butter", "sugar", "flour", "lemon", "rice"]


def recipe_of(tmp_path, **changed):
    train = {"collection": "menu", "queries_from": "documents", "queries": 5, "retrievers": ["bm25"]}
    return Recipe.model_validate(
        {
            "name": "menu",
            "student": {"base": "encoder-minilm-l6"},
            "train": [train],
            "dev": [{"lists": tmp_path / "dev.jsonl"}],
            "mining": {"documents": 4, "relevant": 1, "hardest": 2},
            "teacher": {"weights": {"bm25": 1.0}},
            "losses": [{"name": "kl"}],
            **changed,
        }
    )


def bench_in(tmp_path, sidecar_address):
    return partial(open_bench, f"embedded:{tmp_path / 'engine'}", sidecar_address, (), Silent())


@pytest.mark.parametrize("part", ["dev", "train"])
async def test_lists_that_are_none_are_an_error_of_the_recipe(tmp_path, sidecar_address, part):
    write_lists(tmp_path / "none.jsonl", [])
    write_lists(tmp_path / "dev.jsonl", [RankedList("q", "hot tea", ("d1",), ("tea",), (1,))])
    recipe = recipe_of(
        tmp_path, **{"train": [{"lists": tmp_path / "dev.jsonl"}], part: [{"lists": tmp_path / "none.jsonl"}]}
    )
    with pytest.raises(RecipeError, match="list"):
        await make_lists(recipe, tmp_path, tmp_path, bench_in(tmp_path, sidecar_address))
    assert not list(tmp_path.glob(f"{part}-*"))


async def test_lists_of_held_out_sources_measure_and_do_not_train(tmp_path, sidecar_address):
    made = [
        RankedList(
            f"q{number}", "hot tea", ("d1", "d2"), ("tea leaves", "milk"), (1, 0), source=f"site-{number}.example"
        )
        for number in range(60)
    ]
    write_lists(tmp_path / "made.jsonl", made)
    recipe = recipe_of(
        tmp_path,
        train=[{"lists": "made.jsonl", "sources": "kept", "queries": 20, "words": 1}],
        dev=[{"lists": "made.jsonl", "sources": "held-out"}],
    )
    train, dev = await make_lists(recipe, tmp_path, tmp_path, bench_in(tmp_path, sidecar_address))
    kept, held_out = ({each.source for each in read_lists(path)} for path in (train, dev))
    assert len(kept) == 20
    assert next(read_lists(train)).texts == ("tea", "milk")
    assert held_out == {each.source for each in made if each.held_out}
    assert 2 <= len(held_out) <= 12
    assert not kept & held_out


async def test_a_judged_list_stays_whole(tmp_path, sidecar_address):
    """The size of mined lists, 4 here, is not that of lists that somebody judged."""
    made = RankedList("q", "hot tea", tuple("abcdefghij"), tuple(WORDS[:10]), (*[0] * 9, 2))
    write_lists(tmp_path / "made.jsonl", [made])
    recipe = recipe_of(tmp_path, train=[{"lists": "made.jsonl"}], dev=[{"lists": "made.jsonl"}])
    for path in await make_lists(recipe, tmp_path, tmp_path, bench_in(tmp_path, sidecar_address)):
        (kept,) = read_lists(path)
        assert (kept.doc_ids, kept.grades) == (made.doc_ids, made.grades)


async def test_document_queries_get_lists_ordered_by_the_teacher(tmp_path, sidecar_address):
    menu = tmp_path / "menu"
    menu.mkdir()
    rng = random.Random(4)
    texts = {f"d{number}": " ".join(rng.choices(WORDS, k=90)) for number in range(12)} | {"short": "tea and milk"}
    lines = [json.dumps({"_id": doc_id, "title": "", "text": text}) for doc_id, text in texts.items()]
    (menu / "corpus.jsonl").write_text("\n".join(lines))
    write_lists(tmp_path / "dev.jsonl", [RankedList("q", "hot tea", ("d1",), (texts["d1"],), (1,))])
    recipe = recipe_of(tmp_path)
    out = tmp_path / "lists"
    out.mkdir()
    train, _ = await make_lists(recipe, tmp_path, out, bench_in(tmp_path, sidecar_address))
    lists = list(read_lists(train))
    assert len({each.query_id for each in lists}) == len(lists) == 5
    for each in lists:
        assert texts[each.query_id].startswith(each.query)
        assert each.query_id not in each.doc_ids
        assert len(each.doc_ids) == 4
        assert set(each.grades) == {None}
        assert each.scores["teacher"][0] == max(each.scores["teacher"])
