"""Each source that is no whole checkpoint of a text model is refused in one sentence that says what it is."""

import json
import os
import pickle
import shutil

import pytest

pytestmark = pytest.mark.torch
WEIGHTS, CONFIG = "model.safetensors", "config.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    from tests.training import tiny_checkpoints

    folder = tmp_path_factory.mktemp("saved") / "model"
    return tiny_checkpoints.save(folder, "bert", "ForSequenceClassification", num_labels=1)


@pytest.fixture
def source(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "source")
    return tmp_path / "source"


def opened(source):
    """The way of an export up to the graph."""
    from hybridrank.training.onnx.families import registry
    from hybridrank.training.onnx.families.plan import Asked
    from hybridrank.training.onnx.sources.checkpoint import load_weights, open_checkpoint

    checkpoint = open_checkpoint(str(source))
    plan = registry.plan(checkpoint, Asked("mine"))
    return plan.wrap(load_weights(checkpoint, plan.auto))


def configured(**changes):
    def change(folder):
        path = folder / CONFIG
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def emptied(**files):
    """Leaves only these files, with two underscores for a dot."""

    def change(folder):
        shutil.rmtree(folder)
        folder.mkdir()
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_bytes(content)

    return change


def without_weights(*others):
    def change(folder):
        (folder / WEIGHTS).unlink()
        for name in others:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"{}")

    return change


def with_vocabulary(name, content):
    """Another file in place of tokenizer.json."""

    def change(folder):
        for path in folder.glob("tokenizer*"):
            path.unlink()
        if name:
            (folder / name).write_bytes(content)

    return change


def of_a_class(name):
    def change(folder):
        with_vocabulary("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na")(folder)
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}))

    return change


def without(*names):
    def change(folder):
        from safetensors.torch import load_file, save_file

        kept = {name: tensor for name, tensor in load_file(folder / WEIGHTS).items() if name not in names}
        save_file(kept, folder / WEIGHTS, {"format": "pt"})

    return change


def with_number(value, name="bert.embeddings.word_embeddings.weight", row=-1):
    """One weight in place of another."""

    def change(folder):
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / WEIGHTS)
        weights[name][row, 0] = value
        save_file(weights, folder / WEIGHTS, {"format": "pt"})

    return change


def described(**files):
    """Adds JSON files, with two underscores for a dot; keeps the fields of one that is there."""

    def change(folder):
        for name, content in files.items():
            path = folder / name.replace("__", ".")
            kept = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(content if isinstance(content, str) else json.dumps({**kept, **content}))

    return change


