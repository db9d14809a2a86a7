"""An encoder that is served elsewhere: one unit vector per text."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.endpoints import Endpoint
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.remote.answers import vectors_in_order
from hybridrank.sidecar.remote.api import Embed
from hybridrank.sidecar.remote.folder import remote_folder, remote_info
from hybridrank.sidecar.remote.model import Exchange, RemoteModel
from hybridrank.sidecar.remote.remote_toml import RemoteEncoderToml
from hybridrank.sidecar.remote.texts import TextPart, cut
from hybridrank.sidecar.rerankers.base import Reranker, Scored, Scoring
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant
from hybridrank.sidecar.runtime.precision import Wanted
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import RerankRequest, TextKind

__all__ = ["RemoteEncoder", "variants"]


class RemoteEncoder:
    """Vectors are compared by cosine, which is their dot product because they get unit length here."""

    batches = True

    def __init__(self, toml: RemoteEncoderToml, api: Embed, endpoint: Callable[[], Endpoint]) -> None:
        self._toml = toml
        for_queries, for_documents = api.input_types
        self._input_types = (toml.query_input_type or for_queries, toml.document_input_type or for_documents)
        self.info = remote_info(toml, **toml.model_dump(include={"dimensions", "query_prefix", "document_prefix"}))
        self.remote = RemoteModel(toml, endpoint, partial(_ask, toml, api))

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """Puts the prefix before each text, and cuts it to the context."""
        toml, is_query = self._toml, kind is TextKind.QUERY
        prefix = toml.query_prefix if is_query else toml.document_prefix
        input_type = self._input_types[0] if is_query else self._input_types[1]
        return [cut(prefix + text, toml.max_tokens, 1, input_type=input_type)[0] for text in texts]

    def embed(self, sequences: Sequence[TokenSequence]) -> FloatArray:
        """Returns (n, dimensions) unit rows of texts of one kind; waits for the answer."""
        return self.remote.compute_now(sequences)

    def embed_with_tokens(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:  # noqa: ARG002
        """Raises InvalidArgument: APIs return no token vectors."""
        raise InvalidArgument("model", f"{self.info.name} is a {self.info.kind}, which makes no token vectors")


class NoReranker(Reranker):
    """An encoder of whole texts does not rerank: the engine compares its vectors."""

    def __init__(self, info: ModelInfo) -> None:
        self.info = info

    async def scores(self, request: RerankRequest, scoring: Scoring) -> Scored:  # noqa: ARG002
        """Raises InvalidArgument."""
        raise InvalidArgument("model", f"{self.info.name} is a {self.info.kind}, which only encodes; name a reranker")

    def self_check(self) -> str | None:
        """Finds no problem."""
        return None


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """The kind `remote-encoder`."""
    toml, api, endpoint = remote_folder(path, RemoteEncoderToml, wanted.remotes)
    if api.embed is None:
        raise BadModelFolder(path, f"model.toml: api {toml.api!r} does not encode")
    if (toml.query_input_type or toml.document_input_type) and not api.embed.takes_input_types:
        raise BadModelFolder(path, f"model.toml: api {toml.api!r} has no input types; write prefixes instead")
    for prefix in (toml.query_prefix, toml.document_prefix):
        if len(cut(prefix, toml.max_tokens, 1)[0]) > toml.max_tokens // 2:
            raise BadModelFolder(path, "model.toml: a prefix takes more than half of max_tokens; shorten it")
    encoder = RemoteEncoder(toml, api.embed, endpoint)
    return [Variant(encoder.info, partial(_load, encoder), "remote")]


def _load(encoder: RemoteEncoder) -> LoadedModel:
    return LoadedModel(encoder.info, NoReranker(encoder.info), encoder, remote=encoder.remote)


def _ask(toml: RemoteEncoderToml, api: Embed, parts: Sequence[TextPart]) -> Exchange:
    (input_type,) = {part.input_type for part in parts}
    texts = [part.text or " " for part in parts]  # some APIs refuse an empty text
    body, count = api.body(toml, texts, input_type), len(texts)
    return Exchange(
        api.path,
        toml.answers_as or toml.model,
        body,
        count,
        count * toml.dimensions,
        lambda answer: vectors_in_order(api.vectors(answer), count, toml.dimensions),
    )
