"""HTTP answers to requests for scores, in the shape of each API."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

from hybridrank.sidecar.transport.http.bodies import RerankBody, TeiBody
from hybridrank.sidecar.types import RelevanceScore, RerankRequest, RerankResult

# OpenSearch fails for a score that is not a Double: an integer, or a number of more than 18 characters. Eleven digits
# fit with sign, leading zeros or exponent, and are two more than a float32 has.
SCORE_DIGITS = 11


@dataclass(frozen=True)
class Answer:
    """Body of an answer, and whether it is complete."""

    content: Any
    complete: bool = True


class Document(BaseModel):
    """The text that was scored."""

    text: str


class Result(BaseModel):
    """A result of Cohere and Jina."""

    index: int = Field(description="0-based position in the request.")
    relevance_score: float
    document: Document | None = None


class Usage(BaseModel):
    """The number of tokens, counted as Jina and OpenAI do."""

    total_tokens: int
    prompt_tokens: int


class Detail(BaseModel):
    """Further facts about a result; apart from it, because Elasticsearch refuses results with unknown fields."""

    index: int = Field(description="0-based position in the request.")
    truncated: bool = Field(description="True if the model did not read the whole text.")
    best_chunk: int | None = Field(None, description="0-based number of the best window, if several are allowed.")
    scored_chunks: int | None = Field(None, description="Number of windows of the document that were scored.")


class RerankAnswer(BaseModel):
    """The answer for Cohere and Jina, with the fields of both; best first."""

    id: str
    model: str
    results: list[Result]
    usage: Usage
    meta: dict[str, Any]
    details: list[Detail] = Field(description="One for each result, in the same order.")
    complete: bool = Field(description="True if every document was scored; false only with best_effort.")
    scored_chunks: int = Field(description="Number of scored windows of all documents.")


class VoyageResult(BaseModel):
    """A result of Voyage."""

    index: int
    relevance_score: float
    document: str | None = None


class VoyageAnswer(BaseModel):
    """The answer for Voyage, for a request with top_k or truncation; best first."""

    object: Literal["list"]
    data: list[VoyageResult]
    model: str
    usage: Usage
    details: list[Detail]
    complete: bool
    scored_chunks: int


class TeiResult(BaseModel):
    """A result of text-embeddings-inference; best first."""

    index: int
    score: float
    text: str | None = None


def rerank_answer(
    body: RerankBody, request: RerankRequest, result: RerankResult, *, request_id: str, api_version: str
) -> Answer:
    """Returns the answer for Cohere and Jina, or for Voyage."""
    texts = [passage.text for passage in request.passages] if body.return_documents else None
    if body.is_voyage:
        data = [_scored(score) | ({"document": texts[score.index]} if texts else {}) for score in result.scores]
        content: dict[str, Any] = {"object": "list", "data": data}
    else:
        found = [_scored(s) | ({"document": {"text": texts[s.index]}} if texts else {}) for s in result.scores]
        meta = {"api_version": {"version": api_version}, "billed_units": {"search_units": 1}}
        content = {"id": request_id, "results": found, "meta": meta}
    rest = {
        "model": result.model.name,
        "usage": usage(result.tokens),
        "details": [detail(score.index, score.truncated) | _chunks(score) for score in result.scores],
        "complete": result.complete,
        "scored_chunks": result.scored_chunks,
    }
    return Answer(content | rest, result.complete)


def tei_answer(body: TeiBody, request: RerankRequest, result: RerankResult) -> Answer:
    """Returns the array for text-embeddings-inference."""
    texts = [passage.text for passage in request.passages] if body.return_text else None
    return Answer(
        [
            {"index": score.index, "score": decimal(score.relevance_score)}
            | ({"text": texts[score.index]} if texts else {})
            for score in result.scores
        ],
        result.complete,
    )


def to_json(content: Any) -> bytes:
    """Returns JSON in UTF-8; raises ValueError for NaN, which many parsers refuse."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def decimal(score: float) -> float:
    """Returns the score with the printed digits; JSON shows it with a point or an exponent.

    >>> json.dumps([decimal(1), decimal(1 / 3), decimal(-2e-7)])
    '[1.0, 0.33333333333, -2e-07]'
    """
    return float(f"{score:.{SCORE_DIGITS}g}")


def detail(index: int, truncated: bool) -> dict[str, Any]:  # noqa: FBT001
    """Returns the fields of a Detail for any text."""
    return {"index": index, "truncated": truncated}


def _chunks(score: RelevanceScore) -> dict[str, Any]:
    best = {} if score.best_chunk is None else {"best_chunk": score.best_chunk}
    return best | {"scored_chunks": score.scored_chunks}


def usage(tokens: int) -> dict[str, int]:
    """Returns the fields of a Usage."""
    return {"total_tokens": tokens, "prompt_tokens": tokens}


def _scored(score: RelevanceScore) -> dict[str, Any]:
    return {"index": score.index, "relevance_score": decimal(score.relevance_score)}
