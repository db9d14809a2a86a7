"""Files beside an ONNX file: a wrong one is refused by its field, and a setting that is not computed by its name."""

import errno
import json
import zipfile

import pytest

from hybridrank.common import atomic
from hybridrank.model_files import self_test
from hybridrank.training.onnx.importing.errors import ImportRefused
from hybridrank.training.onnx.importing.model import import_model
from hybridrank.training.onnx.importing.source import Source
from tests.training.onnx_sources import archive, changed, files, folder

TRANSFORMER, POOLING, NORMALIZE = (
    {"type": f"sentence_transformers.models.{name}", "path": path}
    for name, path in (("Transformer", ""), ("Pooling", "2_Pooling"), ("Normalize", ""))
)


def refusal(tmp_path, content, **options):
    with pytest.raises(ImportRefused) as caught:
        import_model(folder(tmp_path / "source", content), tmp_path / "out" / "model", kind="encoder", **options)
    assert [*(tmp_path / "out").iterdir()] == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("config", {"max_position_embeddings": "x"}, "config.json: max_position_embeddings: Input should be a valid"),
        ("config", {"model_type": ["roberta"]}, "config.json: model_type: Input should be a valid string"),
        ("config", {"model_type": "roberta", "pad_token_id": "x"}, "config.json: pad_token_id: Input should be"),
        ("config_sentence_transformers", {"prompts": ["a"]}, "prompts: Input should be a valid dictionary"),
        ("config_sentence_transformers", {"prompts": {"query": 5}}, "prompts.query: Input should be a valid string"),
        ("modules", [1], "modules.json: 0: Input should be a valid dictionary"),
        ("modules", {"a": 1}, "modules.json: the file: Input should be a valid tuple"),
        ("1_Pooling__config", {"pooling_mode": [["cls"]]}, "1_Pooling/config.json: pooling_mode"),
        ("sentence_bert_config", {"max_seq_length": []}, "max_seq_length: Input should be a valid number"),
    ],
)
def test_a_field_of_a_wrong_type_is_named(tmp_path, name, content, problem):
    assert problem in refusal(tmp_path, files(**{name: content}))


@pytest.mark.parametrize("tokenizer", ["[]", "null", '{"truncation": "yes"}'])
def test_a_tokenizer_of_a_wrong_shape_is_refused(tmp_path, tokenizer):
    assert "tokenizer.json: " in refusal(tmp_path, {**files(), "tokenizer.json": tokenizer.encode()})


@pytest.mark.parametrize(
    ("also", "problem"),
    [
        ({"tokenizer_config": {"truncation_side": "left"}}, "keeps the end of a long text"),
        ({"config_sentence_transformers": {"similarity_fn_name": "dot"}}, "compared by dot"),
        ({"config_sentence_transformers": {"prompts": {"s2p": "x: ", "s2s": ""}}}, "none of its prompts s2p is for"),
        ({"modules": [TRANSFORMER]}, "modules.json has no Pooling"),
        ({"sentence_bert_config": {"max_seq_length": 3}}, "it reads 3 tokens, and the least is 8"),
        ({"config": {"max_position_embeddings": 48, "hidden_size": 384}}, "32 dimensions and config.json says 384"),
    ],
)
def test_a_setting_that_is_not_computed_is_named(tmp_path, also, problem):
    assert problem in refusal(tmp_path, files(**also))


def test_a_tokenizer_that_keeps_the_end_is_refused(tmp_path):
    tokenizer = json.loads(files()["tokenizer.json"])
    tokenizer["truncation"] = {"direction": "Left", "max_length": 20, "strategy": "LongestFirst", "stride": 0}
    content = {**files(), "tokenizer.json": json.dumps(tokenizer).encode()}
    assert "truncation_side 'Left'" in refusal(tmp_path, content)


def test_pooling_length_and_prompts_are_where_the_files_say(tmp_path):
    content = files(
        **{"1_Pooling__config": None, "2_Pooling__config": {"pooling_mode_mean_tokens": True}},
        modules=[TRANSFORMER, POOLING, NORMALIZE],
        sentence_roberta_config={"max_seq_length": 24},
        config_sentence_transformers={
            "prompts": {"query": "", "corpus": "tell: ", "other": "x"},
            "default_prompt_name": "query",  # an empty one
            "similarity_fn_name": "dot",
        },
    )
    toml = import_model(folder(tmp_path / "v1.5", content), tmp_path / "out", kind="encoder").toml
    assert (toml.name, toml.pooling, toml.max_tokens) == ("v1.5", "mean", 24)
    assert (toml.query_prefix, toml.document_prefix) == ("", "tell: ")


