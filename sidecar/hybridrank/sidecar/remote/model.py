"""A model that is served elsewhere: turns batches into requests, and checked answers into rows."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hybridrank.model_files.arrays import FloatArray
from hybridrank.sidecar.endpoints import Endpoint
from hybridrank.sidecar.remote.answers import WRONG_SHAPE, BadAnswer, parse, require_model
from hybridrank.sidecar.remote.api import Body
from hybridrank.sidecar.remote.client import Client
from hybridrank.sidecar.remote.remote_toml import RemoteToml

__all__ = ["Exchange", "RemoteModel"]

ANSWER_BYTES = 1 << 20  # what an answer may hold beside numbers, and texts that it repeats with escapes
ESCAPED = 6
BYTES_PER_NUMBER = 32


@dataclass(frozen=True)
class Exchange:
    """A request for `texts` texts, and `read`, which turns the parsed answer into rows of `numbers` in all.

    An answer that names a model must name `model`.
    """

    path: str
    model: str
    body: Body
    texts: int
    numbers: int
    read: Callable[[Any], FloatArray]


class RemoteModel:
    """Computes batches elsewhere, `concurrency` at once. `ask` makes the request for a batch."""

    def __init__(
        self, toml: RemoteToml, endpoint: Callable[[], Endpoint], ask: Callable[[Sequence[Any]], Exchange]
    ) -> None:
        self.name = toml.name
        self.concurrency = endpoint().concurrency
        self.max_batch = toml.max_batch
        self.max_batch_tokens = toml.max_batch_tokens
        self.client = Client(toml.name, endpoint)
        self._endpoint = endpoint
        self._ask = ask

    @property
    def down(self) -> bool:
        """True while calls are refused because several in a row have failed."""
        return self.client.down

    async def compute(self, inputs: Sequence[Any], ends_at: float | None) -> FloatArray:
        """Returns a row for each input; raises Overloaded, DeadlinePassed and RemoteFailed."""
        return await self._computed(self.client, inputs, ends_at)

    def compute_now(self, inputs: Sequence[Any]) -> FloatArray:
        """Same as `compute`, with connections of its own, for tools without an event loop."""

        async def once() -> FloatArray:
            client = Client(self.name, self._endpoint)
            try:
                return await self._computed(client, inputs, None)
            finally:
                await client.close()

        return asyncio.run(once())

    async def _computed(self, client: Client, inputs: Sequence[Any], ends_at: float | None) -> FloatArray:
        exchange = self._ask(inputs)
        body = json.dumps(exchange.body).encode()
        max_bytes = ANSWER_BYTES + ESCAPED * len(body) + BYTES_PER_NUMBER * exchange.numbers
        answer = await client.post(exchange.path, body, texts=exchange.texts, max_bytes=max_bytes, ends_at=ends_at)
        try:
            return await asyncio.to_thread(_read, exchange, answer)
        except BadAnswer as error:
            raise client.failure(str(error)) from None


def _read(exchange: Exchange, answer: bytes) -> FloatArray:
    value = parse(answer)
    require_model(value, exchange.model)
    try:
        return exchange.read(value)
    except BadAnswer:
        raise
    except WRONG_SHAPE:
        raise BadAnswer("answered in another shape than its api; look at its url and api") from None
