"""Values and defaults of options without their libraries, so that --help is fast; a test compares both."""

from typing import Literal, TypeAlias

CalibrationMethod: TypeAlias = Literal["temperature", "isotonic"]
FusedBy: TypeAlias = Literal["client", "native"]
Merge: TypeAlias = Literal["majority", "mean", "lowest", "highest"]
Precision: TypeAlias = Literal["auto", "int8", "fp32"]
TokenFormat: TypeAlias = Literal["fp32", "fp16", "int8", "residual"]
TokenChoice: TypeAlias = Literal[TokenFormat, "none"]

BASELINE_RANKERS = ("linear", "ranknet", "lambdarank", "listnet")
CODEC_DOCUMENTS = 300
DEFAULT_CHUNKS = 4
ENGINE_HEAP_MB = 768
FILTER_SYNTAX = "FIELD=VALUE, FIELD=A,B, FIELD!=VALUE, FIELD>=N, FIELD>N, FIELD<=N or FIELD<N"
LEAST_SHARE = 0.9
MAX_CHUNKS = 100
STANDARD_MEASURES = ("ndcg@10", "rr@10", "r@100", "judged@10")
STANDARD_PIPELINES = ("bm25", "knn", "rrf", "rrf+colbert", "rrf+cross-encoder", "rrf+nano")
