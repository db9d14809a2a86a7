"""What the sidecar counts, in Prometheus' words. Labels hold names of methods and models, never words of a user."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sidecar.batching.worker import BatchTotals
from sidecar.cache import RowCache
from sidecar.types import EncodeResult, ModelInfo, RerankResult

PREFIX = "hybridrank_sidecar"

# From one short text on a fast core to the longest request that anybody waits for.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Watched:
    """What is read when the page is asked for, rather than counted as it happens."""

    models: Callable[[], Iterable[ModelInfo]]
    queued_tokens: Callable[[], int]
    batches: Callable[[], BatchTotals]
    cache: Callable[[], RowCache]


class Metrics:
    """The counters of one sidecar, in a registry of their own. `docs/sidecar.md` has a row for each."""

    def __init__(self, watched: Watched) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            f"{PREFIX}_requests",
            "Calls by wire (grpc, http), method and how they ended: "
            "ok, partial, refused, expired, cancelled, failed, invalid.",
            ("wire", "method", "outcome"),
            registry=self.registry,
        )
        self.running = Gauge(f"{PREFIX}_running_requests", "Calls under way.", ("wire",), registry=self.registry)
        self._seconds = Histogram(
            f"{PREFIX}_stage_seconds",
            "Where the time of an answered call went: tokenize, queue (until its first batch), compute.",
            ("method", "stage"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._texts = Histogram(
            f"{PREFIX}_request_texts",
            "Passages or texts in an answered call.",
            ("method",),
            buckets=TEXTS,
            registry=self.registry,
        )
        self._truncated = Counter(
            f"{PREFIX}_truncated_texts",
            "Texts in answers of which the model saw only the beginning.",
            ("model",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(_Watcher(watched))

    def reranked(self, passages: int, result: RerankResult) -> None:
        """Note an answer to a request with so many passages."""
        self._answered("Rerank", passages, result, sum(score.truncated for score in result.scores))

    def encoded(self, result: EncodeResult) -> None:
        """Note an answer."""
        self._answered("Encode", len(result.embeddings), result, sum(one.truncated for one in result.embeddings))

    def _answered(self, method: str, texts: int, result: RerankResult | EncodeResult, truncated: int) -> None:
        timings = result.timings
        for stage, milliseconds in (
            ("tokenize", timings.tokenize_ms),
            ("queue", timings.queue_ms),
            ("compute", timings.compute_ms),
        ):
            self._seconds.labels(method, stage).observe(milliseconds / 1000)
        self._texts.labels(method).observe(texts)
        self._truncated.labels(result.model.name).inc(truncated)


class _Watcher(Collector):
    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        queue = GaugeMetricFamily(f"{PREFIX}_queue_tokens", "Tokens that were let in and have not begun.")
        queue.add_metric((), self._watched.queued_tokens())
        yield queue
        totals, cache = self._watched.batches(), self._watched.cache()
        for name, meaning, value in (
            ("batches", "Batches that went to a model.", totals.batches),
            ("batch_texts", "Texts in those; by the number of batches, the size of one.", totals.texts),
            ("batch_tokens", "Their tokens.", totals.tokens),
            ("batch_padded_tokens", "Tokens computed for them, padding included.", totals.padded_tokens),
            ("stuck_batches", "Batches that were given up because they did not end.", totals.stuck),
            ("cache_hits", "Texts whose score or vector was in the cache.", cache.hits),
            ("cache_misses", "Texts whose score or vector was not; the two are 0 without a cache.", cache.misses),
        ):
            counter = CounterMetricFamily(f"{PREFIX}_{name}", meaning)
            counter.add_metric((), value)
            yield counter
        used = GaugeMetricFamily(f"{PREFIX}_cache_bytes", "What the cache holds.")
        used.add_metric((), cache.used_bytes)
        yield used
        labels = ("name", "version", "kind", "digest", "precision")
        models = GaugeMetricFamily(f"{PREFIX}_model_info", "A loaded model; always 1.", labels=labels)
        for info in self._watched.models():
            models.add_metric([str(getattr(info, label)) for label in labels], 1)
        yield models
