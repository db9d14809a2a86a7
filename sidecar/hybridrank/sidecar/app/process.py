"""The running sidecar: builds all parts from the settings, starts them, and stops them without losing a call."""

import asyncio
from collections.abc import Iterable
from functools import partial

import structlog
from typing_extensions import Self

from hybridrank.sidecar.app.settings import Settings, exposure
from hybridrank.sidecar.app.watchdog import Watchdog
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.endpoints import read_endpoints
from hybridrank.sidecar.models import loading, trial
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.models.scan import Found
from hybridrank.sidecar.models.watch import ModelWatch
from hybridrank.sidecar.readiness import Readiness
from hybridrank.sidecar.runtime.blas import multiply_on_one_thread
from hybridrank.sidecar.runtime.memory import trim_regularly
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.grpc.server import GrpcServer
from hybridrank.sidecar.transport.http.server import HttpServer
from hybridrank.sidecar.transport.security.keys import KeyRing
from hybridrank.sidecar.transport.security.tls import Tls
from hybridrank.sidecar.transport.telemetry.tracing_setup import tracing_to

__all__ = ["Sidecar"]

ENCODER = "encoder"  # the name that indexing and searching use

log = structlog.get_logger("sidecar")


class Sidecar:
    """Models, scheduler, both protocols and their watchers. `stop` is set when the process must end."""

    def __init__(self, settings: Settings, control: ModelControl, known: Iterable[Found], stop: asyncio.Event) -> None:
        multiply_on_one_thread()
        self._settings = settings
        self._tracing = tracing_to(settings.otlp_endpoint)
        self._worker = Worker(threads=settings.worker_threads, max_queue_tokens=settings.max_queue_tokens)
        self._service = service = RerankService(
            control.models,
            self._worker,
            max_batch_tokens=settings.max_batch_tokens,
            score_cache_bytes=settings.score_cache_bytes,
        )
        self._readiness = Readiness()
        tls = tls_of(settings)
        keys = KeyRing(settings.api_keys) if settings.api_keys else None
        calls = Calls(service, readiness=self._readiness, tls=tls, control=control, tracing=self._tracing)
        self._grpc = GrpcServer(
            service,
            host=settings.host,
            port=settings.port,
            calls=calls,
            readiness=self._readiness,
            keys=keys,
            tls=tls,
            health_port=settings.health_port,
            max_connection_age_s=settings.max_connection_age_s,
            control=control,
            allow_control=settings.model_control,
        )
        self._http = HttpServer(
            calls,
            host=settings.host,
            port=settings.http_port,
            max_body_bytes=settings.max_body_bytes,
            readiness=self._readiness,
            keys=keys,
            tls=tls,
        )
        self._watchdog = Watchdog(
            self._worker, self._readiness, max_batch_s=settings.max_batch_s, threads=settings.worker_threads, stop=stop
        )
        self._control = control
        self._known = known
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def load(cls, settings: Settings, stop: asyncio.Event) -> Self:
        """Loads and tests the models, then builds everything. Raises HybridrankError, ValueError and OSError."""
        if settings.remotes:
            read_endpoints(settings.remotes)
        load_folder = partial(
            trial.load_model,
            precision=settings.precision,
            device=settings.device,
            runtime=settings.runtime,
            remotes=settings.remotes,
        )
        known = await asyncio.to_thread(loading.find, settings.models)
        models = await asyncio.to_thread(
            loading.load,
            settings.models,
            keep_versions=settings.keep_versions,
            names=settings.names,
            load_folder=load_folder,
        )
        return cls(settings, ModelControl(models, settings.models, load_folder), known, stop)

    async def start(self) -> tuple[str, str | None]:
        """Accepts calls; returns host:port of gRPC, and the URL of HTTP if enabled. Raises OSError."""
        settings = self._settings
        address = await self._grpc.start()
        url = await self._http.start() if settings.http_port >= 0 else None
        models = [model.info.name for model in self._control.models]
        names = {"names": dict(settings.names)} if settings.names else {}
        log.info("ready", address=address, url=url, models=models, threads=settings.worker_threads, **names)
        if ENCODER not in self._control.models.words():
            log.warning(
                f"no model answers to {ENCODER!r}: searches rank by BM25 alone, and no documents can be encoded;"
                " add the shipped models with --models shipped, before your own folders"
            )
        if exposed := exposure(settings):
            log.warning("open to the network", host=settings.host, detail=exposed)
        watches = [self._watchdog.run(), trim_regularly()]
        if settings.watch_models_s:
            roots, every_s, keep = settings.models, settings.watch_models_s, settings.keep_versions
            watch = ModelWatch(self._control, roots, known=self._known, every_s=every_s, keep_versions=keep)
            watches.append(watch.run())
        self._tasks = [asyncio.create_task(watch) for watch in watches]
        return address, url

    async def stop(self) -> int:
        """Becomes unready, finishes running calls, refuses new ones; returns the exit code, then the process must end.

        The gRPC server is left open: closing it would cancel calls that arrive meanwhile. If the process ends instead,
        callers see UNAVAILABLE and try another sidecar.
        """
        settings = self._settings
        for task in self._tasks:
            task.cancel()
        log.info("draining", wait_s=settings.drain_wait_s, seconds=settings.drain_s)
        await self._readiness.block("draining")
        await asyncio.sleep(settings.drain_wait_s)
        ends_at = asyncio.get_running_loop().time() + settings.drain_s
        drained = await self._grpc.drain(settings.drain_s)
        if settings.http_port >= 0:
            await self._http.stop()
        await self._tracing.close(within_s=ends_at - asyncio.get_running_loop().time())
        await self._service.close()
        code = 1 if self._watchdog.hopeless else 0
        if not drained:
            self._worker.give_up(older_than_s=0)
        self._worker.close()
        log.info("stopped", drained=drained, stuck=self._worker.totals.stuck)
        return code


def tls_of(settings: Settings) -> Tls | None:
    """Returns the certificate from the settings, for all protocols."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