def cut(folder):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def a_shard_missing(folder):
    from safetensors.torch import load_file

    shards = {
        name: f"model-0000{1 + number % 2}-of-00002.safetensors"
        for number, name in enumerate(load_file(folder / WEIGHTS))
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    (folder / WEIGHTS).rename(folder / "model-00001-of-00002.safetensors")


class Calls:
    """An object whose pickle calls a function when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("called",)


def a_pickle_that_calls(folder):
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Calls()))


ADAPTER = json.dumps({"peft_type": "LORA", "base_model_name_or_path": "Qwen/Qwen3-0.6B"}).encode()
QUANTISED = r"is quantised already \({}, quantization_config in config\.json\): take the checkpoint"
ODD = {
    "empty": (emptied(), "is an empty folder"),
    "no config": (emptied(README__md=b"#"), r"has no config\.json"),
    "an adapter": (
        emptied(adapter_config__json=ADAPTER, adapter_model__safetensors=b""),
        r"is an adapter \(adapter_config\.json\) and no whole model: merge it into Qwen/Qwen3-0\.6B with peft",
    ),
    "gguf": (emptied(model__gguf=b"GGUF"), "is in the format GGUF, which is not read: take the checkpoint"),
    "onnx": (without_weights("onnx/model.onnx"), "holds an ONNX file .* `hybridrank model import` takes it"),
    "tensorflow": (without_weights("tf_model.h5"), r"cannot be read: .*no file named model\.safetensors"),
    "gptq": (configured(quantization_config={"quant_method": "gptq", "bits": 4}), QUANTISED.format("gptq")),
    "awq": (configured(quantization_config={"quant_method": "awq", "bits": 4}), QUANTISED.format("awq")),
    "bitsandbytes": (
        configured(quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
        QUANTISED.format("bitsandbytes"),
    ),
    "fp8": (configured(quantization_config={"quant_method": "fp8"}), QUANTISED.format("fp8")),
    "vision": (configured(model_type="vit", architectures=["ViTForImageClassification"]), "is of no family"),
    "images and texts": (
        configured(model_type="clip", architectures=["CLIPModel"]),
        r"reads more than texts \(vision_config in config\.json\)",
    ),
    "config is a list": (lambda folder: (folder / CONFIG).write_text("[1]"), r"config\.json of .* is no JSON object"),
    "one architecture": (configured(architectures="BertModel"), "architectures in config.json of .* is no list"),
    "a size that is no number": (configured(hidden_size="many"), "none that transformers knows: .*'hidden_size'"),
    "sizes that contradict": (configured(num_attention_heads=3), "describes no bert that can be: .*not a multiple"),
    "other shapes": (
        configured(intermediate_size=48),
        r"6 other shapes than its config\.json says, as .*dense\.bias: \(64,\) in place of \(48,\)",
    ),
    "a weight missing": (
        without("bert.encoder.layer.0.output.dense.weight"),
        "has no weights for bert.encoder.layer.0",
    ),
    "fewer layers in the configuration": (
        configured(num_hidden_layers=1),
        r"has weights of more layers than its config\.json says: bert\.encoder\.layer\.1\.",
    ),
    "a weight that is no number": (with_number(float("nan")), "no finite numbers, in bert.embeddings.word_embeddings"),
    "an infinite weight": (with_number(float("-inf")), "no finite numbers, in bert.embeddings.word_embeddings"),
    "head missing": (without("classifier.weight", "classifier.bias"), "has no weights for classifier.bias, classifier"),
    "cut weights": (cut, "the weights of .* cannot be read: .*incomplete"),
    "a shard missing": (a_shard_missing, "cannot be read: No such file .*model-00002-of-00002.safetensors"),
    "a pickle that calls": (a_pickle_that_calls, "hold more than tensors, which an export never loads"),
    "no tokenizer": (with_vocabulary("", b""), "has no tokenizer: none of tokenizer.json"),
    "a vocabulary of another kind": (with_vocabulary("spiece.model", b"-"), "knows no word of 'the number 1 and 2'"),
    "a slow tokenizer": (of_a_class("BertJapaneseTokenizer"), "has no tokenizer.json and none can be made"),
    "a larger vocabulary": (configured(vocab_size=50), r"has \d+ tokens, and its model only 50 \(vocab_size\)"),
}


MISTYPED = {
    "length as text": (
        described(tokenizer_config__json={"model_max_length": "512"}),
        "not supported between instances",
    ),
    "prompts in a list": (described(config_sentence_transformers__json={"prompts": ["a"]}), "are no texts by name"),
    "a prompt that is no text": (
        described(config_sentence_transformers__json={"prompts": {"query": 1}}),
        "no texts by",
    ),
    "a file nested deeply": (
        described(config_sentence_transformers__json="[" * 100_000),
        "is no JSON that can be read",
    ),
    "its length as text": (described(sentence_bert_config__json={"max_seq_length": "512"}), "not supported between"),
}


@pytest.mark.parametrize("name", MISTYPED)
def test_a_file_with_values_of_another_type_is_refused(name, source, tmp_path):
    from hybridrank.training.onnx.export import ExportFailed, export_model

    change, sentence = MISTYPED[name]
    change(source)
    with pytest.raises(ExportFailed, match=sentence) as refused:
        export_model(str(source), tmp_path / "out")
    assert str(source) in str(refused.value)


@pytest.mark.parametrize("name", ODD)
def test_it_is_refused_in_one_sentence(name, source):
    from hybridrank.training.onnx.sources.source_files import ExportFailed

    change, problem = ODD[name]
    change(source)
    with pytest.raises(ExportFailed, match=problem) as caught:
        opened(source)
    assert "\n" not in str(caught.value)


def test_a_sentencepiece_file_that_cannot_be_read_is_named(source):
    from hybridrank.training.onnx.sources.source_files import ExportFailed

    with_vocabulary("sentencepiece.bpe.model", b"-")(source)
    configured(model_type="xlm-roberta")(source)
    with pytest.raises(ExportFailed, match=r"the tokenizer of .* cannot be read: .*; a tokenizer\.json beside it"):
        opened(source)


def test_pickled_tensors_are_read(source):
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(source / WEIGHTS), source / "pytorch_model.bin")
    (source / WEIGHTS).unlink()
    opened(source)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("{}/one.gguf", "is in the format GGUF"),
        ("{}/one.safetensors", "is a file: name the folder it is in"),
        ("{}/nowhere", "is no folder"),
        ("./nowhere", "is no folder"),
        ("", "an empty name is no folder"),
        ("two words", "cannot be read from the hub: Repo id"),
    ],
)
def test_a_name_that_is_no_folder(name, problem, tmp_path):
    from hybridrank.training.onnx.sources.checkpoint import open_checkpoint
    from hybridrank.training.onnx.sources.source_files import ExportFailed

    for file in ("one.gguf", "one.safetensors"):
        (tmp_path / file).write_bytes(b"-")
    with pytest.raises(ExportFailed, match=problem):
        open_checkpoint(name.format(tmp_path))


def test_a_name_on_the_hub_without_a_network(monkeypatch):
    from huggingface_hub import constants

    from hybridrank.training.onnx.sources.checkpoint import open_checkpoint
    from hybridrank.training.onnx.sources.source_files import ExportFailed

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ExportFailed, match="no/model is no folder here, and the hub cannot be reached; download it"):
        open_checkpoint("no/model")
