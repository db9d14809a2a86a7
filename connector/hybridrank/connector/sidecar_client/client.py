"""Client of the sidecar over gRPC: writes and reads messages, with a circuit breaker for the stages of a search."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Literal

from typing_extensions import Self

from hybridrank.common.counts import counted
from hybridrank.common.json_values import text_problem, with_replacements
from hybridrank.common.model_info import FeatureSetInfo, ModelInfo
from hybridrank.connector.errors import BadScores, InvalidRequest, SidecarTimeout, UnreadableText
from hybridrank.connector.sidecar_client.access import Access
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.sidecar_client.circuit import Circuits
from hybridrank.connector.sidecar_client.replicas import Replicas
from hybridrank.connector.sidecar_client.sparse_answers import sparse_vectors
from hybridrank.connector.types import DEFAULT_CHUNKS, Encoding, RelevanceScore, TokenFormat
from hybridrank.index_templates import EncoderNote
from hybridrank.sidecar.protocol import rerank_pb2 as wire
from hybridrank.sidecar.protocol import rerank_pb2_grpc as stubs

__all__ = ["FeatureSetInfo", "ModelInfo", "SidecarClient"]

_MAX_FLOAT32 = 3.4e38
_DESCRIBED_S = 60.0  # a model that was replaced meanwhile refuses vectors that are not its own


class SidecarClient:
    """An Encoder and a Rescorer for one or several sidecars: "host1:50051,host2:50051".

    A name may resolve to several addresses, as with a headless service. Calls alternate among all that answer; a failed
    one is skipped, and used again within a second of its return. `replicas.py` defines the retries, `breaker.py` when a
    stage is skipped at once (CircuitOpen): the encoding of queries and the rescoring, each separately; `models` and the
    encoding of documents are always tried.

    `ca_certs` (a PEM file of authorities), `client_cert` and `client_key` (PEM files for sidecars that check their
    callers), or `tls=True` with public authorities enable TLS. `api_key` is sent with every call, only over TLS or
    inside this machine unless `plaintext_api_key` allows more; it is never printed. The files are read once, at
    construction.

    With `no_cache` the sidecar computes every score and vector again, so that calls can be timed.

    Connects on the first call, in each event loop and each process. Raises BadAddress and BadAccess, and OSError for a
    file.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: bool = False,
        ca_certs: str | Path | None = None,
        client_cert: str | Path | None = None,
        client_key: str | Path | None = None,
        api_key: str | None = None,
        plaintext_api_key: bool = False,
        no_cache: bool = False,
    ) -> None:
        self.address = address
        self._no_cache = no_cache
        access = Access(
            tls=tls,
            ca_certs=ca_certs,
            client_cert=client_cert,
            client_key=client_key,
            api_key=api_key,
            plaintext_api_key=plaintext_api_key,
        )
        self._replicas = Replicas(address, access)
        self._circuits = Circuits()
        self._described: dict[str, tuple[ModelInfo, float]] = {}  # by name, and until when it counts

    def __repr__(self) -> str:
        return f"SidecarClient({self.address!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def encode(
        self, texts: Sequence[str], *, model: str, kind: Literal["query", "document"], timeout_s: float
    ) -> tuple[Encoding, ...]:
        """Returns one unit vector per text, in order. Raises SidecarError; BadScores if a query's has no direction."""

        def read(reply: wire.EncodeResponse) -> tuple[Encoding, ...]:
            return _vectors(reply, len(texts), directed=kind == "query")

        return await self._encode(texts, model, kind, timeout_s, "encode", read)

    async def encode_sparse(
        self, texts: Sequence[str], *, model: str, kind: Literal["query", "document"], timeout_s: float
    ) -> tuple[Encoding, ...]:
        """Returns one sparse vector per text, in order. Raises SidecarError, also for a model that makes none."""

        def read(reply: wire.EncodeResponse) -> tuple[Encoding, ...]:
            return sparse_vectors(reply, len(texts), _encoder(reply.model))

        return await self._encode(texts, model, kind, timeout_s, "encode sparse", read)

    async def _encode(
        self,
        texts: Sequence[str],
        model: str,
        kind: Literal["query", "document"],
        timeout_s: float,
        stage: str,
        read: Callable[[wire.EncodeResponse], tuple[Encoding, ...]],
    ) -> tuple[Encoding, ...]:
        """Encodes texts; only queries, for which a search waits, go through the circuit."""
        _check(model, _numbered(texts))
        text_kind = wire.TEXT_KIND_QUERY if kind == "query" else wire.TEXT_KIND_DOCUMENT
        request = wire.EncodeRequest(model=model, texts=texts, kind=text_kind, no_cache=self._no_cache)
        with self._circuits.of(stage, model).call(timeout_s) if kind == "query" else nullcontext():
            return await self._replicas.call(
                lambda channel: stubs.EncoderStub(channel).Encode, request, timeout_s, read
            )

    async def encode_tokens(
        self, texts: Sequence[str], *, model: str, token_vectors: TokenFormat, timeout_s: float
    ) -> tuple[Encoding, ...]:
        """Returns the packed token vectors of each document, in order; from an encoder, with its unit vector.

        Raises SidecarError.
        """
        _check(model, _numbered(texts))
        wanted = f"TOKEN_VECTORS_{token_vectors.upper()}"
        request = wire.EncodeRequest(model=model, texts=texts, kind=wire.TEXT_KIND_DOCUMENT, token_vectors=wanted)
        return await self._replicas.call(
            lambda channel: stubs.EncoderStub(channel).Encode,
            request,
            timeout_s,
            lambda response: _packed_vectors(response, len(texts)),
        )

    async def rescore(
        self,
        query_text: str,
        passages: Sequence[Passage],
        *,
        model: str,
        timeout_s: float,
        allow_partial: bool = False,
        max_chunks: int = DEFAULT_CHUNKS,
    ) -> tuple[RelevanceScore | None, ...]:
        """Returns one finite score per passage, in the order of `passages`. Raises SidecarError.

        A long text is read in up to `max_chunks` windows, the first of every text before any second one, as far as time
        allows. With `allow_partial`, None for a passage that was not scored in time; at least one has a score.
        """
        candidates = [
            wire.Candidate(id=passage.doc_id, token_vectors=passage.token_vectors)
            if passage.token_vectors
            else wire.Candidate(id=passage.doc_id, text=with_replacements(passage.text))
            for passage in passages
        ]
        _check(model, {"query": query_text})
        options = wire.RerankOptions(best_effort=allow_partial, max_chunks_per_document=max_chunks)
        request = wire.RerankRequest(
            model=model, query=query_text, candidates=candidates, options=options, no_cache=self._no_cache
        )
        return await self._rerank(request, timeout_s)

    async def rescore_features(
        self,
        rows: Sequence[Sequence[float]],
        *,
        feature_set_digest: str,
        model: str,
        timeout_s: float,
        allow_partial: bool = False,
        contributions: bool = False,
    ) -> tuple[RelevanceScore | None, ...]:
        """Returns one finite score per row, in the order of `rows`, by a lambdamart model. Raises SidecarError.

        A row has a value for each feature of the set that `feature_set_digest` identifies, NaN if missing; the sidecar
        refuses rows of another set than the model's. With `contributions` a score includes the contribution of each
        feature, which takes some hundred times the work. `allow_partial` as for `rescore`.
        """
        options = wire.RerankOptions(best_effort=allow_partial, contributions=contributions)
        candidates = [wire.Candidate(features=row) for row in rows]
        return await self._rerank(
            wire.RerankRequest(
                model=model, candidates=candidates, options=options, feature_set_digest=feature_set_digest
            ),
            timeout_s,
        )

    async def _rerank(self, request: wire.RerankRequest, timeout_s: float) -> tuple[RelevanceScore | None, ...]:
        def read(response: wire.RerankResponse) -> tuple[RelevanceScore | None, ...]:
            partial = request.options.best_effort and not response.complete
            scores = aligned(response.results, len(request.candidates), partial=partial)
            if response.model.digest:
                self._keep(request.model, _model(response.model))
            return scores

        with self._circuits.of("rescore", request.model).call(timeout_s):
            return await self._replicas.call(
                lambda channel: stubs.RerankerStub(channel).Rerank, request, timeout_s, read
            )

    async def model(self, name: str, *, timeout_s: float) -> ModelInfo:
        """Returns the model that answers to the name, as the sidecar, or a reply, described it in the last minute.

        Raises SidecarError.
        """
        info, until = self._described.get(name, (None, 0.0))
        if info and monotonic() < until:
            return info
        with self._circuits.of("rescore", name).call(timeout_s):
            info = await self._replicas.call(
                lambda channel: stubs.ModelRegistryStub(channel).Get,
                wire.GetModelRequest(model=name),
                timeout_s,
                _model,
            )
        self._keep(name, info)
        return info

    def _keep(self, name: str, info: ModelInfo) -> None:
        self._described[name] = info, monotonic() + _DESCRIBED_S

    async def models(self, *, timeout_s: float = 5.0) -> tuple[ModelInfo, ...]:
        """Returns the loaded models. Raises SidecarError."""
        return await self._replicas.call(
            lambda channel: stubs.ModelRegistryStub(channel).List, wire.ListModelsRequest(), timeout_s, _models
        )

    async def load_model(self, path: str, *, timeout_s: float = 120.0) -> ModelInfo:
        """Makes the sidecar load a model folder from its own disk and use it for the model's name.

        For one sidecar: with several, call each by its address. Raises SidecarError, with the reason of a refusal.
        """
        request = wire.LoadModelRequest(path=path)
        return await self._replicas.call(
            lambda channel: stubs.ModelRegistryStub(channel).Load, request, timeout_s, _model
        )

    async def unload_model(self, model: str, *, timeout_s: float = 5.0) -> tuple[ModelInfo, ...]:
        """Makes one sidecar, as in `load_model`, unload a name or name:version; returns the unloaded models."""
        request = wire.UnloadModelRequest(model=model)
        return await self._replicas.call(
            lambda channel: stubs.ModelRegistryStub(channel).Unload, request, timeout_s, _models
        )

    async def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        await self._replicas.close()


