"""Token vectors as bytes: what comes back, how near, and what damaged or foreign bytes are told."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.model_files.arrays import unit_rows
from hybridrank.model_files.token_codec import BadTokenCodec, ResidualCodec, codecs_of
from hybridrank.model_files.token_vectors import BadTokenVectors, read, unpack, write
from hybridrank.training.token_codec import train_codec

MODEL = hashlib.sha256(b"model").hexdigest()
DIMENSIONS = 12  # no whole number of bytes at one bit
FARTHEST = {"fp32": 0.0, "fp16": 2**-11, "int8": 0.01}  # a number of a unit row, from what it was


def rows(seed: int, count: int, dimensions: int = DIMENSIONS) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32))


def clustered(seed: int, count: int) -> np.ndarray:
    """Rows near one of eight places, as the tokens of a language are near one of some thousand."""
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(count, DIMENSIONS))
    return unit_rows((rows(0, 8)[np.arange(count) % 8] + noise).astype(np.float32))


@pytest.fixture(scope="module")
def residual() -> dict[int, ResidualCodec]:
    sample = clustered(1, 2000)
    return {bits: train_codec(sample, bits=bits, centroids=16, model_digest=MODEL) for bits in (1, 2, 4)}


@given(
    st.sampled_from(["fp32", "fp16", "int8"]),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
)
def test_plain_rows_come_back_for_ragged_documents(name, seed, lengths):
    codecs = codecs_of(MODEL, DIMENSIONS, None)
    documents = [rows(seed + place, length) for place, length in enumerate(lengths)]
    stored = [write(codecs[name], each) for each in documents]
    found, counts = unpack([read(each, codecs) for each in stored])
    assert counts.tolist() == lengths
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.concatenate(documents), rtol=0, atol=FARTHEST[name])


@pytest.mark.parametrize(("bits", "bytes_a_token"), [(1, 2 + 2), (2, 2 + 3), (4, 2 + 6)])
def test_residual_rows_come_back_nearer_with_more_bits(residual, bits, bytes_a_token):
    codec, fewer = residual[bits], residual[max(1, bits // 2)]
    documents = [clustered(2, 50), clustered(3, 0), clustered(4, 1)]
    found, counts = unpack([read(write(codec, each), {"residual": codec}) for each in documents])
    assert counts.tolist() == [50, 0, 1]
    assert codec.record_bytes == bytes_a_token
    assert len(write(codec, documents[0])) == 16 + 50 * bytes_a_token
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    whole = np.concatenate(documents)
    cosines = np.sum(found * whole, axis=1)
    assert cosines.mean() > 0.97
    if bits > 1:
        assert cosines.mean() > np.sum(fewer.unpack(fewer.pack(whole)) * whole, axis=1).mean()


def test_a_residual_codec_by_hand():
    """Of (0.8, 0.6) the nearest of (1, 0) and (0, 1) is the first; the residual (-0.2, 0.6) falls into buckets 0, 1."""
    codec = ResidualCodec(
        np.eye(2, dtype=np.float32),
        cutoffs=np.array([0.0], dtype=np.float32),
        weights=np.array([-0.25, 0.5], dtype=np.float32),
        model_digest=MODEL,
    )
    records = codec.pack(np.array([[0.8, 0.6]], dtype=np.float32))
    assert records.tolist() == [[0, 0, 0b10]]
    length = (0.75**2 + 0.5**2) ** 0.5
    np.testing.assert_allclose(codec.unpack(records), [[0.75 / length, 0.5 / length]], rtol=1e-6)


def test_a_document_says_whether_it_was_cut():
    codecs = codecs_of(MODEL, DIMENSIONS, None)
    assert [read(write(codecs["int8"], rows(1, 2), truncated=cut), codecs).truncated for cut in (False, True)] == [
        False,
        True,
    ]


def test_windows_come_back_one_after_the_other():
    codec = codecs_of(MODEL, DIMENSIONS, None)["fp32"]
    windows = [rows(1, 3), rows(2, 0), rows(3, 2)]
    found = read(write(codec, *windows, truncated=True), {"fp32": codec})
    assert (found.windows, found.tokens, found.truncated) == ((3, 0, 2), 5, True)
    whole, lengths = unpack([read(write(codec, rows(4, 1)), {"fp32": codec}), found])
    assert lengths.tolist() == [1, 3, 0, 2]
    np.testing.assert_array_equal(whole, np.concatenate([rows(4, 1), *windows]))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: b"", "not token vectors"),
        (lambda whole: b"text" + whole[4:], "not token vectors"),
        (lambda whole: whole[:-1], "are damaged: 39 bytes for 2 tokens, not 40"),
        (lambda whole: whole + b"x", "or are damaged"),
        (lambda whole: whole * 101, "are of more than 100 windows"),
        (lambda whole: whole + write(codecs_of(MODEL, DIMENSIONS, None)["fp32"], rows(1, 2)), "of several formats"),
        (lambda whole: whole + whole[:-1], "are damaged: 39 bytes for 2 tokens, not 40"),
        (lambda whole: whole[:4] + b"\x0b" + whole[5:], "are damaged: of 11 dimensions, not 12"),
        (lambda whole: whole[:2] + b"\x09" + whole[3:], "are of format 9"),
    ],
)
def test_damaged_bytes_are_named(damage, said):
    codecs = codecs_of(MODEL, DIMENSIONS, None)
    with pytest.raises(BadTokenVectors, match=said):
        read(damage(write(codecs["int8"], rows(1, 2))), codecs)


def test_vectors_of_another_model_or_codec_name_both_digests(residual):
    other = hashlib.sha256(b"another").hexdigest()
    stored = write(codecs_of(other, DIMENSIONS, None)["fp16"], rows(1, 2))
    with pytest.raises(BadTokenVectors, match=f"are fp16 {other[:16]}, but this model reads fp16 {MODEL[:16]}"):
        read(stored, codecs_of(MODEL, DIMENSIONS, None))
    compressed = write(residual[2], rows(1, 2))
    with pytest.raises(BadTokenVectors, match=f"are residual {residual[2].digest[:16]}, but this model reads no resid"):
        read(compressed, codecs_of(MODEL, DIMENSIONS, None))
    with pytest.raises(BadTokenVectors, match=f"but this model reads residual {residual[4].digest[:16]}"):
        read(compressed, codecs_of(MODEL, DIMENSIONS, residual[4]))


def test_a_centroid_that_there_is_not_is_damage(residual):
    stored = bytearray(write(residual[2], rows(1, 2)))
    stored[16:18] = b"\xff\xff"
    with pytest.raises(BadTokenVectors, match="are damaged"):
        unpack([read(bytes(stored), {"residual": residual[2]})])


def test_a_codec_is_saved_and_a_changed_one_refused(residual, tmp_path):
    path = tmp_path / "codec.npz"
    residual[2].save(path)
    loaded = ResidualCodec.load(path)
    assert (loaded.digest, loaded.model_digest, loaded.bits) == (residual[2].digest, MODEL, 2)
    sample = rows(5, 20)
    np.testing.assert_array_equal(loaded.pack(sample), residual[2].pack(sample))
    with np.load(path) as found:
        numbers = dict(found)
    np.savez(path, **{**numbers, "centroids": -numbers["centroids"]})
    with pytest.raises(BadTokenCodec, match=r"has digest .* but says"):
        ResidualCodec.load(path)
    for damaged in (b"no archive", path.read_bytes()[:200], b""):
        path.write_bytes(damaged)
        with pytest.raises(BadTokenCodec, match="is no codec"):
            ResidualCodec.load(path)


def test_training_is_the_same_every_time_and_finds_the_places():
    sample = clustered(1, 800)
    codec = train_codec(sample, bits=2, centroids=16, model_digest=MODEL)
    again = train_codec(sample, bits=2, centroids=16, model_digest=MODEL)
    assert codec.digest == again.digest
    assert (codec.centroids @ rows(0, 8).T).max(axis=0).mean() > 0.95


def test_a_codec_keeps_its_numbers_in_as_few_bytes_as_hold_them(residual, tmp_path):
    exact = replace(residual[2], centroids=rows(3, 16))
    for name, codec, kept in (("trained", residual[2], np.float16), ("other", exact, np.float32)):
        codec.save(tmp_path / name)
        assert np.load(tmp_path / name)["centroids"].dtype == kept
        loaded = ResidualCodec.load(tmp_path / name)
        assert (loaded.digest, loaded.centroids.dtype) == (codec.digest, np.float32)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_buckets_err_less_than_quantiles_on_long_tails(bits):
    noise = np.random.default_rng(5).laplace(scale=0.05, size=(4000, DIMENSIONS)).astype(np.float32)
    sample = unit_rows(rows(0, 8)[np.arange(4000) % 8] + noise)
    codec = train_codec(sample, bits=bits, centroids=16, model_digest=MODEL)
    left = sample - codec.centroids[np.argmax(sample @ codec.centroids.T, axis=1)]
    share = np.arange(1 << bits)
    quantiles = replace(
        codec,
        cutoffs=np.quantile(left, share[1:] / (1 << bits)).astype(np.float32),
        weights=np.quantile(left, (share + 0.5) / (1 << bits)).astype(np.float32),
    )
    lost = [np.square(each.unpack(each.pack(sample)) - sample).sum() for each in (codec, quantiles)]
    assert lost[0] < 0.95 * lost[1]


@pytest.mark.parametrize(("count", "bits"), [(3, 2), (100, 3)])
def test_training_refuses_too_few_rows_and_other_bits(count, bits):
    with pytest.raises(ValueError, match=r"rows|bits"):
        train_codec(rows(1, count), bits=bits, centroids=8, model_digest=MODEL)
