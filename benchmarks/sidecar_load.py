"""Parts of the load benchmarks: a sidecar whose log and memory are watched, and messages made beforehand.

Messages are bytes, put together from parts that were encoded once, and replies are not decoded: what offers the load
should not need the cores that the sidecar is measured on.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from hybridrank.connector import SidecarClient
from hybridrank.connector.passages import passage_text
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.sidecar.protocol import rerank_pb2 as pb

GRPC_READY = "hybridrank sidecar ready on "
HTTP_READY = "hybridrank sidecar speaks HTTP on "
RERANK = "/hybridrank.v1.Reranker/Rerank"
STOP_TIMEOUT_S = 60


@dataclass
class WatchedSidecar:
    """A sidecar that runs, or has ended with `exit_code`; `url` is that of its HTTP face."""

    pid: int
    address: str
    url: str
    log: Path
    exit_code: int | None = None

    def resident_bytes(self) -> int:
        """Its resident memory now (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
        return 1024 * int(kilobytes)

    def calls(self) -> dict[str, dict]:
        """Returns code, ms and the error, if any, of each call in its log, by request id."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return {line["request_id"]: line for line in lines if line.get("event") == "call"}


@contextmanager
def watched_sidecar(log: Path, **settings: object) -> Iterator[WatchedSidecar]:
    """Start a sidecar on free ports of this machine with `settings` of docs/sidecar.md; at the end ask it to stop.

    Its log goes to the file `log`. `exit_code` is set afterwards.
    """
    named = {"host": "127.0.0.1", "port": 0, "http_port": 0} | settings
    flags = [part for name, value in named.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "hybridrank.sidecar", "--exit-with-parent", *flags]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=1, text=True
        ) as child,
    ):
        try:
            address, url = (child.stdout.readline().strip() for _ in range(2))
            if not url:
                raise RuntimeError(f"the sidecar did not start; {log} says why:\n{log.read_text()[-2000:]}")
            sidecar = WatchedSidecar(child.pid, address.removeprefix(GRPC_READY), url.removeprefix(HTTP_READY), log)
            yield sidecar
            child.send_signal(signal.SIGTERM)
            sidecar.exit_code = child.wait(STOP_TIMEOUT_S)
        finally:
            child.kill()


async def environment(sidecar: WatchedSidecar) -> dict:
    """Describes the machine and the served models."""
    async with SidecarClient(sidecar.address) as client:
        return describe_environment(None, await client.models())


class Messages:
    """Requests about `texts`, none like another, so that no cache and no sharing answers them."""

    def __init__(self, texts: Sequence[str], queries: Sequence[str]) -> None:
        self._texts = cycle(texts)
        self._candidates = cycle([_candidate(text) for text in texts])
        self._queries = cycle(queries)
        self._number = 0

    @classmethod
    def about(cls, collection: Path, documents: int = 3000) -> "Messages":
        """About the first documents of a folder in BEIR's layout, as they stand, and its queries."""
        folder = BeirFolder(collection)
        texts = [passage_text(each.source) for each in islice(folder.documents(), documents)]
        return cls(texts, list(folder.queries().values()))

    def query(self) -> str:
        """A query that has not been before."""
        self._number += 1
        return f"{next(self._queries)} {self._number}"

    def rerank(self, pairs: int, model: str = "cross-encoder", *, best_effort: bool = False) -> bytes:
        """A request to score the next `pairs` documents."""
        options = pb.RerankOptions(best_effort=best_effort, max_chunks_per_document=1)
        head = pb.RerankRequest(model=model, query=self.query(), options=options).SerializeToString()
        # Encoded messages, one after another, are the encoding of one with the fields of all.
        return head + b"".join(next(self._candidates) for _ in range(pairs))

    def texts(self, count: int) -> list[str]:
        """The next documents."""
        return list(islice(self._texts, count))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a `share` of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _candidate(text: str) -> bytes:
    return pb.RerankRequest(candidates=[pb.Candidate(text=text)]).SerializeToString()
