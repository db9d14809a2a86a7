"""Loads one model folder: chooses how the model is computed here, and tests it before any call."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog

from hybridrank.model_files import calibration, self_test
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.self_test import GoldenPairs, Verdict
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.base import NOT_FINITE, SELF_CHECK, Encoder
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant
from hybridrank.sidecar.rerankers.registry import variants
from hybridrank.sidecar.runtime.precision import Device, Precision, Runtime, Wanted
from hybridrank.sidecar.types import TextKind

__all__ = ["cosines", "load_model", "load_untested", "score_golden_pairs", "self_check", "with_calibration"]

log = structlog.get_logger("sidecar")


def load_model(
    path: Path,
    *,
    precision: Precision = "auto",
    device: Device = "cpu",
    runtime: Runtime = "onnx",
    remotes: Path | None = None,
) -> LoadedModel:
    """Loads and tests a model folder; takes about half a second, so run it in a thread.

    After a failed test the next possible precision or device is used, and the log reports it; the last one must be
    usable. Raises BadModelFolder.
    """
    ways = variants(path, Wanted(precision, device, runtime, remotes))
    golden = self_test.read(path)
    for index, variant in enumerate(ways):
        way_out = index + 1 < len(ways)
        facts = {"model": variant.info.name, "precision": variant.info.precision, "device": variant.device}
        try:
            model = _built(path, variant)
            verdict = score_golden_pairs(model, golden)
        except BadModelFolder as error:
            if not way_out:
                raise
            log.warning("another precision or device serves in its place", **facts, problem=str(error))
            continue
        except InvalidArgument as error:
            raise BadModelFolder(path, f"selftest.json cannot be used: {error}") from error
        problem = verdict.problem(0 if way_out else verdict.usable_swaps)
        if not problem:
            if verdict.remark:
                log.warning("serves, with other scores than the reference", **facts, problem=verdict.remark)
            return with_calibration(model, path)
        if not way_out:
            raise BadModelFolder(path, f"its self-test failed at {facts['precision']} on {variant.device}: {problem}")
        log.warning("another precision or device serves in its place", **facts, problem=problem)
    raise AssertionError("there is at least one variant")


def load_untested(path: Path, precision: Precision) -> LoadedModel:
    """Loads a model at this precision on a CPU without its golden pairs; raises BadModelFolder."""
    return _built(path, variants(path, Wanted(precision))[0])


def _built(path: Path, variant: Variant) -> LoadedModel:
    """Returns the model after it returned numbers of the right shape; raises BadModelFolder otherwise."""
    model = variant.load()
    if not model.remote and (problem := self_check(model)):
        raise BadModelFolder(path, f"the model loads but does not work here: {problem}")
    return model


def with_calibration(model: LoadedModel, path: Path) -> LoadedModel:
    """Adds the folder's calibration of this precision; raises BadModelFolder for an invalid file."""
    found = calibration.read(path)
    fitted = found.get(model.info.digest)
    if found and not fitted:
        problem = "it was fitted on another model or precision; calibrate this one"
        log.warning("calibration left out", model=model.info.name, problem=problem, fitted_on=sorted(found))
    if not fitted:
        return model
    return replace(model, info=replace(model.info, calibration=fitted.digest), calibration=fitted)


def self_check(model: LoadedModel) -> str | None:
    """Computes a few scores and a vector; returns the problem with them, None if there is none."""
    try:
        return model.reranker.self_check() or _problem_with_vectors(model)
    except Exception as error:  # ONNX Runtime's exceptions have no other common base class
        return str(error)


def _problem_with_vectors(model: LoadedModel) -> str | None:
    if model.encoder is None:
        return None
    _, texts = SELF_CHECK
    vectors = model.encoder.embed(model.encoder.tokenize_texts(texts, TextKind.DOCUMENT))
    wanted = (len(texts), model.info.dimensions)
    if vectors.shape != wanted:
        return f"vectors of shape {vectors.shape} came back; model.toml says {wanted}"
    return None if np.isfinite(vectors).all() else f"a vector is not finite; {NOT_FINITE}"


def score_golden_pairs(model: LoadedModel, golden: Sequence[GoldenPairs]) -> Verdict:
    """Computes the pairs in the same way as calls, and compares; without pairs the verdict is positive."""
    if not golden:
        return Verdict(0, 0, 0.0)
    wanted = [each.relevance_scores for each in golden]
    scores = [model.reranker.relevance_scores(each.query, each.passages) for each in golden]
    verdict = self_test.compare(wanted, scores)
    vectors = [each for each in golden if each.cosines is not None]
    if model.encoder and vectors:
        found = [cosines(model.encoder, each.query, each.passages) for each in vectors]
        verdict += self_test.compare([each.cosines or () for each in vectors], found)
    return verdict


def cosines(encoder: Encoder, query: str, passages: Sequence[str]) -> list[float]:
    """Returns the cosine of each passage's vector with the query's."""
    (asked,) = encoder.embed(encoder.tokenize_texts([query], TextKind.QUERY))
    sequences = encoder.tokenize_texts(passages, TextKind.DOCUMENT)
    batches = [sequences] if encoder.batches else [[sequence] for sequence in sequences]
    return [float(vector @ asked) for batch in batches for vector in encoder.embed(batch)]
