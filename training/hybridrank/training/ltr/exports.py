"""A forest for other servers: XGBoost's JSON, RankLib's XML, and LightGBM's own `dump_model`. Pure.

| format | read by | missing value |
|---|---|---|
| XGBoost JSON | LTR plugins, `model/xgboost+json` | its branch, in `missing`; the branch of 0 if that is ignored |
| RankLib XML | LTR plugins, `model/ranklib` | not supported: features that did not match are 0 |
| LightGBM JSON | Vespa's `lightgbm()` | its branch, in `default_left` and `missing_type` |

The first two compare in float32. A threshold t is written as the float32 that splits all float32 values as t does.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from hybridrank.training.ltr.errors import CannotExport

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["FORMATS", "ExportFormat", "export", "sent_elsewhere"]

ExportFormat: TypeAlias = Literal["xgboost", "ranklib", "lightgbm"]
FORMATS: tuple[ExportFormat, ...] = ("xgboost", "ranklib", "lightgbm")

Node: TypeAlias = Mapping[str, Any]
"""A node of `dump_model`: a leaf has `leaf_value`, a split goes left where value <= threshold."""


def export(booster: "Booster", to: ExportFormat) -> str:
    """Returns the file's text. Raises CannotExport."""
    dump = booster.dump_model()
    trees = [tree["tree_structure"] for tree in dump["tree_info"]]
    names = dump["feature_names"]
    for tree in trees:
        _require_plain(tree, names)
    if to == "lightgbm":
        return json.dumps(dump, indent=1) + "\n"
    if to == "xgboost":
        return json.dumps([_Numbered().xgboost(tree, names) for tree in trees], indent=1) + "\n"
    if routed := sent_elsewhere(booster):
        raise CannotExport(
            "RankLib reads 0 where a value is missing, and the forest sends these another way than 0 when missing: "
            f"{', '.join(routed)}. Train with missing_as_zero, or export to xgboost"
        )
    return _ranklib(trees)


def sent_elsewhere(booster: "Booster") -> list[str]:
    """Returns the names of features that take another branch in the forest when missing than when 0."""
    dump = booster.dump_model()
    trees = (tree["tree_structure"] for tree in dump["tree_info"])
    return sorted({dump["feature_names"][feature] for tree in trees for feature in _unlike_zero(tree)})


def goes_left_when_missing(split: Node) -> bool:
    """True if NaN goes left. If training saw none (`missing_type` None), LightGBM treats it as 0."""
    if split["missing_type"] == "NaN":
        return bool(split["default_left"])
    return bool(split["threshold"] >= 0)


def float32_at_most(threshold: float) -> np.float32:
    """Returns the largest float32 that is not above `threshold`; float32 values compare the same with both."""
    with np.errstate(over="ignore"):
        near: np.float32 = np.float32(threshold)
    below: np.float32 = np.nextafter(near, np.float32(-np.inf))
    return near if float(near) <= threshold else below


class _Numbered:
    """Numbers the nodes of one tree while writing: the parent first, then its left subtree."""

    def __init__(self) -> None:
        self._next = 0

    def xgboost(self, node: Node, names: Sequence[str], depth: int = 0) -> dict[str, Any]:
        """Returns a node of XGBoost's `dump_model(…, dump_format="json")`: yes if value < split_condition."""
        number = self._next
        self._next += 1
        if "leaf_value" in node:
            return {"nodeid": number, "leaf": node["leaf_value"]}
        left = self.xgboost(node["left_child"], names, depth + 1)
        right = self.xgboost(node["right_child"], names, depth + 1)
        return {
            "nodeid": number,
            "depth": depth,
            "split": names[node["split_feature"]],
            "split_condition": float(np.nextafter(float32_at_most(node["threshold"]), np.float32(np.inf))),
            "yes": left["nodeid"],
            "no": right["nodeid"],
            "missing": (left if goes_left_when_missing(node) else right)["nodeid"],
            "children": [left, right],
        }


def _ranklib(trees: Sequence[Node]) -> str:
    """Returns RankLib's model file: left if value <= threshold, features by their 1-based number."""
    ensemble = Element("ensemble")
    for number, tree in enumerate(trees, start=1):
        element = SubElement(ensemble, "tree", id=str(number), weight="1.0")
        _ranklib_split(SubElement(element, "split"), tree)
    indent(ensemble, "\t")
    return f"## LambdaMART\n## No. of trees = {len(trees)}\n\n{tostring(ensemble, encoding='unicode')}\n"


def _ranklib_split(element: Element, node: Node) -> None:
    if "leaf_value" in node:
        SubElement(element, "output").text = repr(node["leaf_value"])
        return
    SubElement(element, "feature").text = str(node["split_feature"] + 1)
    SubElement(element, "threshold").text = repr(float(float32_at_most(node["threshold"])))
    for side in ("left", "right"):
        _ranklib_split(SubElement(element, "split", pos=side), node[f"{side}_child"])


def _require_plain(node: Node, names: Sequence[str]) -> None:
    if "leaf_value" in node:
        if "leaf_coeff" in node:
            raise CannotExport("the forest has linear models in its leaves; train without linear_tree")
        return
    name = names[node["split_feature"]]
    if node["decision_type"] != "<=":
        raise CannotExport(f"the forest splits {name} by category; train it as a number")
    if node["missing_type"] == "Zero":
        raise CannotExport(f"the forest takes 0 of {name} for missing; train without zero_as_missing")
    for side in ("left_child", "right_child"):
        _require_plain(node[side], names)


def _unlike_zero(node: Node) -> set[int]:
    """Returns the features that take another branch in some split when missing than when 0."""
    if "leaf_value" in node:
        return set()
    here = {node["split_feature"]} if goes_left_when_missing(node) != (node["threshold"] >= 0) else set()
    return here | _unlike_zero(node["left_child"]) | _unlike_zero(node["right_child"])
