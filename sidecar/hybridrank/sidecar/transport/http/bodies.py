"""Request bodies of each HTTP API, and the service requests that they stand for."""

import re
import time
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hybridrank.common.error_text import wrong_value
from hybridrank.sidecar.errors import InvalidArgument, UnknownField
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.transport.http.documents import document_text
from hybridrank.sidecar.types import DEFAULT_CHUNKS, MAX_CHUNKS, ChunkScore, RerankPassage, RerankRequest, ScoreType

ModelName = Annotated[
    str, Field(description="Name, name:version or alias of a model; by default the first suitable one.")
]
Top = Annotated[int | None, Field(ge=0, description="Number of results to return, best first; by default all.")]
BestEffort = Annotated[bool, Field(description="Return what is scored shortly before the end of x-timeout-ms.")]
Truncate = Annotated[
    bool | None, Field(description="false refuses a text longer than the model reads; otherwise it is cut.")
]

RawScores = Annotated[bool, Field(description="Return logits or cosines instead of numbers between 0 and 1.")]
ScoreTypeName = Annotated[
    Literal["raw", "sigmoid", "calibrated"] | None,
    Field(description="raw as with raw_scores, sigmoid (the default), or calibrated: the probability of relevance."),
]

Ignored = Annotated[Any, Field(description="Accepted without effect.")]

MAX_NAME_SHOWN = 40
UNION_MEMBER = re.compile(r"str|dict\[.*|list\[.*")  # the names of union members in the locations of pydantic


class Body(BaseModel):
    """The body of a request. A null counts as absent; a field that the API does not have is refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, body: Any) -> Any:
        return {name: value for name, value in body.items() if value is not None} if isinstance(body, dict) else body


AnyBody = TypeVar("AnyBody", bound=Body)


class RerankBody(Body):
    """The request of Cohere, Jina and Voyage."""

    model: ModelName = ""
    query: str
    documents: list[str | dict[str, Any]] = Field(description="Texts, or objects with a text or with rank_fields.")
    top_n: Top = None
    top_k: Annotated[Top, Field(description="Voyage's name of top_n; the answer then has the shape of Voyage.")] = None
    truncation: Truncate = None
    max_chunks_per_doc: int | None = Field(
        None, ge=1, le=MAX_CHUNKS, description="Maximum number of windows of a long document; 1 cuts it. By default 4."
    )
    chunk_score: Literal["max", "first", "mean"] = Field("max", description="Combined score of the windows.")
    max_tokens_per_doc: int | None = Field(None, ge=1, description="Not less than the model reads, which is the limit.")
    return_documents: bool | None = Field(None, description="Return the text of each document beside its score.")
    rank_fields: list[str] | None = Field(None, description="Fields of the objects that are scored, one per line.")
    raw_scores: RawScores = False
    score_type: ScoreTypeName = None
    best_effort: BestEffort = False
    priority: Ignored = None
    user: Ignored = None

    @property
    def is_voyage(self) -> bool:
        """True if Voyage's client sent it: it always sends fields that no other API has."""
        return bool(self.model_fields_set & {"top_k", "truncation"})


