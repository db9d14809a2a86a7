"""Reads, verifies and writes the model folder of a forest: model.txt, features.json, and model.toml about them.

model.txt is LightGBM's own file, as `Booster.save_model` writes it. features.json is the feature set that the forest
was trained on, as `FeatureSet.dump` writes it.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hybridrank.common.model_info import FeatureSetInfo, ModelInfo
from hybridrank.ltr_features.feature_set import BadFeatureSet, FeatureSet
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import ModelToml, read_toml, require_files, sha256, write_toml

__all__ = ["KIND", "MODEL", "ForestFolder", "LambdaMartToml", "read", "write"]

KIND: Literal["lambdamart"] = "lambdamart"
MODEL, FEATURES = "model.txt", "features.json"


class LambdaMartToml(ModelToml):
    """The content of model.toml for a forest. `version` changes with trees or features; `write` adds the digests.

    `feature_set` is the digest of the feature set, `digest` the digest of everything that decides a score.
    """

    kind: Literal["lambdamart"] = KIND
    feature_set: str = ""


@dataclass(frozen=True)
class ForestFolder:
    """A model folder that was read and verified."""

    path: Path
    toml: LambdaMartToml
    feature_set: FeatureSet

    @property
    def model(self) -> Path:
        """LightGBM's file."""
        return self.path / MODEL

    @property
    def info(self) -> ModelInfo:
        """Information about the model that callers may see."""
        toml, features = self.toml, self.feature_set
        return ModelInfo(
            name=toml.name,
            version=toml.version,
            kind=toml.kind,
            digest=toml.digest,
            precision="fp64",
            max_tokens=0,
            aliases=toml.aliases,
            feature_set=FeatureSetInfo(features.name, features.version, features.digest, features.names),
        )


def read(folder: Path) -> ForestFolder:
    """Reads model.toml and compares its digests with the files; raises BadModelFolder with the reason."""
    require_files(folder, (MODEL, FEATURES))
    toml = read_toml(folder, LambdaMartToml)
    if (digest := _digest(folder)) != toml.digest:
        raise BadModelFolder(
            folder,
            f"the files have digest {digest} but model.toml says {toml.digest or 'nothing'}; fetch the model again, or "
            "write the new digest and a new version there if the change was meant",
        )
    try:
        feature_set = FeatureSet.load(folder / FEATURES)
    except BadFeatureSet as error:
        raise BadModelFolder(folder, str(error)) from error
    if feature_set.digest != toml.feature_set:
        raise BadModelFolder(
            folder,
            f"{FEATURES} is feature set {feature_set.digest} but the model was trained on "
            f"{toml.feature_set or 'none'}; put the set of its training there",
        )
    return ForestFolder(folder, toml, feature_set)


def write(folder: Path, toml: LambdaMartToml, feature_set: FeatureSet) -> ForestFolder:
    """Writes features.json, and model.toml with the digests, beside the model.txt that is already in `folder`."""
    require_files(folder, (MODEL,))
    feature_set.dump(folder / FEATURES)
    complete = toml.model_copy(update={"feature_set": feature_set.digest, "digest": _digest(folder)})
    write_toml(folder, complete)
    return ForestFolder(folder, complete, feature_set)


def _digest(folder: Path) -> str:
    """Returns the SHA-256 over the kind and the digests of both files."""
    whole = hashlib.sha256(KIND.encode())
    for name in (MODEL, FEATURES):
        whole.update(sha256(folder / name))
    return whole.hexdigest()
