"""Real OpenSearch and Elasticsearch nodes on this machine, without Docker: pinned jars, a JDK, a folder.

>>> from hybridrank import local_engines
>>> with local_engines.start("opensearch") as engine:  # doctest: +SKIP
...     print(engine.url)
"""

from hybridrank.local_engines.engines import (
    ENGINES,
    HEAP_MB,
    LocalEngine,
    StartedEngine,
    detached,
    running,
    start,
    start_detached,
    stop_detached,
)
from hybridrank.local_engines.errors import ChecksumMismatch, DownloadFailed, JdkMissing, LocalEngineError, NodeFailed

__all__ = [
    "ENGINES",
    "HEAP_MB",
    "ChecksumMismatch",
    "DownloadFailed",
    "JdkMissing",
    "LocalEngine",
    "LocalEngineError",
    "NodeFailed",
    "StartedEngine",
    "detached",
    "running",
    "start",
    "start_detached",
    "stop_detached",
]
