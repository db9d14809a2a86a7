"""The library that an application imports: BM25 and kNN in one round trip, fused, and rescored by the sidecar.

>>> SearchRequest(index="docs", query_text="parse a date").rank_window_size
100
"""

from hybridrank.connector.engines.connect import connect_engine
from hybridrank.connector.errors import (
    BadAccess,
    BadAddress,
    BadScores,
    CircuitOpen,
    ConnectorError,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    HybridrankError,
    IndexMissing,
    InvalidRequest,
    Misconfigured,
    ModelMissing,
    NotASidecar,
    SearchFailed,
    SidecarError,
    SidecarFailed,
    SidecarMissing,
    SidecarOverloaded,
    SidecarRefused,
    SidecarTimeout,
    SidecarUnreachable,
    UnreadableText,
)
from hybridrank.connector.fusion import Rrf, WeightedSum
from hybridrank.connector.queries.filters import Not, Range, Term, Terms
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.search import HybridSearch
from hybridrank.connector.sidecar_client.client import FeatureSetInfo, ModelInfo, SidecarClient
from hybridrank.connector.stages import FeatureRescore, QueryRescore, Rescore
from hybridrank.connector.stages.feature_log import FeatureLog
from hybridrank.connector.sync import SyncHybridSearch
from hybridrank.connector.total_hits import TotalHits
from hybridrank.connector.types import (
    Candidate,
    Degraded,
    Document,
    Hit,
    RelevanceScore,
    RetrieverScore,
    SearchResponse,
    Timings,
)

__all__ = [
    "BadAccess",
    "BadAddress",
    "BadScores",
    "Candidate",
    "CircuitOpen",
    "ConnectorError",
    "Degraded",
    "Document",
    "EngineError",
    "EngineTimeout",
    "EngineUnreachable",
    "FeatureLog",
    "FeatureRescore",
    "FeatureSetInfo",
    "Hit",
    "HybridSearch",
    "HybridrankError",
    "IndexMissing",
    "InvalidRequest",
    "Misconfigured",
    "ModelInfo",
    "ModelMissing",
    "Not",
    "NotASidecar",
    "QueryRescore",
    "Range",
    "RelevanceScore",
    "Rescore",
    "RetrieverScore",
    "Rrf",
    "SearchFailed",
    "SearchRequest",
    "SearchResponse",
    "SidecarClient",
    "SidecarError",
    "SidecarFailed",
    "SidecarMissing",
    "SidecarOverloaded",
    "SidecarRefused",
    "SidecarTimeout",
    "SidecarUnreachable",
    "SyncHybridSearch",
    "Term",
    "Terms",
    "Timings",
    "TotalHits",
    "UnreadableText",
    "WeightedSum",
    "connect_engine",
]
