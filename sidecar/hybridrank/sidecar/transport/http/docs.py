"""The page that documents the HTTP interface, made from its OpenAPI description; it loads nothing from elsewhere."""

from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#eee;padding:0 .2em}td,th{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}"
)


def docs_page(openapi: Mapping[str, Any]) -> str:
    """Returns HTML with every path, its fields and its statuses."""
    parts = [
        _section(path, method.upper(), operation, openapi)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    title = escape(openapi["info"]["title"])
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
        f"<h1>{title}</h1><p>For machines: <a href=openapi.json>openapi.json</a>.</p>{''.join(parts)}</html>"
    )


def _section(path: str, method: str, operation: Mapping[str, Any], openapi: Mapping[str, Any]) -> str:
    heading = f"<h2><code>{method} {escape(path)}</code></h2><p>{escape(operation['summary'])}</p>"
    body = operation.get("requestBody")
    fields = _fields(body["content"]["application/json"]["schema"], openapi) if body else ""
    responses = operation["responses"].items()
    statuses = _table((("status", "when"), *((code, each["description"]) for code, each in responses)))
    return heading + fields + statuses


def _fields(schema: Mapping[str, Any], openapi: Mapping[str, Any]) -> str:
    body = openapi["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    required = body.get("required", [])
    rows = [
        (name, "required" if name in required else "optional", _type(field), field.get("description", ""))
        for name, field in body["properties"].items()
    ]
    return _table((("field", "", "type", "meaning"), *rows))


def _type(field: Mapping[str, Any]) -> str:
    """Returns the type in words, such as `array of string or object`."""
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"])
    if "enum" in field:
        return " or ".join(f'"{value}"' for value in field["enum"])
    name = str(field.get("type", "anything"))
    return f"{name} of {_type(field['items'])}" if "items" in field else name


def _table(rows: tuple[tuple[str, ...], ...]) -> str:
    head, *rest = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{head.replace('td>', 'th>')}</tr>{''.join(f'<tr>{row}</tr>' for row in rest)}</table>"
