"""The interface of a kind of models: it names the ways to compute the model of a folder, and each way loads it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files import model_folder
from hybridrank.model_files.calibration import Calibration
from hybridrank.model_files.model_folder import OnnxToml
from hybridrank.model_files.token_codec import Format, TokenCodec
from hybridrank.sidecar.remote.model import RemoteModel
from hybridrank.sidecar.rerankers.base import Encoder, Reranker, SparseEncoder, TokenEncoder
from hybridrank.sidecar.runtime import cpu, onnx_session
from hybridrank.sidecar.runtime.precision import Placed, Wanted, place

__all__ = ["Kind", "LoadedModel", "Variant", "onnx_variants"]

Toml = TypeVar("Toml", bound=OnnxToml)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A loaded model: every model reranks; an encoder also encodes, and one of tokens also makes token vectors.

    One that is sparse makes sparse vectors instead.

    `codecs` are the storage formats of its token vectors; `calibration`, if any, turns its raw scores into
    probabilities of relevance. `remote`, if any, computes its batches elsewhere, and nothing is tested at the load.
    """

    info: ModelInfo
    reranker: Reranker
    encoder: Encoder | None = None
    token_encoder: TokenEncoder | None = None
    codecs: Mapping[Format, TokenCodec] = field(default_factory=dict)
    calibration: Calibration | None = None
    remote: RemoteModel | None = None
    sparse_encoder: SparseEncoder | None = None


@dataclass(frozen=True)
class Variant:
    """A way to compute a model, for example a precision on a device; `load` takes a moment.

    `load` raises BadModelFolder for a model that cannot be computed in this way.
    """

    info: ModelInfo
    load: Callable[[], LoadedModel]
    device: str = "cpu"


Kind: TypeAlias = Callable[[Path, Wanted], Sequence[Variant]]
"""Reads and verifies a model folder; returns the ways to compute it here, best first and at least one.

Each is the fallback if the one before fails its self-test. Raises BadModelFolder.
"""


def onnx_variants(
    path: Path, toml: type[Toml], wanted: Wanted, load: Callable[[Placed, Toml], LoadedModel]
) -> tuple[Variant, ...]:
    """Returns the precisions and devices of a folder with model.onnx, whose model.toml is a `toml`."""
    folder = model_folder.read(path, toml)
    placements = place(
        folder,
        precision=wanted.precision,
        device=wanted.device,
        runtime=wanted.runtime,
        providers=onnx_session.available_providers(),
        multiplies_int8=cpu.multiplies_int8(cpu.read_cpuinfo()),
    )
    return tuple(
        Variant(each.folder.info, partial(load, each, toml.model_validate(each.folder.toml)), each.device)
        for each in placements
    )
