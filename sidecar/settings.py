"""Every setting of the sidecar, read in one place: flags first, then HYBRIDRANK_SIDECAR_* variables, then defaults."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from models import SHIPPED_MODELS
from sidecar.runtime.cpu import usable_cores

ENV_PREFIX = "HYBRIDRANK_SIDECAR_"


def _split(paths: Any) -> Any:
    return tuple(path for path in paths.split(os.pathsep) if path) if isinstance(paths, str) else paths


class Settings(BaseSettings):
    """Encode texts and score passages over gRPC, beside a search engine."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        extra="forbid",
        frozen=True,
        cli_prog_name="python -m sidecar",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen on. There is no TLS: keep it on a trusted network.")
    port: int = Field(50051, ge=0, le=65535, description="Port to listen on; 0 takes a free one, printed when ready.")
    models: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)] = Field(
        (SHIPPED_MODELS,),
        description=f"Model folders, or folders of them, separated by '{os.pathsep}'. Default: those that ship.",
    )
    threads: int = Field(0, ge=0, description="Batches computed at once, a core each; 0 takes every core we may use.")
    # For fp32 models; int8 ones compute every text alone. No budget from 1 to 1024 was faster than another on ordinary
    # passages, larger ones were slower, and a batch is what a one-text request may have to wait for: so a small one,
    # which still spares very short texts the cost of a run each (docs/sidecar.md, "Measured").
    max_batch_tokens: int = Field(512, ge=1, description="Padded tokens a batch may hold (fp32 models).")
    # About 13 s of work for two cores; a caller with a deadline has gone by then, so more would be computed in vain.
    max_queue_tokens: int = Field(262_144, ge=1, description="Tokens that may wait; a request beyond is refused.")
    drain_s: float = Field(30.0, ge=0, description="Seconds that running calls get to finish after SIGTERM.")
    log_format: Literal["json", "console"] = Field("json", description="One line a call on stderr: json or console.")
    exit_with_parent: bool = Field(
        default=False, description="Shut down when stdin closes, so that a child process never outlives its parent."
    )

    @property
    def worker_threads(self) -> int:
        """`threads`, or the cores that affinity and the container's quota leave us."""
        return self.threads or usable_cores()


def load_settings(arguments: Sequence[str] = (), **overrides: Any) -> Settings:
    """Read the settings; ValueError for a variable with our prefix that names no setting, or a value out of range."""
    known = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() not in known)
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such setting; there are {', '.join(sorted(known))}")
    return Settings(_cli_parse_args=list(arguments), **overrides)
