"""`python -m sidecar`: settings → models → server; on SIGTERM turn unhealthy, finish what runs, exit 0."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

import structlog

from sidecar import loading, logs, trial
from sidecar.batching.worker import Worker
from sidecar.errors import SidecarError
from sidecar.model_control import ModelControl
from sidecar.model_watch import ModelWatch
from sidecar.readiness import Readiness
from sidecar.runtime.memory import trim_regularly
from sidecar.service import RerankService
from sidecar.settings import Settings, load_settings
from sidecar.settings_page import settings_page, sources
from sidecar.transport.calls import Calls
from sidecar.transport.grpc_server import GrpcServer
from sidecar.transport.http_server import HttpServer
from sidecar.transport.security_keys import KeyRing
from sidecar.transport.security_tls import Tls
from sidecar.transport.tracing import tracing_to
from sidecar.watchdog import Watchdog

log = structlog.get_logger("sidecar")


def main(arguments: Sequence[str] | None = None, *, program: str = "python -m sidecar") -> int:
    """Read the settings, then serve; 0 after a clean stop, 1 when it cannot start, 2 for a wrong setting."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        settings = load_settings(arguments, program=program)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if settings.print_settings:
        print(settings_page(settings, sources(arguments)))
        return 0
    return run(settings)


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, which end the process; returns the exit code when it cannot start.

    The first line on stdout is `hybridrank sidecar ready on HOST:PORT`, printed when every model has been loaded and
    tried and calls are taken, so that a parent process can wait for it.
    """
    logs.configure(settings.log_format)
    try:
        asyncio.run(serve(settings))
    except (SidecarError, ValueError, OSError) as error:
        print(f"the sidecar cannot start: {error}", file=sys.stderr)
        return 1


async def serve(settings: Settings) -> NoReturn:
    """Load, listen, wait for the signal or the watchdog, drain, and end the process with its exit code."""
    tracing = tracing_to(settings.otlp_endpoint)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.exit_with_parent:
        threading.Thread(target=_wait_for_end_of_stdin, args=(loop, stop), daemon=True).start()
    load_folder = partial(
        trial.load_model, precision=settings.precision, device=settings.device, runtime=settings.runtime
    )
    models = await asyncio.to_thread(
        loading.load, settings.models, keep_versions=settings.keep_versions, load_folder=load_folder
    )
    control = ModelControl(models, settings.models, load_folder)
    worker = Worker(threads=settings.worker_threads, max_queue_tokens=settings.max_queue_tokens)
    service = RerankService(
        models, worker, max_batch_tokens=settings.max_batch_tokens, score_cache_bytes=settings.score_cache_bytes
    )
    readiness = Readiness()
    keys = KeyRing(settings.api_keys) if settings.api_keys else None
    tls = tls_of(settings)
    calls = Calls(service, readiness=readiness, tls=tls, control=control, tracing=tracing)
    server = GrpcServer(
        service,
        host=settings.host,
        port=settings.port,
        calls=calls,
        readiness=readiness,
        keys=keys,
        tls=tls,
        health_port=settings.health_port,
        max_connection_age_s=settings.max_connection_age_s,
        control=control,
        allow_control=settings.model_control,
    )
    http = HttpServer(
        calls,
        host=settings.host,
        port=settings.http_port,
        max_body_bytes=settings.max_body_bytes,
        readiness=readiness,
        keys=keys,
        tls=tls,
    )
    address = await server.start()
    url = await http.start() if settings.http_port >= 0 else None
    log.info(
        "ready", address=address, url=url, models=[model.info.name for model in models], threads=settings.worker_threads
    )
    print(f"hybridrank sidecar ready on {address}", flush=True)
    if url:
        print(f"hybridrank sidecar speaks HTTP on {url}", flush=True)
    watchdog = Watchdog(worker, readiness, max_batch_s=settings.max_batch_s, threads=settings.worker_threads, stop=stop)
    watching = [asyncio.create_task(watchdog.run()), asyncio.create_task(trim_regularly())]
    if settings.watch_models_s:
        watch = ModelWatch(
            control, settings.models, every_s=settings.watch_models_s, keep_versions=settings.keep_versions
        )
        watching.append(asyncio.create_task(watch.run()))
    await stop.wait()
    for task in watching:
        task.cancel()
    log.info("draining", wait_s=settings.drain_wait_s, seconds=settings.drain_s)
    await readiness.block("draining")
    await asyncio.sleep(settings.drain_wait_s)
    ends_at = loop.time() + settings.drain_s
    drained = await server.drain(settings.drain_s)
    if url:
        await http.stop()
    await tracing.close(within_s=ends_at - loop.time())
    code = 1 if watchdog.hopeless else 0
    if not drained:
        worker.give_up(older_than_s=0)
    worker.close()
    log.info("stopped", drained=drained, stuck=worker.totals.stuck)
    # To close gRPC would cancel what arrives meanwhile. When the process ends instead, callers see UNAVAILABLE and try
    # another sidecar. And the interpreter would wait for the threads that were given up.
    sys.stderr.flush()
    os._exit(code)


def tls_of(settings: Settings) -> Tls | None:
    """The certificate that the settings name, for every wire alike."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not sys.stdin.read(): a thread inside that holds its lock, and the interpreter aborts when it exits meanwhile.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
