"""Lists mined from an index of the menu: judged queries, and documents that are queries themselves."""

import pytest

from hybridrank.connector import HybridSearch
from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.document_names import AmbiguousId
from hybridrank.index_templates import IndexDefinition
from hybridrank.training.neural.mining import mine
from hybridrank.training.neural.recipe import Mining
from tests.doubles import WordSidecar
from tests.evaluation.menu import QRELS, QUERIES, menu_engine
from tests.several import Alias

MINING = Mining(retrievers=("bm25",), documents=3, relevant=1, hardest=1)


async def test_a_list_begins_with_the_best_judged_document(tmp_path):
    search = HybridSearch(await menu_engine(tmp_path), WordSidecar())
    lists = [each async for each in mine(search, "menu", {"q1": QUERIES["q1"]}, QRELS, MINING, seed=1)]
    assert [each.doc_ids[0] for each in lists] == ["chai"]
    assert lists[0].grades[0] == 2


async def test_a_document_query_is_not_in_its_own_unjudged_list(tmp_path):
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


async def test_lists_of_several_indices_name_index_and_id(tmp_path):
    engine = await menu_engine(tmp_path)
    await engine.create_index("cellar", IndexDefinition(dimensions=8))
    others = [Document(doc_id, {"title": "Cold", "text": "hot tea of the cellar"}) for doc_id in ("chai", "tea")]
    await engine.index_documents("cellar", others)
    search = HybridSearch(Alias(engine, ("cellar", "menu")), WordSidecar())
    qrels = {"q1": {"menu/chai": 2, "cellar/tea": 0, "menu/soup": 1}}
    mining = MINING.model_copy(update={"documents": 6, "relevant": 2})
    (found,) = [each async for each in mine(search, "both", {"q1": QUERIES["q1"]}, qrels, mining, seed=1)]
    assert found.doc_ids[:2] == ("menu/chai", "menu/soup")  # the second is not among the first hits for tea and milk
    texts = dict(zip(found.doc_ids, found.texts, strict=True))
    assert "spices" in texts["menu/chai"]
    assert texts["cellar/chai"] == "Cold\nhot tea of the cellar"
    assert dict(zip(found.doc_ids, found.grades, strict=True))["cellar/tea"] == 0
    with pytest.raises(AmbiguousId, match="'chai' names no document"):
        [each async for each in mine(search, "both", {"q1": QUERIES["q1"]}, QRELS, MINING, seed=1)]
