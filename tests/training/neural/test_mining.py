"""Lists mined from an index of the menu: judged queries, and documents that are queries themselves."""

from connector import HybridSearch
from tests.doubles import WordSidecar
from tests.evaluation.menu import QRELS, QUERIES, menu_engine
from training.neural.mining import mine
from training.neural.recipe import Mining

MINING = Mining(retrievers=("bm25",), documents=3, relevant=1, hardest=1)


async def test_a_list_begins_with_the_best_judged_document(tmp_path):
    search = HybridSearch(await menu_engine(tmp_path), WordSidecar())
    lists = [each async for each in mine(search, "menu", {"q1": QUERIES["q1"]}, QRELS, MINING, seed=1)]
    assert [each.doc_ids[0] for each in lists] == ["chai"]
    assert lists[0].grades[0] == 2


async def test_a_document_that_is_the_query_is_not_in_its_list_and_nothing_there_is_judged(tmp_path):
    search = HybridSearch(await menu_engine(tmp_path), WordSidecar())
    asked = {"chai": "spiced black tea with hot milk", "tea": "hot tea leaves in water"}
    lists = {each.query_id: each async for each in mine(search, "menu", asked, None, MINING, seed=1)}
    assert set(lists) == set(asked)
    for doc_id, each in lists.items():
        assert doc_id not in each.doc_ids
        assert len(each.doc_ids) > 1
        assert set(each.grades) == {None}
    (judged,) = [each async for each in mine(search, "menu", {"q1": asked["chai"]}, QRELS, MINING, seed=1)]
    assert "chai" in judged.doc_ids
