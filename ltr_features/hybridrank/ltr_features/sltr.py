"""Request bodies for clusters with an LTR plugin (o19s' or OpenSearch's): feature set, model, rescore, log. Pure.

The plugin computes its features inside the cluster from query templates, so a set may hold only features that a query's
score can express: `bm25`, `phrase` and `proximity` without a transform, and `number` with none or `log1p`. There, a
number must not be negative, and the plugin takes the smallest of several values. The user's text is the parameter
`keywords`.

A feature that does not match is 0 here, on purpose: plugin versions treat it differently (as 0, as right at every
split, or as the forest says). So every template matches every document, and a forest is trained with `missing_as_zero`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hybridrank.common.errors import HybridrankError
from hybridrank.ltr_features.base import MISSING
from hybridrank.ltr_features.document import Number
from hybridrank.ltr_features.feature_set import Feature, FeatureSet
from hybridrank.ltr_features.text import Bm25, Phrase, Proximity
from hybridrank.ltr_features.transforms import Log1p
from hybridrank.ltr_features.values import Among, FeatureQuery

__all__ = ["KEYWORDS", "ModelType", "NotInPlugin", "feature_set_body", "log_body", "logged", "model_body", "rescore"]

ModelType = Literal["model/xgboost+json", "model/ranklib"]

KEYWORDS = "keywords"
_TEMPLATE = FeatureQuery(f"{{{{{KEYWORDS}}}}}")  # {{keywords}}, in Mustache
_LOG, _NAMED = "log", "features"


class NotInPlugin(HybridrankError, ValueError):
    """The feature set has features that a query's score cannot express; the message names them with their kinds."""


def feature_set_body(feature_set: FeatureSet) -> dict[str, Any]:
    """Builds the body of `PUT _ltr/_featureset/NAME`. Raises NotInPlugin."""
    refused = [f"{each.name} ({_why_not(each)})" for each in feature_set.features if _why_not(each)]
    if refused:
        raise NotInPlugin(f"the LTR plugin cannot compute {', '.join(refused)}; leave them out of a set for it")
    return {
        "featureset": {
            "name": feature_set.name,
            "features": [
                {"name": each.name, "params": [KEYWORDS], "template_language": "mustache", "template": _template(each)}
                for each in feature_set.features
            ],
        }
    }


def model_body(name: str, definition: str, model_type: ModelType) -> dict[str, Any]:
    """Builds the body of `POST _ltr/_featureset/NAME/_createmodel`; `definition` is the exported forest."""
    return {"model": {"name": name, "model": {"type": model_type, "definition": definition}}}


def rescore(model: str, query_text: str, window_size: int) -> dict[str, Any]:
    """Builds the `rescore` of a search body: the model alone sorts the first `window_size` of each shard."""
    sltr = {"sltr": {"model": model, "params": {KEYWORDS: query_text}}}
    weights = {"query_weight": 0.0, "rescore_query_weight": 1.0}
    return {"window_size": window_size, "query": {"rescore_query": sltr, **weights}}


def log_body(feature_set: FeatureSet, query_text: str, among: Among) -> dict[str, Any]:
    """Builds a search that logs the features of these documents in `fields._ltrlog` of each hit; `logged` reads it."""
    sltr = {"sltr": {"_name": _NAMED, "featureset": feature_set.name, "params": {KEYWORDS: query_text}}}
    log = {"name": _LOG, "named_query": _NAMED, "missing_as_zero": False}
    return {
        "size": among.count,
        "query": {"bool": {"filter": [among.clause, sltr]}},
        "ext": {"ltr_log": {"log_specs": log}},
        "_source": False,
        "track_total_hits": False,
    }


def logged(
    feature_set: FeatureSet, keys: Sequence[tuple[str, str]], answer: Mapping[str, Any]
) -> tuple[tuple[float, ...], ...]:
    """Returns a row for each document (its concrete index and its id), in their order, with a value for each feature.

    The shape is that of `matrix`. `answer` is the cluster's answer to `log_body`. A value is NaN if the answer has
    none: for a document that is gone, and for a feature that did not match in a set that others uploaded. Raises
    ValueError for a feature that is missing from the set in the cluster.
    """
    logs = {(hit["_index"], hit["_id"]): _values(hit) for hit in answer["hits"]["hits"]}
    known = next(iter(logs.values()), dict.fromkeys(feature_set.names))
    if lacking := [name for name in feature_set.names if name not in known]:
        raise ValueError(f"feature set {feature_set.name!r} in the cluster lacks {', '.join(lacking)}; upload it again")
    return tuple(tuple(logs.get(key, {}).get(name, MISSING) for name in feature_set.names) for key in keys)


def _values(hit: Mapping[str, Any]) -> dict[str, float]:
    """Returns feature → value. A feature that did not match has no value; other logged entries are not numbers."""
    (log,) = hit["fields"]["_ltrlog"]
    values = {each["name"]: each.get("value", MISSING) for each in log[_LOG]}
    return {name: float(value) for name, value in values.items() if not isinstance(value, Mapping)}


def _why_not(feature: Feature) -> str:
    match feature:
        case Bm25() | Phrase() | Proximity():
            return f"{feature.kind} with {feature.transform.function}" if feature.transform else ""
        case Number(transform=None | Log1p()):
            return ""
        case Number(transform=transform):
            return f"number with {transform.function}" if transform else ""
    return feature.kind


def _template(feature: Feature) -> dict[str, Any]:
    """Adds the query's score to 0, the score of every document."""
    everything = {"match_all": {"boost": 0.0}}
    return {"bool": {"must": [everything], "should": [_query(feature)]}}


def _query(feature: Feature) -> dict[str, Any]:
    if not isinstance(feature, Number):
        return feature.clause(_TEMPLATE, Among({}, 0), "elasticsearch") or {}
    modifier = {"modifier": "ln1p"} if feature.transform else {}
    return {
        "function_score": {
            "query": {"exists": {"field": feature.field}},
            "functions": [{"field_value_factor": {"field": feature.field, **modifier}}],
            "boost_mode": "replace",
        }
    }
