"""The order of precisions follows from the setting, the CPU, the folder and the device."""

from pathlib import Path

import pytest

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import CrossEncoderToml, ModelFolder
from hybridrank.sidecar.runtime.precision import place

CPU = ["CPUExecutionProvider"]
# What onnxruntime-gpu 1.22 and later offer.
GPU = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def folder(precision, *, fp32=False, reduced_range=False):
    toml = CrossEncoderToml(name="m", version="1", precision=precision, max_tokens=64, licence="MIT", digest="a")
    extra = {"fp32_digest": "b" if fp32 else "", "reduced_range": reduced_range}
    return ModelFolder(Path("m"), toml.model_copy(update=extra))


def placed(model, precision="auto", device="cpu", providers=CPU, *, multiplies_int8=True):
    found = place(model, precision=precision, device=device, providers=providers, multiplies_int8=multiplies_int8)
    return [(each.folder.toml.precision, each.device) for each in found]


BOTH = folder("int8", fp32=True)
SAFE = folder("int8", fp32=True, reduced_range=True)


@pytest.mark.parametrize(
    ("model", "multiplies_int8", "expected"),
    [
        (BOTH, True, [("int8", "cpu"), ("fp32", "cpu")]),
        (BOTH, False, [("fp32", "cpu"), ("int8", "cpu")]),
        (SAFE, False, [("int8", "cpu"), ("fp32", "cpu")]),
        (folder("int8"), True, [("int8", "cpu")]),
        (folder("int8"), False, [("int8", "cpu")]),
        (folder("fp32"), True, [("fp32", "cpu")]),
    ],
)
def test_auto_is_int8_where_it_cannot_saturate(model, multiplies_int8, expected):
    assert placed(model, multiplies_int8=multiplies_int8) == expected


def test_a_requested_precision_comes_first_on_every_cpu():
    assert placed(BOTH, "int8", multiplies_int8=False) == [("int8", "cpu"), ("fp32", "cpu")]
    assert placed(BOTH, "fp32") == [("fp32", "cpu")]


@pytest.mark.parametrize(("held", "asked"), [("int8", "fp32"), ("fp32", "int8")])
def test_a_precision_that_the_folder_lacks_is_refused(held, asked):
    with pytest.raises(BadModelFolder, match=f"precision {asked}: this model is here at {held} only; leave precision"):
        placed(folder(held), asked)


def test_cuda_computes_fp32():
    assert placed(BOTH, device="cuda", providers=GPU) == [("fp32", "cuda")]
    assert placed(BOTH, device="auto", providers=GPU) == [("fp32", "cuda"), ("int8", "cpu"), ("fp32", "cpu")]
    assert placed(BOTH, "int8", "auto", GPU) == [("int8", "cpu"), ("fp32", "cpu")]
    assert placed(folder("int8"), device="auto", providers=GPU) == [("int8", "cpu")]
    assert placed(BOTH, device="cpu", providers=GPU) == [("int8", "cpu"), ("fp32", "cpu")]


def test_without_cuda_auto_is_cpu_and_cuda_says_what_to_install():
    assert placed(BOTH, device="auto") == [("int8", "cpu"), ("fp32", "cpu")]
    with pytest.raises(
        BadModelFolder, match=r"offers CPUExecutionProvider; pip uninstall .* pip install onnxruntime-gpu"
    ):
        placed(BOTH, device="cuda")


@pytest.mark.parametrize(("model", "precision"), [(BOTH, "int8"), (folder("int8"), "auto")])
def test_int8_is_not_computed_on_cuda(model, precision):
    with pytest.raises(BadModelFolder, match="device cuda computes fp32 and not int8"):
        placed(model, precision, "cuda", GPU)