def _model(each: wire.Model) -> ModelInfo:
    return ModelInfo(
        name=each.name,
        version=each.version,
        kind=each.kind,
        digest=each.digest,
        precision=each.precision,
        max_tokens=each.max_tokens,
        dimensions=each.dimensions,
        aliases=tuple(each.aliases),
        feature_set=_feature_set(each.feature_set) if each.HasField("feature_set") else None,
        token_codec=each.token_codec,
        calibration=each.calibration,
        pooling=each.pooling,
        query_prefix=each.query_prefix,
        document_prefix=each.document_prefix,
        comparable_digests=tuple(each.comparable_digests),
        languages=tuple(each.languages),
        blend_weight=each.blend_weight if 0 < each.blend_weight <= 1 else None,  # 0 says that there is none
    )


def _models(response: Any) -> tuple[ModelInfo, ...]:
    return tuple(map(_model, response.models))


def _vectors(response: Any, count: int, *, directed: bool) -> tuple[Encoding, ...]:
    if len(response.embeddings) != count:
        raise BadScores(f"{counted(len(response.embeddings), 'vector')} for {counted(count, 'text')}")
    if directed and not all(_has_direction(each.vector) for each in response.embeddings):
        raise BadScores("a vector of zeros, or with values that are not finite or too large")
    made_by = _encoder(response.model)
    return tuple(Encoding(tuple(each.vector), each.truncated, encoder=made_by) for each in response.embeddings)


