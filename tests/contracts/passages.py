"""The documents that every contract searches, and short ways to ask for them."""

import math

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.queries.retrievers import Bm25Query, KnnQuery
from hybridrank.connector.types import Document, DocumentKey, Ranking
from hybridrank.index_templates import HEAVY_FIELDS, IndexDefinition
from hybridrank.ltr_features import CandidateFacts, FeatureQuery, FeatureSet, matrix

DEFINITION = IndexDefinition(dimensions=3)


def _passage(doc_id, title, text, vector=None, **fields) -> Document:
    return Document(doc_id, {"title": title, "text": text, **fields}, vector)


PASSAGES = [
    _passage("tea", "Green tea", "Leaves in hot water.", (1.0, 0.0, 0.0), kind="drink", price=3, since="2024-03-01"),
    _passage("chai", "Chai", "Tea with milk and spices.", (0.8, 0.6, 0.0), kind="drink", price=5),
    _passage("soup", "Soup", "Vegetables in hot water.", (0.0, 1.0, 0.0), kind="food", price=7),
    _passage("cake", "Cake", "Flour, eggs and sugar.", (0.0, 0.0, 1.0), kind="food", price=4),
    _passage("note", "A note on tea", "No vector here.", kind="note"),
]

FIELDS = {"title": 1.0, "text": 1.0}


def bm25(text: str, *, window: int = 10, filters=(), source_excludes=HEAVY_FIELDS) -> Bm25Query:
    return Bm25Query(text, FIELDS, rank_window_size=window, filters=tuple(filters), source_excludes=source_excludes)


def knn(*vector: float, window: int = 10, filters=()) -> KnnQuery:
    return KnnQuery(
        vector,
        "vector",
        rank_window_size=window,
        num_candidates=2 * window,
        filters=tuple(filters),
        source_excludes=HEAVY_FIELDS,
    )


def ids(ranking: Ranking) -> list[str]:
    return [candidate.doc_id for candidate in ranking]


def keys(index: str, *doc_ids: str) -> list[DocumentKey]:
    return [DocumentKey(index, doc_id) for doc_id in doc_ids]


def feature_set(**features) -> FeatureSet:
    """Name → kind and parameters."""
    columns = [{"name": name, **parameters} for name, parameters in features.items()]
    return FeatureSet.model_validate({"name": "contract", "features": columns})


async def values(engine: Engine, index: str, features: FeatureSet, query: FeatureQuery, doc_ids) -> dict[str, list]:
    """doc_id → values, None for what is not known."""
    answer = await engine.extract(index, features, query, keys(index, *doc_ids))
    facts = [CandidateFacts(doc_id, {}, 1, 1.0, index=index) for doc_id in doc_ids]
    rows = matrix(features, query, facts, answer)
    return {
        doc_id: [None if math.isnan(value) else value for value in row]
        for doc_id, row in zip(doc_ids, rows, strict=True)
    }
