"""Messages of rerank.proto ⇄ the sidecar's own types. Pure; the server's side of the protocol."""

import math

from hybridrank.common.model_info import FeatureSetInfo, ModelInfo
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.types import (
    DEFAULT_CHUNKS,
    MAX_CHUNKS,
    CallTimings,
    ChunkScore,
    EncodeRequest,
    EncodeResult,
    RerankPassage,
    RerankRequest,
    RerankResult,
    ScoreType,
    TextKind,
)

SCORE_TYPES = {
    pb.SCORE_TYPE_RAW: ScoreType.RAW,
    pb.SCORE_TYPE_SIGMOID: ScoreType.SIGMOID,
    pb.SCORE_TYPE_CALIBRATED: ScoreType.CALIBRATED,
}
CHUNK_SCORES = {
    pb.CHUNK_SCORE_MAX: ChunkScore.MAX,
    pb.CHUNK_SCORE_FIRST: ChunkScore.FIRST,
    pb.CHUNK_SCORE_MEAN: ChunkScore.MEAN,
}
TEXT_KINDS = {pb.TEXT_KIND_QUERY: TextKind.QUERY, pb.TEXT_KIND_DOCUMENT: TextKind.DOCUMENT}

TOKEN_VECTORS = {
    pb.TOKEN_VECTORS_NONE: "",
    pb.TOKEN_VECTORS_FP32: "fp32",
    pb.TOKEN_VECTORS_FP16: "fp16",
    pb.TOKEN_VECTORS_INT8: "int8",
    pb.TOKEN_VECTORS_RESIDUAL: "residual",
}


def rerank_request(message: pb.RerankRequest, deadline: float | None = None) -> RerankRequest:
    """Decodes a request; raises InvalidArgument for an unknown score type, a NaN threshold, or too many windows."""
    options = message.options
    if options.score_type not in SCORE_TYPES:
        raise InvalidArgument("options.score_type", f"is {options.score_type}; known are {_known(pb.ScoreType)}")
    if options.chunk_score not in CHUNK_SCORES:
        raise InvalidArgument("options.chunk_score", f"is {options.chunk_score}; known are {_known(pb.ChunkScore)}")
    if math.isnan(options.min_score):
        raise InvalidArgument("options.min_score", "is not a number; leave it out to get every result")
    chunks = options.max_chunks_per_document or DEFAULT_CHUNKS
    if chunks > MAX_CHUNKS:
        problem = f"is {chunks}; send at most {MAX_CHUNKS}, or 0 for up to {DEFAULT_CHUNKS}"
        raise InvalidArgument("options.max_chunks_per_document", problem)
    return RerankRequest(
        model=message.model,
        query=message.query,
        passages=tuple(
            RerankPassage(each.id, each.text, tuple(each.features[:]), each.token_vectors)
            for each in message.candidates
        ),
        top_k=message.top_k,
        score_type=SCORE_TYPES[options.score_type],
        min_score=options.min_score if options.HasField("min_score") else None,
        best_effort=options.best_effort,
        max_chunks_per_document=chunks,
        chunk_score=CHUNK_SCORES[options.chunk_score],
        feature_set_digest=message.feature_set_digest,
        contributions=options.contributions,
        deadline=deadline,
        no_cache=message.no_cache,
    )


def rerank_response(result: RerankResult) -> pb.RerankResponse:
    """Encodes a result."""
    return pb.RerankResponse(
        results=[
            pb.RerankResult(
                id=score.passage_id,
                index=score.index,
                relevance_score=score.relevance_score,
                truncated=score.truncated,
                best_chunk=score.best_chunk,
                contributions=score.contributions,
                scored_chunks=score.scored_chunks,
            )
            for score in result.scores
        ],
        model=model(result.model),
        timings=_timings(result.timings),
        complete=result.complete,
        scored_chunks=result.scored_chunks,
    )


def encode_request(message: pb.EncodeRequest, deadline: float | None = None) -> EncodeRequest:
    """Decodes a request; raises InvalidArgument for an unknown kind of text."""
    if message.kind not in TEXT_KINDS:
        raise InvalidArgument("kind", f"is {message.kind}; known are {_known(pb.TextKind)}")
    if message.token_vectors not in TOKEN_VECTORS:
        raise InvalidArgument("token_vectors", f"is {message.token_vectors}; known are {_known(pb.TokenVectors)}")
    return EncodeRequest(
        message.model,
        tuple(message.texts),
        TEXT_KINDS[message.kind],
        deadline,
        token_vectors=TOKEN_VECTORS[message.token_vectors],
        no_cache=message.no_cache,
    )


def encode_response(result: EncodeResult) -> pb.EncodeResponse:
    """Encodes a result."""
    return pb.EncodeResponse(
        embeddings=[
            pb.Embedding(
                vector=one.vector,
                truncated=one.truncated,
                token_vectors=one.token_vectors,
                sparse=pb.SparseVector(tokens=one.sparse.tokens, weights=one.sparse.weights) if one.sparse else None,
            )
            for one in result.embeddings
        ],
        model=model(result.model),
        timings=_timings(result.timings),
    )


def model(info: ModelInfo) -> pb.Model:
    """Encodes the information about a model that callers may see."""
    return pb.Model(
        name=info.name,
        version=info.version,
        kind=info.kind,
        digest=info.digest,
        precision=info.precision,
        max_tokens=info.max_tokens,
        dimensions=info.dimensions,
        aliases=info.aliases,
        feature_set=feature_set(info.feature_set) if info.feature_set else None,
        token_codec=info.token_codec,
        calibration=info.calibration,
        pooling=info.pooling,
        query_prefix=info.query_prefix,
        document_prefix=info.document_prefix,
        comparable_digests=info.comparable_digests,
        languages=info.languages,
        blend_weight=info.blend_weight or 0,
    )


def feature_set(info: FeatureSetInfo) -> pb.FeatureSet:
    """Encodes the information about a model's columns that callers may see."""
    return pb.FeatureSet(name=info.name, version=info.version, digest=info.digest, features=info.features)


def _timings(timings: CallTimings) -> pb.Timings:
    return pb.Timings(tokenize_ms=timings.tokenize_ms, queue_ms=timings.queue_ms, compute_ms=timings.compute_ms)


def _known(enum: type[pb.ScoreType] | type[pb.ChunkScore] | type[pb.TextKind] | type[pb.TokenVectors]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in enum.items())
