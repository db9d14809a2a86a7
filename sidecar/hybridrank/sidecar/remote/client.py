"""Sends requests to one endpoint: within the deadline, over checked TLS, with the operator's key, without redirects."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import aiohttp
from pydantic import SecretStr

from hybridrank.common.breaker import Breaker
from hybridrank.common.errors import HybridrankError
from hybridrank.sidecar.endpoints import Endpoint
from hybridrank.sidecar.errors import DeadlinePassed, Overloaded, RemoteFailed

__all__ = ["OUTCOMES", "Client"]

OUTCOMES = ("ok", "throttled", "refused", "failed")

TRIES = 3  # for answers that say when to try again
CHUNK_BYTES = 1 << 16
PAUSE_S = 10.0  # between trials of a remote that failed several times in a row
# A remote that did not answer within this may be down; one that had less time may only be slower than its caller.
PATIENCE_S = 1.0
# A request may outlive its deadline by this, so that its caller has gone with the finished part, not with an error.
LATE_S = 0.1
ENOUGH, TRY_AGAIN, KEY_REFUSED = 200, (429, 503), (401, 403)
CAUSES = {
    401: "refused the key; look at it in the file of the setting remotes",
    403: "refused the key; look at it in the file of the setting remotes",
    404: "has no such model or path; look at its url, and at api and model in model.toml",
}


class Client:
    """One endpoint for one model; use it from one event loop. `outcomes` counts requests by how they ended.

    The connections are opened when they are needed, and closed by `close`. `listener` is called whenever `down`
    changes.
    """

    def __init__(self, name: str, endpoint: Callable[[], Endpoint]) -> None:
        self.listener: Callable[[], None] = lambda: None
        self.outcomes: Counter[str] = Counter()
        self._name = name
        self._read_endpoint = endpoint
        self._endpoint = endpoint()
        self._breaker = Breaker(open_s=PAUSE_S)
        self._session: aiohttp.ClientSession | None = None
        self._under_way = 0
        self._closed = False
        self._resumes_at = 0.0

    def __repr__(self) -> str:
        return f"Client({self._name!r}, {self._endpoint.url!r})"

    @property
    def down(self) -> bool:
        """True from the last of several failures in a row until the next answer."""
        return not self._breaker.is_closed

    async def post(self, path: str, body: bytes, *, texts: int, max_bytes: int, ends_at: float | None) -> bytes:
        """Returns the body of a good answer; `ends_at` is a point in time of `time.monotonic()`.

        Raises Overloaded if the endpoint has no room or is left alone, DeadlinePassed, and RemoteFailed.
        """
        again_s: float | None = None
        for _ in range(TRIES):
            self._require_closed()
            await self._wait_turn(ends_at)
            key = self._endpoint.key
            status, headers, answer = await self._try(path, body, texts, max_bytes, ends_at)
            if status == ENOUGH:
                self._turn(self._breaker.succeeded())
                self.outcomes["ok"] += 1
                return answer
            if status in KEY_REFUSED and await self._has_key_other_than(key):
                self._turn(self._breaker.succeeded())
                continue
            again_s = _retry_after_s(headers) if status in TRY_AGAIN else None
            if again_s is None:
                break
            self._turn(self._breaker.succeeded())
            self.outcomes["throttled"] += 1
            self._resumes_at = max(self._resumes_at, time.monotonic() + again_s)
        if status == TRY_AGAIN[0] or again_s is not None:
            self._turn(self._breaker.succeeded())
            raise self._throttled(again_s or 1.0)
        counts = status in CAUSES or not 400 <= status < 500
        if not counts:  # it works, and the request is wrong
            self._turn(self._breaker.succeeded())
        raise self.failure(CAUSES.get(status, _cause(status)), counts=counts)

    def failure(self, problem: str, *, counts: bool = True) -> RemoteFailed:
        """Returns the error of a request that failed; with `counts`, for the circuit breaker too."""
        self.outcomes["failed"] += 1
        if counts:
            self._turn(self._breaker.failed(time.monotonic(), problem))
        return RemoteFailed(self._name, problem)

    async def _has_key_other_than(self, refused: SecretStr) -> bool:
        """Takes the key that the file has now for the same URL; returns whether it is another one than `refused`."""
        try:
            found = await asyncio.to_thread(self._read_endpoint)
        except HybridrankError:  # the file is being written, say
            return False
        is_new = found.url == self._endpoint.url and found.key != refused
        if is_new:
            self._endpoint = self._endpoint.model_copy(update={"key": found.key})
        return is_new

    def _require_closed(self) -> None:
        """Raises Overloaded while the remote is left alone; otherwise the call may go."""
        now = time.monotonic()
        if self._breaker.is_open(now):
            self.outcomes["refused"] += 1
            why = (
                f"{self._name} is served elsewhere and failed {self._breaker.failures} times in a row, the last time it"
            )
            raise Overloaded(f"{why} {self._breaker.last_failure}", math.ceil(self._breaker.closed_from - now))
        self._turn(self._breaker.calling(now))

    def _turn(self, breaker: Breaker) -> None:
        was_down, self._breaker = self.down, breaker
        if self.down != was_down:
            self.listener()

    async def close(self) -> None:
        """Closes the connections, as soon as no request is under way."""
        self._closed = True
        await self._close_if_idle()

    async def _wait_turn(self, ends_at: float | None) -> None:
        """Waits until the time that the endpoint asked for; raises Overloaded if that is after the deadline."""
        pause_s = self._resumes_at - time.monotonic()
        if pause_s <= 0:
            return
        left_s = self._endpoint.timeout_s if ends_at is None else ends_at - time.monotonic()
        if pause_s >= left_s:
            raise self._throttled(pause_s)
        await asyncio.sleep(pause_s)

    def _throttled(self, wait_s: float) -> Overloaded:
        return Overloaded(f"{self._name} is served elsewhere, where there is no room now", max(1, math.ceil(wait_s)))

    async def _try(
        self, path: str, body: bytes, texts: int, max_bytes: int, ends_at: float | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        given_s = self._endpoint.timeout_s
        late = ends_at is not None and ends_at + LATE_S - time.monotonic() < given_s
        if ends_at is not None and late:
            given_s = max(0.001, ends_at + LATE_S - time.monotonic())
        self._under_way += 1
        key = self._endpoint.key.get_secret_value()
        try:
            async with self._connected().post(
                f"{self._endpoint.url}{path}",
                data=body,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=given_s),
            ) as response:
                answer = await self._read(response, max_bytes) if response.status == ENOUGH else b""
                return response.status, response.headers, answer
        except (asyncio.TimeoutError, TimeoutError):
            counts = given_s >= min(PATIENCE_S, self._endpoint.timeout_s)
            failure = self.failure(f"did not answer within {given_s:g} s", counts=counts)
            raise (DeadlinePassed(0, texts) if late else failure) from None
        except aiohttp.ClientSSLError:
            raise self.failure("has a certificate that is not trusted here; set its ca, or mend it there") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self.failure(f"cannot be reached ({type(error).__name__}); look at its url and the network") from None
        finally:
            self._under_way -= 1
            await self._close_if_idle()

    async def _read(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self.failure("answered compressed, although asked not to; look at what is between")
        parts = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            parts += chunk
            if len(parts) > max_bytes:
                raise self.failure(f"answered with more than the {max_bytes} bytes that this request can need")
        return bytes(parts)

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._endpoint.concurrency, ssl=self._endpoint.ssl_context()),
                headers={
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",  # so that no answer is longer than the bytes that are counted
                    "User-Agent": "hybridrank",
                },
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def _close_if_idle(self) -> None:
        if self._closed and not self._under_way and self._session:
            session, self._session = self._session, None
            await session.close()


def _cause(status: int) -> str:
    """Returns the problem that a status means; its body could repeat a user's text."""
    if 300 <= status < 400:
        return f"answered with a redirect ({status}), which is not followed; set the final url"
    if status < 500:
        return f"refused the request ({status}); compare max_tokens, max_batch and dimensions with its documentation"
    return f"failed there ({status})"


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds of Retry-After, which is a number or a date; None without one."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(0.0, seconds), 3600.0) if math.isfinite(seconds) else None
