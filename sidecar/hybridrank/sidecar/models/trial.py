"""Loads one model folder: chooses its precision, builds the model, and tests it before any call."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog

from hybridrank.common.counts import counted
from hybridrank.common.error_text import os_problem
from hybridrank.model_files import calibration, forest_folder, model_folder, self_test
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import ColbertToml, CrossEncoderToml, EncoderToml, ModelFolder
from hybridrank.model_files.self_test import GoldenPairs, Verdict
from hybridrank.model_files.token_codec import CODEC, BadTokenCodec, ResidualCodec, codecs_of
from hybridrank.sidecar.models.catalog import LoadedModel
from hybridrank.sidecar.rerankers.base import Encoder, Reranker
from hybridrank.sidecar.rerankers.colbert import ColbertReranker
from hybridrank.sidecar.rerankers.colbert_encoder import ColbertEncoder
from hybridrank.sidecar.rerankers.cross_encoder import CrossEncoderReranker
from hybridrank.sidecar.rerankers.dense import DenseEncoder
from hybridrank.sidecar.rerankers.lambdamart import LambdaMartReranker
from hybridrank.sidecar.runtime import cpu, onnx_session
from hybridrank.sidecar.runtime.precision import Device, Placed, Precision, Runtime, place
from hybridrank.sidecar.types import TextKind

log = structlog.get_logger("sidecar")

SELF_CHECK = ("what does a sidecar do", ("A sidecar scores passages beside the search engine.", ""))
ODD_VALUES = (0.0, 1.0, math.nan, math.inf, -math.inf)
NOT_FINITE = "its weights hold NaN or are too large; export it again"


def load_model(
    path: Path, *, precision: Precision = "auto", device: Device = "cpu", runtime: Runtime = "onnx"
) -> LoadedModel:
    """Loads and tests a model folder; takes about half a second, so run it in a thread.

    After a failed test the next possible precision or device is used, and the log reports it; the last one must be
    usable. Raises BadModelFolder.
    """
    if model_folder.kind_of(path) == forest_folder.KIND:
        return with_calibration(load_forest(path), path)
    folder = model_folder.read(path)
    golden = self_test.read(path)
    placements = place(
        folder,
        precision=precision,
        device=device,
        runtime=runtime,
        providers=onnx_session.available_providers(),
        multiplies_int8=cpu.multiplies_int8(cpu.read_cpuinfo()),
    )
    for index, placed in enumerate(placements):
        way_out = index + 1 < len(placements)
        facts = {"model": folder.toml.name, "precision": placed.folder.toml.precision, "device": placed.device}
        try:
            model = build(placed)
            verdict = score_golden_pairs(model, golden)
        except BadModelFolder as error:
            if not way_out:
                raise
            log.warning("another precision or device serves in its place", **facts, problem=str(error))
            continue
        problem = verdict.problem(0 if way_out else verdict.usable_swaps)
        if not problem:
            if verdict.remark:
                log.warning("serves, with other scores than the reference", **facts, problem=verdict.remark)
            return with_calibration(model, path)
        if not way_out:
            raise BadModelFolder(path, f"its self-test failed at {facts['precision']} on {placed.device}: {problem}")
        log.warning("another precision or device serves in its place", **facts, problem=problem)
    raise AssertionError("there is at least one placement")


def load_forest(path: Path) -> LoadedModel:
    """Loads a forest and scores a few rows. It has one precision and runs equally on any CPU."""
    reranker = LambdaMartReranker(forest_folder.read(path))
    scores = reranker.score(np.array([[value] * len(reranker.feature_set.names) for value in ODD_VALUES]))
    if not np.isfinite(scores).all():
        raise BadModelFolder(path, f"rows of {ODD_VALUES} got the scores {scores.tolist()}; train it again")
    return LoadedModel(reranker.info, reranker)


def build(placed: Placed) -> LoadedModel:
    """Returns the model after it returned numbers of the right shape; raises BadModelFolder otherwise."""
    folder, toml = placed.folder, placed.folder.toml
    if isinstance(toml, EncoderToml):
        encoder = DenseEncoder(folder, toml, placed.device, placed.runtime)
        model = LoadedModel(encoder.info, ColbertReranker(encoder), encoder)
    elif isinstance(toml, ColbertToml):
        checkpoint = ColbertEncoder(folder, toml, placed.device, placed.runtime)
        model = LoadedModel(checkpoint.info, ColbertReranker(checkpoint, sums=True))
    else:
        reranker = CrossEncoderReranker(folder, placed.device, placed.runtime)
        model = LoadedModel(reranker.info, reranker)
    if problem := self_check(model):
        raise BadModelFolder(folder.path, f"the model loads but does not work here: {problem}")
    return with_codecs(model, folder)


def with_codecs(model: LoadedModel, folder: ModelFolder) -> LoadedModel:
    """Adds the storage formats of its token vectors, including codec.npz; raises BadModelFolder for an invalid one."""
    if isinstance(folder.toml, CrossEncoderToml):
        return model
    path, digest, residual = folder.path / CODEC, model.info.digest, None
    try:
        found = ResidualCodec.load(path) if path.is_file() else None
    except (BadTokenCodec, OSError) as error:
        problem = os_problem(error) if isinstance(error, OSError) else str(error)
        raise BadModelFolder(folder.path, problem) from error
    if found and found.model_digest == digest:
        residual = found
    elif found:
        problem = "it was trained on another model or precision; train one on this"
        log.warning("codec.npz left out", model=model.info.name, problem=problem, trained_on=found.model_digest)
    codecs = codecs_of(digest, folder.toml.dimensions, residual)
    info = replace(model.info, token_codec=residual.digest if residual else "")
    return replace(model, info=info, codecs=codecs)


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
        return _wrong_with(model)
    except Exception as error:  # ONNX Runtime's exceptions have no other common base class
        return str(error)


def _wrong_with(model: LoadedModel) -> str | None:
    assert not isinstance(model.reranker, LambdaMartReranker)  # which reads no text
    query, passages = SELF_CHECK
    scores = model.reranker.score(model.reranker.tokenize(query, passages))
    if scores.shape != (len(passages),):
        return f"scores of shape {scores.shape} came back for {counted(len(passages), 'passage')}"
    if not np.isfinite(scores).all():
        return f"{len(passages)} passages got the scores {scores.tolist()}; {NOT_FINITE}"
    if model.encoder:
        vectors = model.encoder.embed(model.encoder.tokenize_texts(passages, TextKind.DOCUMENT))
        wanted = (len(passages), model.info.dimensions)
        if vectors.shape != wanted:
            return f"vectors of shape {vectors.shape} came back; model.toml says {wanted}"
        if not np.isfinite(vectors).all():
            return f"a vector is not finite; {NOT_FINITE}"
    return None


def score_golden_pairs(model: LoadedModel, golden: Sequence[GoldenPairs]) -> Verdict:
    """Computes the pairs in the same way as calls, and compares; without pairs the verdict is positive."""
    if not golden:
        return Verdict(0, 0, 0.0)
    wanted = [each.relevance_scores for each in golden]
    verdict = self_test.compare(
        wanted, [relevance_scores(model.reranker, each.query, each.passages) for each in golden]
    )
    vectors = [each for each in golden if each.cosines is not None]
    if model.encoder and vectors:
        found = [cosines(model.encoder, each.query, each.passages) for each in vectors]
        verdict += self_test.compare([each.cosines or () for each in vectors], found)
    return verdict


def relevance_scores(reranker: Reranker | LambdaMartReranker, query: str, passages: Sequence[str]) -> list[float]:
    """Returns a score per passage; all in one batch, or alone if a batch-mate changes a score."""
    assert not isinstance(reranker, LambdaMartReranker)  # which reads no text
    pairs = reranker.tokenize(query, passages)
    batches = [pairs] if reranker.batches else [[pair] for pair in pairs]
    return [float(score) for batch in batches for score in reranker.score(batch)]


def cosines(encoder: Encoder, query: str, passages: Sequence[str]) -> list[float]:
    """Returns the cosine of each passage's vector with the query's."""
    (asked,) = encoder.embed(encoder.tokenize_texts([query], TextKind.QUERY))
    sequences = encoder.tokenize_texts(passages, TextKind.DOCUMENT)
    batches = [sequences] if encoder.batches else [[sequence] for sequence in sequences]
    return [float(vector @ asked) for batch in batches for vector in encoder.embed(batch)]
