"""`hybridrank ltr upload`: a feature set and a model into a cluster that has an LTR plugin."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from connector import connect_engine
from connector.engines.rest import RestEngine
from connector.errors import EngineError
from hybridrank.options import JsonOption
from hybridrank.setup_steps import out, show
from index_templates.setup_plan import Found, Part, Step, plan
from ltr_features import FeatureSet
from ltr_features.sltr import KEYWORDS, ModelType, feature_set_body, model_body
from sidecar.runtime import forest_folder
from training.ltr.errors import CannotExport
from training.ltr.exports import export, sent_elsewhere
from training.ltr.lambdamart import load_booster

__all__ = ["upload"]

Send = Callable[[str, str, Mapping[str, Any] | None], Awaitable[Any]]

_TYPES: dict[str, ModelType] = {"xgboost": "model/xgboost+json", "ranklib": "model/ranklib"}
_STORE = "_default_"


@dataclass(frozen=True, slots=True)
class Upload:
    """What is wanted in the cluster. `index` is one on which the plugin tries every template; "" for none."""

    feature_set: FeatureSet
    model: str
    model_type: ModelType
    definition: str
    index: str = ""

    def parts(self) -> tuple[Part, ...]:
        """Each after what it needs. A model holds a copy of its features, and is told by the digest of its trees."""
        features = feature_set_body(self.feature_set)["featureset"]["features"]
        return (
            Part("feature store", _STORE, {}),
            Part("feature set", self.feature_set.name, {"features": features}),
            Part("LTR model", self.model, _shown_model(self.model_type, self.definition, features)),
        )


def upload(
    model: Annotated[Path, typer.Argument(help="A lambdamart model folder.")],
    engine: Annotated[
        str, typer.Option("--engine", envvar="HYBRIDRANK_ENGINE", help="http(s)://[USER:PASSWORD@]HOST:PORT.")
    ],
    to: Annotated[Literal["xgboost", "ranklib"], typer.Option(help="The plugin's format for the trees.")] = "xgboost",
    name: Annotated[str, typer.Option(help="The model's name there.", show_default="NAME-VERSION")] = "",
    index: Annotated[str, typer.Option(help="Have the plugin try every feature on this index first.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete another model of this name; searches by it fail meanwhile.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a model and its features into a cluster that has the LTR plugin, for `sltr` queries.

    Run it again at any time: only what differs is changed. Models of the plugin cannot be changed, so give a new
    one a new version. Train it with missing_as_zero: a feature that does not match is 0 there.

    Example: hybridrank ltr upload my-models/shop --engine http://localhost:9200 --dry-run
    """
    wanted = _read(model, to, name, index)
    parts = wanted.parts()

    async def run() -> tuple[Step, ...]:
        cluster = await connect_engine(engine)
        try:
            if not isinstance(cluster, RestEngine):
                raise typer.BadParameter(f"{cluster!r} has no plugins", param_hint="--engine")
            steps = plan(parts, await _found(cluster.request, wanted))
            show(steps, as_json=as_json)
            if not dry_run:
                for step in steps:
                    await _carry_out(cluster.request, step, wanted, replace=replace)
            return steps
        finally:
            await cluster.close()

    steps = asyncio.run(run())
    if not as_json and (not steps or not dry_run):
        out.print(f"done: rescore by the model {wanted.model} (docs/ltr.md)" if steps else "nothing to change")


def _read(model: Path, to: str, name: str, index: str) -> Upload:
    folder = forest_folder.read(model)
    booster = load_booster(folder)
    if routed := sent_elsewhere(booster):
        raise CannotExport(
            "a feature that does not match is 0 in the LTR plugin, and the forest sends these another way than 0 when "
            f"missing: {', '.join(routed)}. Train with missing_as_zero"
        )
    definition = export(booster, "ranklib" if to == "ranklib" else "xgboost")
    name = name or f"{folder.toml.name}-{folder.toml.version}"
    return Upload(folder.feature_set, name, _TYPES[to], definition, index)


async def _found(send: Send, wanted: Upload) -> list[Found]:
    """What of it is there. Raises EngineError where the plugin is not installed."""
    try:
        stores = (await send("GET", "/_ltr", None))["stores"]
    except (EngineError, KeyError) as error:
        status = error.status if isinstance(error, EngineError) else 0
        if status in (401, 403):
            raise
        raise EngineError(
            "this cluster has no LTR plugin: install it on every node, or serve the model with the sidecar, which"
            f" needs none ({error})",
            status=status,
            reason="no_ltr_plugin",
        ) from error
    if _STORE not in stores:
        return []
    found = [Found("feature store", _STORE, {}, _STORE)]
    if stored := await _stored(send, "featureset", wanted.feature_set.name):
        found.append(Found("feature set", wanted.feature_set.name, {"features": stored["features"]}))
    if stored := await _stored(send, "model", wanted.model):
        trees = stored["model"]
        body = _shown_model(trees["type"], trees["definition"], stored["feature_set"]["features"])
        found.append(Found("LTR model", wanted.model, body))
    return found


async def _stored(send: Send, kind: str, name: str) -> Any:
    try:
        return (await send("GET", _path(kind, name), None))["_source"][kind]
    except EngineError as error:
        if error.status == 404:
            return None
        raise


async def _carry_out(send: Send, step: Step, wanted: Upload, *, replace: bool) -> None:
    if step.kind == "feature store":
        await send("PUT", "/_ltr", None)
    elif step.kind == "feature set":
        tried = {"validation": {"params": {KEYWORDS: "a b"}, "index": wanted.index}} if wanted.index else {}
        method = "PUT" if step.action == "create" else "POST"  # which creates, which updates
        await send(method, _path("featureset", step.name), feature_set_body(wanted.feature_set) | tried)
    else:
        if step.action == "change":
            if not replace:
                raise EngineError(
                    f"another model is called {step.name} there, and the plugin changes none: train with another"
                    " --version, give another --name, or say --replace",
                    reason="model_exists",
                )
            await send("DELETE", _path("model", step.name), None)
        create = f"{_path('featureset', wanted.feature_set.name)}/_createmodel"
        await send("POST", create, model_body(step.name, wanted.definition, wanted.model_type))


def _shown_model(model_type: str, definition: Any, features: Any) -> dict[str, Any]:
    """A model as it is compared and shown."""
    trees = hashlib.sha256(str(definition).encode()).hexdigest()
    return {"type": model_type, "trees": trees, "features": features}


def _path(kind: str, name: str) -> str:
    return f"/_ltr/_{kind}/{quote(name, safe='')}"
