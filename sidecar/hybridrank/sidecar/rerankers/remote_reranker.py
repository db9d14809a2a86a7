"""A reranker that is served elsewhere: a request has one query and a batch of passages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.endpoints import Endpoint
from hybridrank.sidecar.remote.answers import scores_in_order
from hybridrank.sidecar.remote.api import Rerank
from hybridrank.sidecar.remote.folder import remote_folder, remote_info
from hybridrank.sidecar.remote.model import Exchange, RemoteModel
from hybridrank.sidecar.remote.remote_toml import RemoteRerankerToml
from hybridrank.sidecar.remote.texts import TextPart, cut
from hybridrank.sidecar.rerankers.base import Pair, PairReranker
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant
from hybridrank.sidecar.runtime.precision import Wanted

__all__ = ["RemoteReranker", "variants"]


@dataclass(frozen=True)
class TextPair(Pair):
    """A query and a window of a passage, as texts."""

    sequence: TextPart
    query: TextPart


class RemoteReranker(PairReranker):
    """Relevance scores are the API's own: mostly in [0, 1], logits from text-embeddings-inference."""

    http_order = 2  # a call that names no model goes to one on this machine, if there is one

    def __init__(self, toml: RemoteRerankerToml, api: Rerank, endpoint: Callable[[], Endpoint]) -> None:
        self.info = remote_info(toml, blend_weight=toml.blend_weight)
        self.remote = RemoteModel(toml, endpoint, partial(_ask, toml, api))

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """Cuts each passage, and the query only beyond half of the context."""
        (head,) = cut(query, self.info.max_tokens // 2, 1)
        room = self.info.max_tokens - len(head)
        found = [cut(passage, room, max_windows, before=len(head)) for passage in passages]
        return [[TextPair(part, head) for part in parts] for parts in found]

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """Returns (n,) scores of pairs with one query; waits for the answer."""
        return self.remote.compute_now(pairs)

    def self_check(self) -> str | None:
        """Finds no problem: the model is not asked before the first call, so that it may be down meanwhile."""
        return None


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """The kind `remote-reranker`."""
    toml, api, endpoint = remote_folder(path, RemoteRerankerToml, wanted.remotes)
    if api.rerank is None:
        raise BadModelFolder(path, f"model.toml: api {toml.api!r} does not rerank")
    reranker = RemoteReranker(toml, api.rerank, endpoint)
    return [Variant(reranker.info, partial(LoadedModel, reranker.info, reranker, remote=reranker.remote), "remote")]


def _ask(toml: RemoteRerankerToml, api: Rerank, pairs: Sequence[TextPair]) -> Exchange:
    (query,) = {pair.query.text for pair in pairs}
    texts = [pair.sequence.text or " " for pair in pairs]  # some APIs refuse an empty text
    body, count = api.body(toml, query, texts), len(texts)
    return Exchange(
        api.path,
        toml.answers_as or toml.model,
        body,
        count,
        count,
        lambda answer: scores_in_order(api.scores(answer), count),
    )
