"""Bodies of requests for vectors, and the service requests that they stand for.

Vectors have unit length and the dimensions of the model; a request for others is refused with the name of the field.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.transport.http.bodies import Body, Ignored, ModelName, Truncate
from hybridrank.sidecar.types import EncodeRequest, TextKind

__all__ = [
    "CohereEmbedBody",
    "EmbeddingsBody",
    "TeiEmbedBody",
    "TeiSparseBody",
    "cohere_embed_request",
    "embeddings_request",
    "tei_embed_request",
    "tei_sparse_request",
]

Dimensions = Annotated[int | None, Field(description="Only the number of the model is served.")]
UnitLength = Annotated[Literal[True], Field(description="Vectors have unit length.")]
Texts = str | list[str]


class EmbeddingsBody(Body):
    """The request of OpenAI, with the fields that Jina and Voyage add."""

    model: ModelName = ""
    input: Texts = Field(description="A text or several; tokens are not accepted.")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Dimensions = None
    input_type: Literal["query", "document"] = Field("document", description="The role of the texts in a search.")
    task: str = Field("", description="Jina: a task that ends in query means input_type query.")
    truncate: Truncate = None
    truncation: Truncate = None
    embedding_type: Literal["float", "base64"] | None = Field(None, description="Jina's name of encoding_format.")
    normalized: UnitLength = True
    late_chunking: Literal[False] = Field(default=False, description="Each text is encoded separately.")
    output_dimension: Annotated[Dimensions, Field(description="Voyage's name of dimensions.")] = None
    output_dtype: Literal["float"] = "float"
    user: Ignored = None

    @property
    def is_base64(self) -> bool:
        """True if vectors are sent as base64."""
        return "base64" in {self.encoding_format, self.embedding_type}


class CohereEmbedBody(Body):
    """The request of Cohere, versions 1 and 2."""

    model: ModelName = ""
    texts: list[str] = Field(description="The texts; images and mixed inputs are not accepted.")
    input_type: Literal["search_query", "search_document", "classification", "clustering"] = "search_document"
    embedding_types: list[Literal["float", "base64"]] = Field(["float"], min_length=1)
    truncate: Literal["NONE", "END"] = Field("END", description="NONE refuses a text longer than the model reads.")
    output_dimension: Dimensions = None
    max_tokens: int | None = Field(None, ge=1, description="Not less than the model reads, which is the limit.")
    priority: Ignored = None


class TeiEmbedBody(Body):
    """The request of text-embeddings-inference, which ignores fields that it does not have; `model` is ours."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field("", description="Beyond that API. Default: the first encoder.")
    inputs: Texts
    normalize: UnitLength = True
    prompt_name: Literal["query", "document", "passage"] = Field(
        "document", description="The role of the texts in a search."
    )
    dimensions: Dimensions = None
    truncate: Truncate = None
    truncation_direction: Literal["right", "Right"] = Field("right", description="Only the end of a text is cut.")


class TeiSparseBody(Body):
    """The same request for sparse vectors."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field("", description="Beyond that API. Default: the first model of sparse vectors.")
    inputs: Texts
    prompt_name: Literal["query", "document", "passage"] = Field(
        "document", description="The role of the texts in a search."
    )
    truncate: Truncate = None
    truncation_direction: Literal["right", "Right"] = Field("right", description="Only the end of a text is cut.")


def embeddings_request(body: EmbeddingsBody, models: Models, deadline: float | None) -> EncodeRequest:
    """Returns the request to the service."""
    is_query = body.input_type == "query" or body.task.endswith("query")
    model = body.model or _first_encoder(models)
    for field in ("dimensions", "output_dimension"):
        _check_dimensions(field, getattr(body, field), model, models)
    truncate = body.truncate is not False and body.truncation is not False
    return EncodeRequest(model, _texts(body.input), _kind(is_query), deadline, truncate)


def cohere_embed_request(body: CohereEmbedBody, models: Models, deadline: float | None) -> EncodeRequest:
    """Returns the request to the service."""
    model = body.model or _first_encoder(models)
    _check_dimensions("output_dimension", body.output_dimension, model, models)
    read = models.encoder(model).info.max_tokens
    if body.max_tokens is not None and body.max_tokens < read:
        problem = f"{read} are read and fewer cannot be asked for; leave it out, or shorten the texts"
        raise InvalidArgument("max_tokens", problem)
    is_query = body.input_type == "search_query"
    return EncodeRequest(model, _texts(body.texts), _kind(is_query), deadline, body.truncate == "END")


def tei_embed_request(body: TeiEmbedBody, models: Models, deadline: float | None) -> EncodeRequest:
    """Returns the request to the service."""
    model = body.model or _first_encoder(models)
    _check_dimensions("dimensions", body.dimensions, model, models)
    is_query = body.prompt_name == "query"
    return EncodeRequest(model, _texts(body.inputs), _kind(is_query), deadline, body.truncate is not False)


def tei_sparse_request(body: TeiSparseBody, models: Models, deadline: float | None) -> EncodeRequest:
    """Returns the request to the service; raises InvalidArgument for a model that makes no sparse vectors."""
    sparse = [each.info.name for each in models if each.sparse_encoder]
    model = body.model or _served(next(iter(sparse), ""), "a SPLADE model")
    if not models.get(model).sparse_encoder:
        raise InvalidArgument("model", f"{model} makes no sparse vectors; these do: {', '.join(sparse) or 'none'}")
    is_query = body.prompt_name == "query"
    return EncodeRequest(model, _texts(body.inputs), _kind(is_query), deadline, body.truncate is not False)


def _texts(texts: Texts) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _kind(is_query: Any) -> TextKind:
    return TextKind.QUERY if is_query else TextKind.DOCUMENT


def _first_encoder(models: Models) -> str:
    """Returns the name of the first encoder on this machine, else of the first; raises InvalidArgument without one."""
    encoders = sorted((model for model in models if model.encoder), key=lambda model: model.remote is not None)
    return _served(encoders[0].info.name if encoders else "", "an encoder")


def _served(model: str, kind: str) -> str:
    """Returns the name of the model that serves a call without one. Raises InvalidArgument if it is empty."""
    if model:
        return model
    raise InvalidArgument(
        "model", f"is not given, and {kind} is not served; name the folder of one in HYBRIDRANK_SIDECAR_MODELS"
    )


def _check_dimensions(field: str, wanted: int | None, model: str, models: Models) -> None:
    dimensions = models.encoder(model).info.dimensions
    if wanted not in {None, dimensions}:
        raise InvalidArgument(field, f"{model} has {dimensions}; leave the field out")