def test_empty_prefixes_stand_for_unknown_prompts(tmp_path):
    content = files(config_sentence_transformers={"prompts": {"s2p": "x: "}})
    source = folder(tmp_path / "tiny", content)
    toml = import_model(source, tmp_path / "out", kind="encoder", query_prefix="", document_prefix="").toml
    assert (toml.query_prefix, toml.document_prefix) == ("", "")


def test_a_prefix_that_replaces_another_is_told(tmp_path, caplog):
    caplog.set_level("INFO", "hybridrank.training.onnx.importing")
    content = files(config_sentence_transformers={"prompts": {"query": "is ", "document": "as "}})
    source = folder(tmp_path / "tiny", content)
    prefixes = {"query_prefix": "ask ", "document_prefix": "as "}
    toml = import_model(source, tmp_path / "out", kind="encoder", tokens=40, **prefixes).toml
    assert (toml.query_prefix, toml.document_prefix) == ("ask ", "as ")
    assert caplog.messages == ["the query_prefix 'ask ' that was asked for replaces 'is ' in the files"]


def test_a_tokenizer_of_a_larger_model_is_refused(tmp_path):
    tokenizer = json.loads(files()["tokenizer.json"])
    tokenizer["model"]["vocab"]["further"] = 99_999
    content = {**files(), "tokenizer.json": json.dumps(tokenizer).encode()}
    assert "tokenizer.json has more tokens (100,000) than the graph" in refusal(tmp_path, content)


def test_a_prefix_without_room_for_a_text_is_refused(tmp_path):
    problem = refusal(tmp_path, files(), query_prefix="one two three " * 20)
    assert "its query_prefix takes 48 or more of 48 tokens" in problem


def test_weights_that_are_not_finite_are_refused(tmp_path):
    def spoil(model):
        largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        largest.raw_data = b"\x00\x00\xc0\x7f" * (len(largest.raw_data) // 4)  # NaN

    content = {**files(), "onnx/model.onnx": changed("encoder", spoil)}
    assert "numbers that are not finite" in refusal(tmp_path, content)


def fix_batch_of_output(model):
    dimension = model.graph.output[0].type.tensor_type.shape.dim[0]
    dimension.ClearField("dim_param")
    dimension.dim_value = 1


def repeat_output(model):
    model.graph.output.add().CopyFrom(model.graph.output[0])


@pytest.mark.parametrize(
    ("change", "problem"),
    [(fix_batch_of_output, "of shape (1, tokens, 32); only its last"), (repeat_output, "one of its outputs twice")],
)
def test_an_output_that_cannot_be_served_is_refused(tmp_path, change, problem):
    assert problem in refusal(tmp_path, {**files(), "onnx/model.onnx": changed("encoder", change)})


def test_an_output_of_any_name_is_chosen(tmp_path):
    def rename(model):
        (output,) = model.graph.output
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = ["output_0" if each == output.name else each for each in names]
        output.name = "output_0"

    renamed = {**files(), "onnx/model.onnx": changed("encoder", rename)}
    unnamed = refusal(tmp_path, renamed)
    assert "it has output_0 (batch, tokens, 32); is --kind right for it? If so, say --output" in unnamed
    assert "has no output 882; it has output_0" in refusal(tmp_path, renamed, output="882")
    imported = import_model(tmp_path / "source", tmp_path / "named", kind="encoder", output="output_0")
    plain = import_model(folder(tmp_path / "plain", files()), tmp_path / "plain-out", kind="encoder")
    assert self_test.read(imported.path) == self_test.read(plain.path)


def test_an_archive_with_a_huge_table_is_refused_unread(tmp_path, monkeypatch):
    source = archive(tmp_path / "many.zip", {**files(), **{f"{'x' * 1000}/{each}": b"" for each in range(4500)}})
    assert source.stat().st_size < 20_000_000
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(ImportRefused, match=r"has a table of contents of 4,7.* bytes; the limit is 4,194,304"):
        import_model(source, tmp_path / "out", kind="encoder")


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Source, "copy", full)
    assert "No space left on device; no folder was written" in refusal(tmp_path, files())


def test_a_second_import_to_one_folder_is_refused(tmp_path):
    source = folder(tmp_path / "tiny", files())
    with atomic.new_folder(tmp_path / "out") as draft:
        (draft / "file").touch()
        with pytest.raises(BlockingIOError, match="another process is writing it"):
            import_model(source, tmp_path / "out", kind="encoder")
        assert [each.name for each in draft.iterdir()] == ["file"]
