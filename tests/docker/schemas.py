"""Kubernetes' OpenAPI definitions as the JSON schemas that kubeconform reads, where an unknown field is an error.

Pure: files are named `kind-group-version`, the group without its domain, as kubeconform looks for them.
"""

from typing import Any

Schema = dict[str, Any]
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def definitions(swagger: Schema) -> Schema:
    """Definitions that the files of `of_kinds` refer to. A quantity may be a number too: `nvidia.com/gpu: 1`."""
    return {
        "definitions": {
            **{name: strict(inner) for name, inner in swagger.items()},
            QUANTITY: {"type": ["string", "number"]},
        }
    }


def of_kinds(swagger: Schema) -> dict[str, Schema]:
    """A file for every kind, from the group, version and kind that its definition names."""
    return {
        _file_name(**kind): {"$ref": f"_definitions.json#/definitions/{name}"}
        for name, schema in swagger.items()
        for kind in schema.get("x-kubernetes-group-version-kind", ())
    }


def of_custom_resources(resource: Schema) -> dict[str, Schema]:
    """A file for every version of a CustomResourceDefinition."""
    spec = resource["spec"]
    return {
        _file_name(spec["group"], version["name"], spec["names"]["kind"]): strict(version["schema"]["openAPIV3Schema"])
        for version in spec["versions"]
    }


def strict(schema: Any) -> Any:
    """Only the properties that are named, and a number where Kubernetes takes a number or a text.

    >>> strict({"properties": {"port": {"type": "string", "format": "int-or-string"}}})
    {'properties': {'port': {'type': ['string', 'integer']}}, 'additionalProperties': False}
    """
    if isinstance(schema, list):
        return [strict(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    copy = {key: strict(inner) for key, inner in schema.items()}
    if "properties" in schema:
        copy["properties"] = {name: strict(inner) for name, inner in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            copy.setdefault("additionalProperties", False)
    return copy


def _file_name(group: str, version: str, kind: str) -> str:
    return "-".join(part.lower() for part in (kind, group.partition(".")[0], version) if part)
