"""A page of all settings with their values and origins; the page itself is a valid file for --config.

Settings name the files of keys and certificates and contain no secret themselves, so nothing needs to be hidden.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_settings import CliSettingsSource

from hybridrank.sidecar.app.settings import ENV_PREFIX, NOT_IN_A_FILE, Settings, read_file


def sources(arguments: Sequence[str]) -> dict[str, str]:
    """Returns the origin of each setting that is not at its default, as text: a flag, a variable or the file."""
    flags = CliSettingsSource[Any](Settings, cli_parse_args=list(arguments))()
    variables = {name.upper(): name for name in os.environ if os.environ[name]}
    found = {name: f"--{name.replace('_', '-')}" for name in flags}
    for name in Settings.model_fields:
        if variable := variables.get(f"{ENV_PREFIX}{name}".upper()):
            found.setdefault(name, variable)
    config = Settings(_cli_parse_args=list(arguments)).config
    for name in read_file(config) if config else ():
        found.setdefault(name, str(config))
    return found


def settings_page(settings: Settings, origins: Mapping[str, str]) -> str:
    """Returns TOML: each setting below its description; one without a value, or not allowed in a file, is a comment."""
    blocks = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        line = f"{name} ={'' if value is None else ' ' + _toml(value)}"
        comment = "# " if value is None or name in NOT_IN_A_FILE else ""
        blocks.append(f"# {field.description}\n{comment}{line}  # {origins.get(name, 'default')}\n")
    return "\n".join(blocks)


def _toml(value: Any) -> str:
    """Formats a flag, a number, a text, a path, a table of texts, or several of them."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml(name)} = {_toml(one)}' for name, one in value.items())}}}"
    return json.dumps(str(value), ensure_ascii=False)
