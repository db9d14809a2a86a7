"""Metrics of the sidecar for Prometheus. Labels contain names of methods and models, never text of a user."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hybridrank.common.model_info import ModelInfo
from hybridrank.sidecar.batching.worker import BatchTotals
from hybridrank.sidecar.remote.client import OUTCOMES
from hybridrank.sidecar.remote.model import RemoteModel
from hybridrank.sidecar.scoring.row_cache import RowCache
from hybridrank.sidecar.types import EncodeResult, RerankResult

PREFIX = "hybridrank_sidecar"

# From one short text on a fast core to the longest request that anybody waits for.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Watched:
    """Values that are read when the page is requested, instead of counted as they occur."""

    models: Callable[[], Iterable[ModelInfo]]
    queued_tokens: Callable[[], int]
    batches: Callable[[], BatchTotals]
    cache: Callable[[], RowCache]
    not_ready: Callable[[], Iterable[str]]
    certificate_expires_at: Callable[[], float | None]
    model_loads: Callable[[], Mapping[str, int]]
    remotes: Callable[[], Iterable[RemoteModel]]


class Metrics:
    """The counters of one sidecar, in its own registry. `docs/sidecar.md` has a row for each."""

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
            "Texts in answers of which the model did not see all.",
            ("model",),
            registry=self.registry,
        )
        self._chunks = Counter(
            f"{PREFIX}_scored_chunks",
            "Windows of passages that were scored for answers; a passage that the model reads whole is one.",
            ("model",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(_Watcher(watched))

    def reranked(self, passages: int, result: RerankResult) -> None:
        """Records an answer to a request with this number of passages."""
        self._answered("Rerank", passages, result, sum(score.truncated for score in result.scores))
        self._chunks.labels(result.model.name).inc(result.scored_chunks)

    def encoded(self, result: EncodeResult) -> None:
        """Records an answer."""
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
        watched = self._watched
        totals, cache, reasons, loads = (
            watched.batches(),
            watched.cache(),
            tuple(watched.not_ready()),
            watched.model_loads(),
        )
        for name, meaning, value in (
            ("queue_tokens", "Tokens that were let in and have not begun.", watched.queued_tokens()),
            ("cache_bytes", "What the cache holds.", cache.used_bytes),
            ("ready", "Whether work should be sent here: 1 or 0.", int(not reasons)),
            (
                "certificate_expiry_timestamp_seconds",
                "When the certificate ends, since the epoch; not there without one.",
                watched.certificate_expires_at(),
            ),
        ):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", meaning, value=value)
        for name, meaning, count in (
            ("batch_tokens", "Tokens in the batches that went to a model.", totals.tokens),
            ("batch_padded_tokens", "Tokens computed for them, padding included.", totals.padded_tokens),
            ("stuck_batches", "Batches that were given up because they did not end.", totals.stuck),
            ("cache_hits", "Scores of windows and vectors that were in the cache.", cache.hits),
            ("cache_misses", "Those that were not; the two are 0 without a cache.", cache.misses),
        ):
            yield CounterMetricFamily(f"{PREFIX}_{name}", meaning, value=count)
        yield _histogram("batch_texts", "Texts in a batch that went to a model.", totals.sizes)
        why = GaugeMetricFamily(f"{PREFIX}_not_ready", "A reason why not; 1 while it holds.", labels=("reason",))
        for reason in reasons:
            why.add_metric((reason,), 1)
        yield why
        meaning = "Models loaded, refused and unloaded since the start was over."
        changes = CounterMetricFamily(f"{PREFIX}_model_loads", meaning, labels=("outcome",))
        for outcome in ("loaded", "refused", "unloaded"):
            changes.add_metric((outcome,), loads.get(outcome, 0))
        yield changes
        labels = ("name", "version", "kind", "digest", "precision")
        models = GaugeMetricFamily(f"{PREFIX}_model_info", "A loaded model; always 1.", labels=labels)
        for info in watched.models():
            models.add_metric([str(getattr(info, label)) for label in labels], 1)
        yield models
        yield from _remotes(watched.remotes())


def _remotes(remotes: Iterable[RemoteModel]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        f"{PREFIX}_remote_up", "Whether a model served elsewhere answers: 0 after several failures.", labels=("model",)
    )
    ended = CounterMetricFamily(
        f"{PREFIX}_remote_requests",
        "Requests to models served elsewhere, by how they ended: ok, throttled, refused, failed.",
        labels=("model", "outcome"),
    )
    for remote in remotes:
        up.add_metric((remote.name,), int(not remote.down))
        for outcome in OUTCOMES:
            ended.add_metric((remote.name, outcome), remote.client.outcomes[outcome])
    yield up
    yield ended


def _histogram(name: str, meaning: str, counts: Mapping[int, int]) -> HistogramMetricFamily:
    """Builds a histogram from the count of each value."""
    below = [(str(float(bound)), sum(n for value, n in counts.items() if value <= bound)) for bound in TEXTS]
    buckets = [*below, ("+Inf", sum(counts.values()))]
    total = sum(value * n for value, n in counts.items())
    return HistogramMetricFamily(f"{PREFIX}_{name}", meaning, buckets=buckets, sum_value=total)
