"""The library an application imports: BM25 and kNN in one round trip, fused, rescored by the sidecar.

>>> SearchRequest(index="docs", query_text="parse a date").rank_window_size
100
"""

from connector.engines.connect import connect_engine
from connector.errors import (
    BadAccess,
    BadAddress,
    BadScores,
    CircuitOpen,
    ConnectorError,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
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
from connector.fusion import Rrf, WeightedSum
from connector.request import FeatureRescore, QueryRescore, Rescore, SearchRequest
from connector.rescore.client import FeatureSetInfo, ModelInfo, SidecarClient
from connector.rescore.feature_log import FeatureLog
from connector.search import HybridSearch
from connector.sync import SyncHybridSearch
from connector.total_hits import TotalHits
from connector.types import (
    Candidate,
    Degraded,
    Document,
    Hit,
    Not,
    Range,
    RelevanceScore,
    RetrieverScore,
    SearchResponse,
    Term,
    Terms,
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
