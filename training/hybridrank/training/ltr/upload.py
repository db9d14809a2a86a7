"""Upload of a feature set and a model into a cluster that has an LTR plugin."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridrank.connector.engines.rest.paths import url_path
from hybridrank.connector.errors import EngineError
from hybridrank.index_templates.setup_plan import Found, Part, Step
from hybridrank.ltr_features import FeatureSet
from hybridrank.ltr_features.sltr import KEYWORDS, ModelType, feature_set_body, model_body
from hybridrank.model_files import forest_folder
from hybridrank.training.ltr.errors import CannotExport
from hybridrank.training.ltr.exports import export, sent_elsewhere
from hybridrank.training.ltr.lambdamart import load_booster

__all__ = ["Upload", "carry_out", "read_upload", "stored_parts"]

Send = Callable[[str, str, Mapping[str, Any] | None], Awaitable[Any]]

_TYPES: dict[str, ModelType] = {"xgboost": "model/xgboost+json", "ranklib": "model/ranklib"}
_STORE = "_default_"


@dataclass(frozen=True, slots=True)
class Upload:
    """The wanted objects in the cluster. The plugin tries every template on `index`; "" for none."""

    feature_set: FeatureSet
    model: str
    model_type: ModelType
    definition: str
    index: str = ""

    def parts(self) -> tuple[Part, ...]:
        """Returns the objects in the order of their dependencies."""
        features = feature_set_body(self.feature_set)["featureset"]["features"]
        return (
            Part("feature store", _STORE, {}),
            Part("feature set", self.feature_set.name, {"features": features}),
            Part("LTR model", self.model, _shown_model(self.model_type, self.definition, features)),
        )


def read_upload(model: Path, to: str, name: str, index: str) -> Upload:
    """Reads a model folder and converts it to the plugin's format. Raises CannotExport."""
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


async def stored_parts(send: Send, wanted: Upload) -> list[Found]:
    """Returns the objects that the cluster has already. Raises EngineError if the plugin is not installed."""
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
        return (await send("GET", url_path("_ltr", f"_{kind}", name), None))["_source"][kind]
    except EngineError as error:
        if error.status == 404:
            return None
        raise


async def carry_out(send: Send, step: Step, wanted: Upload, *, replace: bool) -> None:
    """Makes one change in the cluster."""
    if step.kind == "feature store":
        await send("PUT", "/_ltr", None)
    elif step.kind == "feature set":
        tried = {"validation": {"params": {KEYWORDS: "a b"}, "index": wanted.index}} if wanted.index else {}
        method = "PUT" if step.action == "create" else "POST"  # PUT creates, POST updates
        await send(method, url_path("_ltr", "_featureset", step.name), feature_set_body(wanted.feature_set) | tried)
    else:
        if step.action == "change":
            if not replace:
                raise EngineError(
                    f"another model is called {step.name} there, and the plugin changes none: train with another"
                    " --version, give another --name, or say --replace",
                    reason="model_exists",
                )
            await send("DELETE", url_path("_ltr", "_model", step.name), None)
        create = url_path("_ltr", "_featureset", wanted.feature_set.name, "_createmodel")
        await send("POST", create, model_body(step.name, wanted.definition, wanted.model_type))


def _shown_model(model_type: str, definition: Any, features: Any) -> dict[str, Any]:
    """Returns the model in the form that is compared and shown."""
    trees = hashlib.sha256(str(definition).encode()).hexdigest()
    return {"type": model_type, "trees": trees, "features": features}
