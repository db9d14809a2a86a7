"""What `hybridrank setup` puts into a cluster, and the steps from what is there to what is wanted. Pure.

Ids of connectors and models are given by the server, so bodies name them by `reference` until they are known.
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
    """One thing that is wanted: `body` is what is sent for it."""

    kind: Kind
    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is there; `id` is the server's where it gives one, else the name."""

    kind: Kind
    name: str
    body: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One change; `changes` are lines of a diff, `id` is known unless the thing is yet to be created."""

    action: Literal["create", "change", "remove"]
    kind: Kind
    name: str
    body: Mapping[str, Any]
    id: str = ""
    changes: tuple[str, ...] = ()


def reference(kind: Kind, name: str) -> str:
    """Stands for an id in a body."""
    return f"<id of {kind} {name}>"


def resolved(value: Any, known: Mapping[str, str]) -> Any:
    """The same JSON with every string that is a key of `known` replaced."""
    if isinstance(value, Mapping):
        return {key: resolved(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, known) for inner in value]
    return known.get(value, value) if isinstance(value, str) else value


def plan(wanted: Sequence[Part], found: Sequence[Found]) -> tuple[Step, ...]:
    """The steps, in an order in which each finds what it needs; none where everything is as wanted.

    ml-commons changes neither a connector nor a model while the model is deployed: where one is to change, the
    deployment is removed first and created again.
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
    """The steps that take everything away again, users before what they use; `settings` are those to put back."""
    removals = [_removal(each) for kind in _REMOVED for each in found if each.kind == kind]
    undeployments = [_undeployment(each) for each in found if each.kind == "model"]
    back = [
        Step("change", each.kind, each.name, {"value": value}, each.id, changes(each.body, after))
        for each in found
        if each.kind == "cluster setting" and each.name in settings
        for value in [settings[each.name]]
        for after in [{} if value is None else {"value": value}]
    ]
    # The record goes last: after an interruption the settings can still be put back.
    record = [_removal(each) for each in found if each.kind == "record of settings"]
    return (*undeployments, *removals, *back, *record)


def _step(part: Part, there: Found | None) -> Step | None:
    shown = _told(part.body)
    if there is None:
        return Step("create", part.kind, part.name, part.body, changes=changes(None, shown))
    difference = changes(_narrowed(there.body, shown), shown)
    return Step("change", part.kind, part.name, part.body, there.id, difference) if difference else None


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without the secrets, at whatever depth, which no server tells again."""
    told = {key: value for key, value in body.items() if key not in _SECRETS}
    return {key: _told(value) if isinstance(value, Mapping) else value for key, value in told.items()}


def _removal(there: Found) -> Step:
    # Of an index's settings only those go that name a pipeline of ours.
    body = dict.fromkeys(there.body) if there.kind == "default pipeline" else {}
    return Step("remove", there.kind, there.name, body, there.id)


def _undeployment(model: Found) -> Step:
    """Whatever state the model is said to be in: a node may have it deployed all the same."""
    return Step("remove", "deployment", model.name, {}, model.id)


def _narrowed(there: Any, wanted: Any) -> Any:
    """Of what a server says, what we have a say in: the keys that `wanted` has too, at every depth."""
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        return {key: _narrowed(value, wanted[key]) for key, value in there.items() if key in wanted}
    if isinstance(there, list) and isinstance(wanted, list):
        extra = there[len(wanted) :]
        return [*(_narrowed(mine, ours) for mine, ours in zip(there, wanted, strict=False)), *extra]
    return there
