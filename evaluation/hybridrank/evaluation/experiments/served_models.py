"""The models of a sidecar that an experiment uses, and what each needs."""

from collections.abc import Collection, Sequence

from hybridrank.common.errors import HybridrankError
from hybridrank.connector import ModelInfo
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.ltr_features import FeatureSet

__all__ = ["NoLateInteraction", "UnknownModel", "WrongFeatureSet", "feature_sets_of", "stored_models"]


class UnknownModel(HybridrankError, ValueError):
    """The sidecar does not have the model, would not have it, or the index cannot serve it; the message says more."""


class NoLateInteraction(UnknownModel):
    """None of the models scores token vectors."""


class WrongFeatureSet(HybridrankError, ValueError):
    """The feature set that a model was trained on is not among those that were given."""


def stored_models(wanted: Collection[str], models: Sequence[ModelInfo]) -> tuple[str, ...]:
    """Returns the wanted names of late-interaction models, which score token vectors; at least one.

    Raises NoLateInteraction.
    """
    known = models_by_name(models)
    late = tuple(name for name in wanted if name in known and known[name].kind in {"encoder", "colbert"})
    if not late:
        raise NoLateInteraction(
            f"{', '.join(wanted) or 'no reranker'} scores no token vectors; late interaction does, as colbert"
        )
    return late


def feature_sets_of(
    wanted: Collection[str], models: Sequence[ModelInfo], given: Sequence[FeatureSet]
) -> dict[str, FeatureSet]:
    """Returns, for each wanted model that ranks by features, the given set that it was trained on.

    Raises WrongFeatureSet for a model whose set is not among them.
    """
    by_digest = {each.digest: each for each in given}
    chosen = {}
    for model, info in models_by_name(models).items():
        if model in wanted and info.feature_set:
            own = info.feature_set
            if own.digest not in by_digest:
                digests = ", ".join(f"{digest[:12]}…" for digest in by_digest) or "no set"
                raise WrongFeatureSet(
                    f"model {model!r} ranks by feature set {own.name}:{own.version}, digest {own.digest[:12]}…; give"
                    f" its file, features.json of the model folder, not {digests}"
                )
            chosen[model] = by_digest[own.digest]
    return chosen
