"""`python -m hybridrank.sidecar`: runs a sidecar; on SIGTERM turns unready, finishes running calls, exits with 0."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from hybridrank.common.error_text import os_problem
from hybridrank.common.errors import HybridrankError
from hybridrank.sidecar.app.settings import Settings, check_files, load_settings


def main(arguments: Sequence[str] | None = None, *, program: str = "python -m hybridrank.sidecar") -> int:
    """Reads the settings, then serves; returns 0 after a clean stop, 1 if it cannot start, 2 for a wrong setting."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        settings = load_settings(arguments, program=program)
    except (ValueError, OSError) as error:
        print(os_problem(error) if isinstance(error, OSError) else error, file=sys.stderr)
        return 2
    if settings.print_settings:
        from hybridrank.sidecar.app.settings_page import settings_page, sources

        print(settings_page(settings, sources(arguments)))
        return 0
    return run(settings)


def run(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT, which end the process; returns the exit code if it cannot start.

    The first line on stdout is `hybridrank sidecar ready on HOST:PORT`, printed when every model is loaded and tested
    and calls are accepted, so that a parent process can wait for it.
    """
    from hybridrank.sidecar.app import logs  # not needed for --help, which reads only the settings

    logs.configure(settings.log_format)
    try:
        check_files(settings)
        asyncio.run(serve(settings))
    except (HybridrankError, ValueError, OSError) as error:
        problem = os_problem(error) if isinstance(error, OSError) else error
        print(f"the sidecar cannot start: {problem}", file=sys.stderr)
        return 1


async def serve(settings: Settings) -> NoReturn:
    """Loads, listens, waits for the signal or the watchdog, drains, and ends the process with its exit code."""
    from hybridrank.sidecar.app.process import Sidecar  # imports ONNX Runtime

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.exit_with_parent:
        threading.Thread(target=_wait_for_end_of_stdin, args=(loop, stop), daemon=True).start()
    sidecar = await Sidecar.load(settings, stop)
    address, url = await sidecar.start()
    print(f"hybridrank sidecar ready on {address}", flush=True)
    if url:
        print(f"hybridrank sidecar speaks HTTP on {url}", flush=True)
    await stop.wait()
    code = await sidecar.stop()
    sys.stderr.flush()
    os._exit(code)  # the interpreter would close gRPC, and wait for abandoned threads


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not sys.stdin.read(): a thread inside it holds its lock, and the interpreter would abort at exit.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
