"""Text formats that the servers read: flat YAML, Java properties, and a configuration that logs to standard output."""

import json
from collections.abc import Mapping

__all__ = ["LOGGING", "Setting", "as_properties", "as_yaml"]

Setting = str | int | bool | list[str]

LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def as_yaml(settings: Mapping[str, Setting]) -> str:
    """Returns one line per setting; JSON values are YAML values, so paths and lists need no quoting rules.

    >>> print(as_yaml({"node.name": "node-1", "http.port": 9200}), end="")
    node.name: "node-1"
    http.port: 9200
    """
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())


def as_properties(properties: Mapping[str, str]) -> str:
    """Returns `name=value` lines.

    >>> print(as_properties({"name": "lang-painless"}), end="")
    name=lang-painless
    """
    return "".join(f"{name}={value}\n" for name, value in properties.items())
