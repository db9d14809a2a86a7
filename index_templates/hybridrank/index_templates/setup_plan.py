"""The parts that `hybridrank setup` installs in a cluster, and the steps from the current to the wanted state. Pure.

The server assigns ids of connectors and models, so bodies use a `reference` until the ids are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hybridrank.index_templates import changes

__all__ = ["Found", "Kind", "Part", "Step", "plan", "plan_removal", "reference", "resolved"]

Kind = Literal[
    "record of settings",
    "cluster setting",
    "connector",
    "model group",
    "model",
    "deployment",
    "task record",
    "ingest pipeline",
    "search pipeline",
    "search template",
    "index template",
    "default pipeline",
    "inference endpoint",
    "feature store",
    "feature set",
    "LTR model",
]


_REMOVED: tuple[Kind, ...] = (
    "default pipeline",
    "index template",
    "search template",
    "search pipeline",
    "ingest pipeline",
    "task record",
    "model",
    "model group",
    "connector",
    "inference endpoint",
)


_SECRETS = ("credential", "secret_parameters", "api_key")


@dataclass(frozen=True, slots=True)
class Part:
    """One wanted object; `body` is its request body."""

    kind: Kind
    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One existing object; `id` is the id that the server assigned, or else the name."""

    kind: Kind
    name: str
    body: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One change; `changes` are lines of a diff, `id` is known unless the object is yet to be created."""

    action: Literal["create", "change", "remove"]
    kind: Kind
    name: str
    body: Mapping[str, Any]
    id: str = ""
    changes: tuple[str, ...] = ()


def reference(kind: Kind, name: str) -> str:
    """Returns a placeholder for an id in a body."""
    return f"<id of {kind} {name}>"


def resolved(value: Any, known: Mapping[str, str]) -> Any:
    """Returns the same JSON with every string that is a key of `known` replaced."""
    if isinstance(value, Mapping):
        return {key: resolved(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, known) for inner in value]
    return known.get(value, value) if isinstance(value, str) else value


def plan(wanted: Sequence[Part], found: Sequence[Found]) -> tuple[Step, ...]:
    """Returns the steps in an order that respects dependencies; none if everything is already as wanted.

    ml-commons changes neither a connector nor a model while the model is deployed: to change one, the plan removes the
    deployment first and creates it again.
    """
    there = {(each.kind, each.name): each for each in reversed(found)}
    ids = {reference(each.kind, each.name): each.id for each in there.values()}
    wanted = [replace(part, body=resolved(part.body, ids)) for part in wanted]
    steps = [_step(part, there.get((part.kind, part.name))) for part in wanted]
    changing = {each.name for each in steps if each and each.action == "change" and each.kind in ("connector", "model")}
    first = [_undeployment(each) for each in there.values() if each.kind == "model" and each.name in changing]
    again = {each.name for each in first}
    return (
        *first,
        *(
            step or Step("create", part.kind, part.name, part.body)
            for part, step in zip(wanted, steps, strict=True)
            if step or (part.kind == "deployment" and part.name in again)
        ),
    )


def plan_removal(found: Sequence[Found], settings: Mapping[str, Any]) -> tuple[Step, ...]:
    """Returns the steps that remove everything, users before what they use; `settings` are the settings to restore."""
    removals = [_removal(each) for kind in _REMOVED for each in found if each.kind == kind]
    undeployments = [_undeployment(each) for each in found if each.kind == "model"]
    back = [
        Step("change", each.kind, each.name, {"value": value}, each.id, changes(each.body, after))
        for each in found
        if each.kind == "cluster setting" and each.name in settings
        for value in [settings[each.name]]
        for after in [{} if value is None else {"value": value}]
    ]
    # The record is removed last: after an interruption the settings can still be restored.
    record = [_removal(each) for each in found if each.kind == "record of settings"]
    return (*undeployments, *removals, *back, *record)


def _step(part: Part, there: Found | None) -> Step | None:
    shown = _told(part.body)
    if there is None:
        return Step("create", part.kind, part.name, part.body, changes=changes(None, shown))
    difference = changes(_narrowed(there.body, shown), shown)
    return Step("change", part.kind, part.name, part.body, there.id, difference) if difference else None


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Removes the secrets at every depth, because no server returns them."""
    told = {key: value for key, value in body.items() if key not in _SECRETS}
    return {key: _told(value) if isinstance(value, Mapping) else value for key, value in told.items()}


def _removal(there: Found) -> Step:
    # Only the settings of an index that name a pipeline of hybridrank are removed.
    body = dict.fromkeys(there.body) if there.kind == "default pipeline" else {}
    return Step("remove", there.kind, there.name, body, there.id)


def _undeployment(model: Found) -> Step:
    """Undeploys in any reported state of the model: a node may still have it deployed."""
    return Step("remove", "deployment", model.name, {}, model.id)


def _narrowed(there: Any, wanted: Any) -> Any:
    """Keeps only the keys of the server's answer that `wanted` also has, at every depth."""
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        return {key: _narrowed(value, wanted[key]) for key, value in there.items() if key in wanted}
    if isinstance(there, list) and isinstance(wanted, list):
        extra = there[len(wanted) :]
        return [*(_narrowed(mine, ours) for mine, ours in zip(there, wanted, strict=False)), *extra]
    return there
