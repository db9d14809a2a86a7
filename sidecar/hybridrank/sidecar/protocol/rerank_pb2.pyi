from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChunkScore(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHUNK_SCORE_MAX: _ClassVar[ChunkScore]
    CHUNK_SCORE_FIRST: _ClassVar[ChunkScore]
    CHUNK_SCORE_MEAN: _ClassVar[ChunkScore]

class ScoreType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCORE_TYPE_RAW: _ClassVar[ScoreType]
    SCORE_TYPE_SIGMOID: _ClassVar[ScoreType]
    SCORE_TYPE_CALIBRATED: _ClassVar[ScoreType]

class TokenVectors(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_VECTORS_NONE: _ClassVar[TokenVectors]
    TOKEN_VECTORS_FP32: _ClassVar[TokenVectors]
    TOKEN_VECTORS_FP16: _ClassVar[TokenVectors]
    TOKEN_VECTORS_INT8: _ClassVar[TokenVectors]
    TOKEN_VECTORS_RESIDUAL: _ClassVar[TokenVectors]

class TextKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_KIND_QUERY: _ClassVar[TextKind]
    TEXT_KIND_DOCUMENT: _ClassVar[TextKind]
CHUNK_SCORE_MAX: ChunkScore
CHUNK_SCORE_FIRST: ChunkScore
CHUNK_SCORE_MEAN: ChunkScore
SCORE_TYPE_RAW: ScoreType
SCORE_TYPE_SIGMOID: ScoreType
SCORE_TYPE_CALIBRATED: ScoreType
TOKEN_VECTORS_NONE: TokenVectors
TOKEN_VECTORS_FP32: TokenVectors
TOKEN_VECTORS_FP16: TokenVectors
TOKEN_VECTORS_INT8: TokenVectors
TOKEN_VECTORS_RESIDUAL: TokenVectors
TEXT_KIND_QUERY: TextKind
TEXT_KIND_DOCUMENT: TextKind

class RerankRequest(_message.Message):
    __slots__ = ("model", "query", "candidates", "top_k", "options", "feature_set_digest", "no_cache")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SET_DIGEST_FIELD_NUMBER: _ClassVar[int]
    NO_CACHE_FIELD_NUMBER: _ClassVar[int]
    model: str
    query: str
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    top_k: int
    options: RerankOptions
    feature_set_digest: str
    no_cache: bool
    def __init__(self, model: _Optional[str] = ..., query: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., top_k: _Optional[int] = ..., options: _Optional[_Union[RerankOptions, _Mapping]] = ..., feature_set_digest: _Optional[str] = ..., no_cache: _Optional[bool] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("id", "text", "features", "token_vectors")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_VECTORS_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    features: _containers.RepeatedScalarFieldContainer[float]
    token_vectors: bytes
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., features: _Optional[_Iterable[float]] = ..., token_vectors: _Optional[bytes] = ...) -> None: ...

class RerankOptions(_message.Message):
    __slots__ = ("score_type", "min_score", "best_effort", "max_chunks_per_document", "chunk_score", "contributions")
    SCORE_TYPE_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    BEST_EFFORT_FIELD_NUMBER: _ClassVar[int]
    MAX_CHUNKS_PER_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_SCORE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    score_type: ScoreType
    min_score: float
    best_effort: bool
    max_chunks_per_document: int
    chunk_score: ChunkScore
    contributions: bool
    def __init__(self, score_type: _Optional[_Union[ScoreType, str]] = ..., min_score: _Optional[float] = ..., best_effort: _Optional[bool] = ..., max_chunks_per_document: _Optional[int] = ..., chunk_score: _Optional[_Union[ChunkScore, str]] = ..., contributions: _Optional[bool] = ...) -> None: ...

class RerankResponse(_message.Message):
    __slots__ = ("results", "model", "timings", "complete", "scored_chunks")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    SCORED_CHUNKS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RerankResult]
    model: Model
    timings: Timings
    complete: bool
    scored_chunks: int
    def __init__(self, results: _Optional[_Iterable[_Union[RerankResult, _Mapping]]] = ..., model: _Optional[_Union[Model, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., complete: _Optional[bool] = ..., scored_chunks: _Optional[int] = ...) -> None: ...

class RerankResult(_message.Message):
    __slots__ = ("id", "index", "relevance_score", "truncated", "best_chunk", "contributions", "scored_chunks")
    ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RELEVANCE_SCORE_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    BEST_CHUNK_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    SCORED_CHUNKS_FIELD_NUMBER: _ClassVar[int]
    id: str
    index: int
    relevance_score: float
    truncated: bool
    best_chunk: int
    contributions: _containers.RepeatedScalarFieldContainer[float]
    scored_chunks: int
    def __init__(self, id: _Optional[str] = ..., index: _Optional[int] = ..., relevance_score: _Optional[float] = ..., truncated: _Optional[bool] = ..., best_chunk: _Optional[int] = ..., contributions: _Optional[_Iterable[float]] = ..., scored_chunks: _Optional[int] = ...) -> None: ...

class EncodeRequest(_message.Message):
    __slots__ = ("model", "texts", "kind", "token_vectors", "no_cache")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TOKEN_VECTORS_FIELD_NUMBER: _ClassVar[int]
    NO_CACHE_FIELD_NUMBER: _ClassVar[int]
    model: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    kind: TextKind
    token_vectors: TokenVectors
    no_cache: bool
    def __init__(self, model: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ..., kind: _Optional[_Union[TextKind, str]] = ..., token_vectors: _Optional[_Union[TokenVectors, str]] = ..., no_cache: _Optional[bool] = ...) -> None: ...

class EncodeResponse(_message.Message):
    __slots__ = ("embeddings", "model", "timings")
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    embeddings: _containers.RepeatedCompositeFieldContainer[Embedding]
    model: Model
    timings: Timings
    def __init__(self, embeddings: _Optional[_Iterable[_Union[Embedding, _Mapping]]] = ..., model: _Optional[_Union[Model, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class Embedding(_message.Message):
    __slots__ = ("vector", "truncated", "token_vectors", "sparse")
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_VECTORS_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    vector: _containers.RepeatedScalarFieldContainer[float]
    truncated: bool
    token_vectors: bytes
    sparse: SparseVector
    def __init__(self, vector: _Optional[_Iterable[float]] = ..., truncated: _Optional[bool] = ..., token_vectors: _Optional[bytes] = ..., sparse: _Optional[_Union[SparseVector, _Mapping]] = ...) -> None: ...

class SparseVector(_message.Message):
    __slots__ = ("tokens", "weights")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, tokens: _Optional[_Iterable[str]] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class LoadModelRequest(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class UnloadModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class UnloadModelResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "kind", "digest", "precision", "max_tokens", "dimensions", "aliases", "feature_set", "token_codec", "calibration", "pooling", "query_prefix", "document_prefix", "comparable_digests", "languages", "blend_weight")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SET_FIELD_NUMBER: _ClassVar[int]
    TOKEN_CODEC_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    POOLING_FIELD_NUMBER: _ClassVar[int]
    QUERY_PREFIX_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_PREFIX_FIELD_NUMBER: _ClassVar[int]
    COMPARABLE_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    BLEND_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    kind: str
    digest: str
    precision: str
    max_tokens: int
    dimensions: int
    aliases: _containers.RepeatedScalarFieldContainer[str]
    feature_set: FeatureSet
    token_codec: str
    calibration: str
    pooling: str
    query_prefix: str
    document_prefix: str
    comparable_digests: _containers.RepeatedScalarFieldContainer[str]
    languages: _containers.RepeatedScalarFieldContainer[str]
    blend_weight: float
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., kind: _Optional[str] = ..., digest: _Optional[str] = ..., precision: _Optional[str] = ..., max_tokens: _Optional[int] = ..., dimensions: _Optional[int] = ..., aliases: _Optional[_Iterable[str]] = ..., feature_set: _Optional[_Union[FeatureSet, _Mapping]] = ..., token_codec: _Optional[str] = ..., calibration: _Optional[str] = ..., pooling: _Optional[str] = ..., query_prefix: _Optional[str] = ..., document_prefix: _Optional[str] = ..., comparable_digests: _Optional[_Iterable[str]] = ..., languages: _Optional[_Iterable[str]] = ..., blend_weight: _Optional[float] = ...) -> None: ...

class FeatureSet(_message.Message):
    __slots__ = ("name", "version", "digest", "features")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    digest: str
    features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("tokenize_ms", "queue_ms", "compute_ms")
    TOKENIZE_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    tokenize_ms: float
    queue_ms: float
    compute_ms: float
    def __init__(self, tokenize_ms: _Optional[float] = ..., queue_ms: _Optional[float] = ..., compute_ms: _Optional[float] = ...) -> None: ...