def _packed_vectors(response: Any, count: int) -> tuple[Encoding, ...]:
    packed = [each.token_vectors for each in response.embeddings]
    if len(packed) != count or not all(packed):
        raise BadScores(f"packed token vectors for {sum(map(bool, packed))} of {counted(count, 'text')}")
    made_by = _encoder(response.model)
    return tuple(
        Encoding(tuple(each.vector), each.truncated, each.token_vectors, made_by) for each in response.embeddings
    )


def _encoder(each: wire.Model) -> EncoderNote | None:
    """Returns the encoder of a reply; None if it does not identify its vectors."""
    return _model(each).encoder if each.digest else None


def _has_direction(vector: Sequence[float]) -> bool:
    """False for a zero vector, and if the squared length is NaN or exceeds float32, which engines use for it."""
    return 0 < sum(value * value for value in vector) <= _MAX_FLOAT32


def _feature_set(each: wire.FeatureSet) -> FeatureSetInfo:
    return FeatureSetInfo(each.name, each.version, each.digest, tuple(each.features))


def _numbered(texts: Sequence[str]) -> dict[str, str]:
    return {f"texts[{place}]": text for place, text in enumerate(texts)}


def _check(model: str, texts: Mapping[str, str]) -> None:
    """Raises InvalidRequest, or UnreadableText with the text's name, for text that is not valid UTF-8."""
    if problem := text_problem(model):
        raise InvalidRequest(f"model: {problem}")
    for name, text in texts.items():
        if problem := text_problem(text):
            raise UnreadableText(f"{name}: {problem}")


def aligned(results: Sequence[Any], count: int, *, partial: bool = False) -> tuple[RelevanceScore | None, ...]:
    """Returns the scores of a reply by input index, in any reply order; None for those missing in a partial reply.

    Raises BadScores, and SidecarTimeout for a partial reply without any score.
    """
    by_index: dict[int, RelevanceScore] = {}
    for each in results:
        if each.index >= count or each.index in by_index:
            raise BadScores(f"index {each.index} is unknown or came twice in a reply for {count} candidates")
        if not math.isfinite(each.relevance_score):
            raise BadScores(f"candidate {each.index} scored {each.relevance_score}")
        by_index[each.index] = RelevanceScore(
            each.relevance_score,
            each.truncated,
            tuple(each.contributions),
            each.best_chunk if each.HasField("best_chunk") else None,
            each.scored_chunks,
        )
    if count and partial and not by_index:
        raise SidecarTimeout(f"none of {counted(count, 'candidate')} was scored in time")
    if len(by_index) != count and not partial:
        raise BadScores(f"{counted(len(by_index), 'score')} for {counted(count, 'candidate')}")
    return tuple(by_index.get(place) for place in range(count))