class TeiBody(Body):
    """The request of text-embeddings-inference, which ignores fields that it does not have; `model` is ours."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field("", description="Beyond that API. Default: the first reranker.")
    query: str
    texts: list[str]
    raw_scores: RawScores = False
    score_type: ScoreTypeName = None
    return_text: bool = Field(default=False, description="Return each text beside its score.")
    truncate: Truncate = None
    truncation_direction: Literal["right", "Right"] = Field("right", description="Only the end of a text is cut.")
    best_effort: BestEffort = False


def parse(body: type[AnyBody], raw: bytes) -> AnyBody:
    """Reads a body; raises InvalidArgument for the first wrong field, without its value.

    Raises UnknownField for a field that the API does not have, with the likely name.
    """
    try:
        return body.model_validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        if unknown := [problem["loc"][0] for problem in problems if problem["type"] == "extra_forbidden"]:
            raise UnknownField(_shown(str(unknown[0])), _meant(str(unknown[0]), [*body.model_fields])) from None
        of_one_field = [problem for problem in problems if problem["loc"][:1] == problems[0]["loc"][:1]]
        deepest = max(of_one_field, key=lambda problem: len(problem["loc"]))
        message = wrong_value(deepest)
        raise InvalidArgument(_field(deepest["loc"]) or "body", message[0].lower() + message[1:]) from None


def rerank_request(body: RerankBody, models: Models, deadline: float | None) -> RerankRequest:
    """Returns the request to the service. Cohere and Jina score long documents in windows; Voyage cuts or refuses them.

    Raises InvalidArgument for a model that reads no texts, a document without text, or a limit that cannot be kept.
    """
    texts = [_text(document, index, body.rank_fields) for index, document in enumerate(body.documents)]
    top = body.top_k if body.top_k is not None else body.top_n
    model = _reader(body.model, models)
    chunks = _chunks(body, models.get(model).info.max_tokens)
    return RerankRequest(
        model=model,
        query=body.query,
        passages=_passages(texts),
        top_k=top or 0,
        score_type=_score_type(body),
        best_effort=body.best_effort,
        max_chunks_per_document=chunks,
        chunk_score=ChunkScore(body.chunk_score),
        truncate=body.truncation is not False,
        deadline=deadline,
    )


def tei_request(body: TeiBody, models: Models, deadline: float | None) -> RerankRequest:
    """Decode."""
    return RerankRequest(
        model=_reader(body.model, models),
        query=body.query,
        passages=_passages(body.texts),
        score_type=_score_type(body),
        best_effort=body.best_effort,
        max_chunks_per_document=1,  # text-embeddings-inference cuts
        truncate=body.truncate is not False,
        deadline=deadline,
    )


def deadline_of(timeout_ms: str | None) -> float | None:
    """Returns the deadline, by `time.monotonic()`, from the header; raises InvalidArgument if it is not a number."""
    if timeout_ms is None:
        return None
    if not re.fullmatch(r"\d{1,9}", timeout_ms, re.ASCII):
        raise InvalidArgument("x-timeout-ms", "is not a number of milliseconds, as in 300")
    return time.monotonic() + int(timeout_ms) / 1000


def _chunks(body: RerankBody, max_tokens: int) -> int:
    """Returns the number of windows for a document: the one in the request, or as many as `max_tokens_per_doc` holds.

    Raises InvalidArgument for a limit that cannot be kept.
    """
    limit = body.max_tokens_per_doc
    fitting = MAX_CHUNKS if limit is None else limit // max_tokens
    chunks = body.max_chunks_per_doc or max(1, min(1 if body.is_voyage else DEFAULT_CHUNKS, fitting))
    if chunks > fitting:
        most = chunks * max_tokens
        problem = f"up to {most} are read and fewer cannot be asked for; leave it out, or shorten the documents"
        raise InvalidArgument("max_tokens_per_doc", problem)
    return chunks


def _passages(texts: Sequence[str]) -> tuple[RerankPassage, ...]:
    return tuple(RerankPassage(str(index), text) for index, text in enumerate(texts))


def _score_type(body: RerankBody | TeiBody) -> ScoreType:
    if body.raw_scores and body.score_type not in {None, "raw"}:
        raise InvalidArgument("score_type", f"is {body.score_type}, and raw_scores is true; send one of the two")
    return ScoreType.RAW if body.raw_scores else ScoreType(body.score_type or "sigmoid")


def first_reranker(models: Models) -> str:
    """Returns the name of the model that serves calls without one, by `http_order`; empty if no model reads texts."""
    readers = [model for model in models if model.reranker.http_order is not None]
    return min(readers, key=lambda model: model.reranker.http_order or 0).info.name if readers else ""


def _reader(name: str | None, models: Models) -> str:
    """Returns `name`, or the reranker that serves calls without one; raises InvalidArgument if it reads no texts."""
    model = name or first_reranker(models)
    if models.get(model).reranker.http_order is None:
        problem = f"{model} reads features, which this API cannot carry; call Rerank over gRPC, or name another model"
        raise InvalidArgument("model", problem)
    return model


def _text(document: str | dict[str, Any], index: int, rank_fields: Sequence[str] | None) -> str:
    try:
        text = document if isinstance(document, str) else document_text(document, rank_fields or ("text",))
    except ValueError:
        raise InvalidArgument(f"documents[{index}]", "holds a number that is not finite") from None
    if text is None:
        wanted = "has none of the rank_fields" if rank_fields else "has no text; name other fields in rank_fields"
        raise InvalidArgument(f"documents[{index}]", wanted)
    return text


def _field(location: Sequence[str | int]) -> str:
    """Returns `documents[3]` for ("documents", 3, "str")."""
    parts = [part for part in location if isinstance(part, int) or not UNION_MEMBER.fullmatch(part)]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _shown(name: str) -> str:
    """Returns a field name from a caller, cut if it is long."""
    return name if len(name) <= MAX_NAME_SHOWN else f"{name[:MAX_NAME_SHOWN]}…"


def _meant(name: str, known: list[str]) -> str:
    close = get_close_matches(name[:MAX_NAME_SHOWN], known, n=1)
    return f"did you mean {close[0]}?" if close else f"fields are {', '.join(known)}"
