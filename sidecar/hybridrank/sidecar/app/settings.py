"""Every setting of the sidecar, read in one place: flags, HYBRIDRANK_SIDECAR_* variables, a TOML file, defaults."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from hybridrank.common.error_text import wrong_value
from hybridrank.models import SHIPPED, SHIPPED_MODELS
from hybridrank.sidecar.runtime.cpu import usable_cores
from hybridrank.sidecar.runtime.precision import Device, Precision, Runtime

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BETWEEN = f"[{os.pathsep},]"  # a repeated flag arrives with commas
ENV_PREFIX = "HYBRIDRANK_SIDECAR_"
NOT_IN_A_FILE = ("config", "print_settings")


def _model_folders(paths: Any) -> Any:
    """Splits a text with separators, or takes several paths; replaces the word SHIPPED by the shipped models."""
    texts = [paths] if isinstance(paths, str) else paths
    if not isinstance(texts, list | tuple):
        return texts
    found = [part for text in texts for part in (re.split(_BETWEEN, text) if isinstance(text, str) else [text]) if part]
    return tuple(SHIPPED_MODELS if part == SHIPPED else part for part in found)


def _names(names: Any) -> Any:
    """Parses `rerank-v3.5=cross-encoder,other=encoder` into a table."""
    if not isinstance(names, str):
        return names
    table = {}
    for pair in filter(None, (each.strip() for each in names.split(","))):
        name, equals, model = (part.strip() for part in pair.partition("="))
        if not (name and equals and model):
            raise ValueError(f"{pair!r} is not NAME=MODEL, as in rerank-v3.5=cross-encoder")
        table[name] = model
    return table


class Settings(BaseSettings):
    """Encode texts and score passages over gRPC, beside a search engine.

    Every setting is a flag, --port; a variable, HYBRIDRANK_SIDECAR_PORT; or a
    key in the TOML file of --config, port. A flag wins over a variable, that
    over the file. The first line on stdout, once calls are taken, is
    `hybridrank sidecar ready on HOST:PORT`.

    Examples:
      hybridrank serve --port 0 --threads 4 --log-format console
      hybridrank serve --models shipped --models ./my-models
      hybridrank serve --config sidecar.toml --print-settings
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        extra="forbid",
        frozen=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    config: Path | None = Field(None, description="TOML file of settings, by the names of this table.")
    print_settings: bool = Field(default=False, description="Print every setting with its value and source, and end.")
    host: str = Field("127.0.0.1", description="Address to listen on; for others than this machine, set TLS and keys.")
    port: int = Field(50051, ge=0, le=65535, description="Port to listen on; 0 takes a free one, printed when ready.")
    http_port: int = Field(8080, ge=-1, le=65535, description="Port of the HTTP face; 0 takes a free one, -1 is off.")
    health_port: int | None = Field(
        None, ge=1, le=65535, description="Another port, for health alone, without TLS: for probes that know none."
    )
    tls_cert: Path | None = Field(None, description="PEM file of the certificate chain; turns TLS on.")
    tls_key: Path | None = Field(None, description="PEM file of its key, without a passphrase.")
    tls_client_ca: Path | None = Field(None, description="PEM file of a CA; callers need a certificate it signed.")
    api_keys: Path | None = Field(None, description="File of API keys, one a line; every call but health needs one.")
    max_connection_age_s: float = Field(
        0.0, ge=0, description="Seconds until a connection is asked to reconnect, so that load spreads; 0 is never."
    )
    models: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_model_folders)] = Field(
        (SHIPPED_MODELS,),
        description=(
            f"Model folders, or folders of them, separated by '{os.pathsep}' or ','; the word {SHIPPED} names"
            " those that ship, which is the default. The flag may be repeated."
        ),
    )
    remotes: Path | None = Field(
        None, description="TOML file of the addresses and keys of models that are served elsewhere, a table for each."
    )
    names: Annotated[Mapping[str, str], NoDecode, BeforeValidator(_names)] = Field(
        {},
        description="Further names that loaded models answer to: NAME=MODEL, separated by ','. One that is another "
        "model's alias, such as encoder, moves to this one.",
    )
    keep_versions: int = Field(
        1, ge=1, description="Versions of a model to keep loaded, by name:version; the name is the newest."
    )
    watch_models_s: float = Field(
        0.0, ge=0, description="Seconds between looks for new, changed and removed model folders; 0 is never."
    )
    model_control: bool = Field(
        default=False, description="Take Load and Unload; whoever may call can then change the models."
    )
    precision: Precision = Field(
        "auto", description="auto, int8 or fp32. auto is int8 where this CPU computes it well, else fp32 if there."
    )
    device: Device = Field("cpu", description="cpu, cuda or auto: compute on a GPU; needs onnxruntime-gpu.")
    runtime: Runtime = Field(
        "onnx", description="onnx or openvino: OpenVINO computes fp32 models on the CPU; needs hybridrank[openvino]."
    )
    threads: int = Field(0, ge=0, description="Batches computed at once, a core each; 0 takes every core we may use.")
    # For fp32 models; int8 ones compute every text alone. No budget from 1 to 1024 was faster than another on ordinary
    # passages, larger ones were slower, and a one-text request may have to wait for a batch: so a small one, which
    # still saves very short texts the cost of one run each (docs/sidecar.md, "Measured").
    max_batch_tokens: int = Field(512, ge=1, description="Padded tokens a batch may hold (fp32 models).")
    # About 13 s of work for two cores; a caller with a deadline has left by then, so more would be computed in vain.
    max_queue_tokens: int = Field(262_144, ge=1, description="Tokens that may wait; a request beyond is refused.")
    score_cache_bytes: int = Field(
        64 * 1024 * 1024,
        ge=0,
        description="Bytes of scores and vectors to keep, so that equal texts are computed once; 0 is off.",
    )
    # Same as a gRPC message; 64 MiB hold 1,000 passages of 20,000 words.
    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1, description="Bytes a body may have over HTTP.")
    # A batch takes tens of milliseconds, the longest text of the slowest model seconds.
    max_batch_s: float = Field(
        60.0, gt=0, description="Seconds a batch may run; beyond, its calls fail and its thread is replaced."
    )
    drain_wait_s: float = Field(
        0.0, ge=0, description="Seconds from not ready to taking no more calls, for load balancers to notice."
    )
    drain_s: float = Field(30.0, ge=0, description="Seconds that running calls then get to finish.")
    log_format: Literal["json", "console"] = Field("json", description="One line a call on stderr: json or console.")
    otlp_endpoint: str | None = Field(
        None, description="Where to send traces: http://HOST:4317, or https, for OTLP over gRPC. None are sent without."
    )
    exit_with_parent: bool = Field(
        default=False, description="Shut down when stdin closes, so that a child process never outlives its parent."
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _bare_url(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/@?#]+/?", url):
            raise ValueError(
                "write http://HOST:PORT or https://HOST:PORT, where OTLP is taken over gRPC, mostly port 4317;"
                " headers, and secrets in them, are for the variable OTEL_EXPORTER_OTLP_HEADERS"
            )
        return url

    @model_validator(mode="after")
    def _complete_tls(self) -> "Settings":
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together; set both or neither")
        if self.tls_client_ca and not self.tls_cert:
            raise ValueError("tls_client_ca needs tls_cert and tls_key too")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Sources in order of priority, after the flags."""
        return init_settings, env_settings, _File(settings_cls)

    @property
    def worker_threads(self) -> int:
        """`threads`, or the number of cores from affinity and the container's quota."""
        return self.threads or usable_cores()


def load_settings(arguments: Sequence[str] = (), *, program: str = "python -m hybridrank.sidecar") -> Settings:
    """Reads the settings; raises ValueError for an unknown key or variable, or a value out of range.

    The message names each wrong setting, and an unreadable file.
    """
    known = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() not in known)
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such setting; there are {', '.join(sorted(known))}")
    try:
        return Settings(_cli_parse_args=list(arguments), _cli_prog_name=program)
    except ValidationError as error:
        raise ValueError("\n".join(map(_wrong_value, error.errors()))) from error


def check_files(settings: Settings) -> None:
    """Raises OSError with the first setting whose file cannot be read."""
    for name in ("tls_cert", "tls_key", "tls_client_ca", "api_keys", "remotes"):
        path: Path | None = getattr(settings, name)
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise OSError(f"{name}: cannot read {path}: {error.strerror}") from error


def exposure(settings: Settings) -> str:
    """Returns what anybody who reaches the address can do, and what to set; empty if only this machine reaches it."""
    if settings.host in ("127.0.0.1", "::1", "localhost"):
        return ""
    lacking = [] if settings.api_keys or settings.tls_client_ca else ["call it: set api_keys"]
    if settings.tls_cert is None:
        lacking.append("read what goes over the wire: set tls_cert and tls_key")
    return f"whoever reaches {settings.host} can {', and '.join(lacking)}" if lacking else ""


def _wrong_value(error: ErrorDetails) -> str:
    setting = ".".join(map(str, error["loc"]))
    given = f", not {error['input']!r}" if setting and not isinstance(error["input"], Mapping) else ""
    return f"{setting or 'settings'}: {wrong_value(error)}{given}"


def read_file(path: Path) -> dict[str, Any]:
    """Returns the settings in a TOML file; raises ValueError for an unknown key, or for invalid TOML."""
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(
            f"config: cannot read {path}: {error.strerror}; it names a TOML file of settings, such as `port = 50051`"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: not TOML: {error}") from error
    known = [name for name in Settings.model_fields if name not in NOT_IN_A_FILE]
    if unknown := sorted(set(found) - set(known)):
        raise ValueError(f"{path}: {', '.join(unknown)}: no such setting; a file may set {', '.join(known)}")
    return found


class _File(PydanticBaseSettingsSource):
    """The file named by flags or environment."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Returns one value; never called, because `__call__` returns all of them."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        config = self.current_state.get("config")
        return read_file(Path(config)) if config else {}
