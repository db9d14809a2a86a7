"""An imported ONNX file is served as it is; what the sidecar cannot reproduce is refused before a folder appears."""

import json
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from hybridrank.model_files import model_folder, self_test
from hybridrank.sidecar import in_process
from hybridrank.sidecar.types import TextKind
from hybridrank.training.onnx.importing.errors import ImportRefused
from hybridrank.training.onnx.importing.model import import_model
from hybridrank.training.onnx.importing.settings import chosen_length
from hybridrank.training.onnx.importing.settings_files import SettingsFiles
from hybridrank.training.onnx.sources.default_length import default_length
from tests.golden.sidecar import ORACLE
from tests.golden.texts import PAIRS, PASSAGES
from tests.training.onnx_sources import TINY, archive, changed, files, folder

ENCODER = {"kind": "encoder"}


def vectors(path):
    encoder = in_process.load_model(path).encoder
    return encoder.embed(encoder.tokenize_texts(PASSAGES, TextKind.DOCUMENT))


def refusal(source, tmp_path, **options):
    """The error of an import, which leaves nothing behind."""
    out = tmp_path / "out"
    with pytest.raises(ImportRefused) as caught:
        import_model(source, out / "model", **{**ENCODER, **options})
    assert not out.exists() or [*out.iterdir()] == []
    assert str(tmp_path / "out") not in str(caught.value)
    return str(caught.value)


def test_the_hubs_folder_becomes_a_model_as_transformers_has_it(tmp_path):
    source = folder(tmp_path / "tiny", files(**{"1_Pooling__config": {"pooling_mode_mean_tokens": True}}))
    imported = import_model(source, tmp_path / "models" / "tiny", **ENCODER)
    assert imported == model_folder.read(tmp_path / "models" / "tiny")
    assert (imported.toml.name, imported.toml.precision, imported.toml.max_tokens) == ("tiny", "fp32", 48)
    assert (imported.toml.pooling, imported.toml.dimensions) == ("mean", 32)
    assert {each.name for each in (tmp_path / "models" / "tiny").iterdir()} == {
        *("model.onnx", "tokenizer.json", "model.toml", "selftest.json")
    }
    np.testing.assert_allclose(vectors(imported.path), json.loads(ORACLE.read_text())["dense"], atol=1e-4)
    assert len(self_test.read(imported.path)) == 8


def test_a_zipped_cross_encoder_scores_as_transformers_does(tmp_path):
    source = archive(
        tmp_path / "tiny.zip", {f"deep/in/it/{name}": each for name, each in files("cross-encoder").items()}
    )
    imported = import_model(source, tmp_path / "out", kind="cross-encoder")
    reranker = in_process.load_model(imported.path).reranker
    scores = [reranker.relevance_scores(query, [passage])[0] for query, passage in PAIRS]
    np.testing.assert_allclose(scores, json.loads(ORACLE.read_text())["cross-encoder"], atol=1e-3)


def test_a_jar_without_settings_needs_pooling_and_length(tmp_path):
    tiny = files()
    jar = archive(
        tmp_path / "tiny-1.0.jar",
        {
            "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0",
            "tiny.onnx": tiny["onnx/model.onnx"],
            "tiny-tokenizer.json": tiny["tokenizer.json"],
        },
    )
    assert "say --max-tokens" in refusal(jar, tmp_path, pooling="cls")
    assert "say --pooling mean, cls, last or graph" in refusal(jar, tmp_path, tokens=40)
    imported = import_model(
        jar, tmp_path / "out" / "tiny", **ENCODER, pooling="cls", tokens=40, query_prefix="query: ", name="t"
    )
    assert (imported.toml.name, imported.toml.max_tokens) == ("t", 40)
    assert (imported.toml.query_prefix, imported.toml.document_prefix) == ("query: ", "")


def test_settings_of_sentence_transformers_are_heeded(tmp_path):
    content = files(
        modules=[{"type": f"sentence_transformers.models.{each}"} for each in ("Transformer", "Pooling", "Normalize")],
        sentence_bert_config={"max_seq_length": 24},
        config_sentence_transformers={"prompts": {"query": "ask: ", "passage": "tell: "}},
    )
    toml = import_model(folder(tmp_path / "tiny", content), tmp_path / "out", **ENCODER).toml
    assert (toml.pooling, toml.max_tokens, toml.query_prefix, toml.document_prefix) == ("cls", 24, "ask: ", "tell: ")


def test_roberta_reads_fewer_tokens_than_it_has_positions(tmp_path):
    config = {"model_type": "xlm-roberta", "max_position_embeddings": 34, "pad_token_id": 1}
    source = folder(tmp_path / "tiny", files(config=config))
    assert import_model(source, tmp_path / "out", **ENCODER).toml.max_tokens == 32


@pytest.mark.parametrize(
    ("also", "sentence"),
    [
        ({"modules": [{"type": "sentence_transformers.models.Dense"}]}, "it has a Dense module"),
        ({"1_Pooling__config": {"pooling_mode_max_tokens": True}}, "it pools by max"),
        ({"1_Pooling__config": {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}}, "pools by cls+max"),
        ({"config_sentence_transformers": {"truncate_dim": 16}}, "cut to 16 dimensions"),
        ({"config_sentence_transformers": {"default_prompt_name": "query"}}, "its prompt 'query' before every text"),
        (
            {
                "1_Pooling__config": {"pooling_mode_mean_tokens": True, "include_prompt": False},
                "config_sentence_transformers": {"prompts": {"query": "ask: "}},
            },
            "include_prompt is false",
        ),
        ({"config": ["not", "an", "object"]}, "config.json: the file: Input should be a valid"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_settings_that_the_sidecar_does_not_compute_are_refused(tmp_path, also, sentence):
    assert sentence in refusal(folder(tmp_path / "tiny", files(**also)), tmp_path)


def test_a_tokenizer_whose_case_contradicts_its_settings(tmp_path):
    lower = files(sentence_bert_config={"do_lower_case": True}, tokenizer_config={"do_lower_case": True})
    import_model(folder(tmp_path / "lower", lower), tmp_path / "lowered", **ENCODER)
    overruled = folder(tmp_path / "overruled", files(tokenizer_config={"do_lower_case": False}))
    assert "do_lower_case is false beside a tokenizer.json that lowers" in refusal(overruled, tmp_path)
    tokenizer = json.loads(lower["tokenizer.json"])
    tokenizer["normalizer"] = None
    cased = folder(tmp_path / "cased", {**lower, "tokenizer.json": json.dumps(tokenizer).encode()})
    assert "do_lower_case is true beside a tokenizer.json that keeps case" in refusal(cased, tmp_path)


def test_several_onnx_files_are_listed_and_one_is_chosen(tmp_path):
    source = folder(tmp_path / "tiny", {**files(), "onnx/model_O1.onnx": files()["onnx/model.onnx"]})
    assert "choose one with --file: onnx/model.onnx, onnx/model_O1.onnx" in refusal(source, tmp_path)
    assert "no ONNX file other.onnx in it" in refusal(source, tmp_path, file="other.onnx")
    assert import_model(source, tmp_path / "out" / "model", **ENCODER, file="onnx/model_O1.onnx").toml.pooling == "cls"


def test_a_source_without_graph_or_tokenizer_is_refused(tmp_path):
    content = files()
    tokenizer = content.pop("tokenizer.json")
    assert "there is no tokenizer.json in it" in refusal(folder(tmp_path / "a", content), tmp_path)
    assert "there is no .onnx file in it" in refusal(folder(tmp_path / "b", {"tokenizer.json": tokenizer}), tmp_path)
    assert "there is no such folder or file" in refusal(tmp_path / "c", tmp_path)
    apart = {**content, "x/a-tokenizer.json": tokenizer, "x/b-tokenizer.json": tokenizer}
    assert "several tokenizers" in refusal(folder(tmp_path / "d", apart), tmp_path)
    (tmp_path / "text.zip").write_text("no zip")
    assert "is neither a folder nor a jar or zip" in refusal(tmp_path / "text.zip", tmp_path)


def rename_input(model):
    model.graph.input[0].name = "position_ids"


def fix_length(model):
    dimension = model.graph.input[0].type.tensor_type.shape.dim[1]
    dimension.ClearField("dim_param")
    dimension.dim_value = 128


def drop_mask(model):
    model.graph.initializer.add(name="attention_mask")


def rename_output(model):
    model.graph.output[0].name = "logits"


def halve(model):
    model.graph.initializer[0].data_type = 10


def add_operator(domain, operator):
    return lambda model: model.graph.node.add(domain=domain, op_type=operator, output=["unused"])


def keep_elsewhere(location):
    def change(model):
        model.graph.initializer[0].external_data.add(key="location", value=location)
        model.graph.initializer[0].data_location = 1

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (rename_input, "has an input position_ids; the sidecar knows input_ids,"),
        (fix_length, "both dynamic"),
        (drop_mask, "has no input attention_mask, so padding would change its scores"),
        (rename_output, "has no output last_hidden_state or token_embeddings; it has logits (batch, tokens, 32)"),
        (halve, "holds float16 weights; import the fp32 file"),
        (add_operator("ai.onnx.contrib", "BertTokenizer"), "custom operator ai.onnx.contrib:BertTokenizer"),
        (add_operator("", "MatMulInteger"), "is quantised already (MatMulInteger)"),
        (add_operator("", "NoSuchOperator"), "cannot be read by ONNX Runtime"),
        (keep_elsewhere("../../etc/passwd"), "in '../../etc/passwd'; it must lie beside it"),
        (keep_elsewhere("/etc/passwd"), "in '/etc/passwd'; it must lie beside it"),
        (keep_elsewhere("model.onnx_data"), "keeps weights in model.onnx_data, which is not beside it"),
    ],
)
def test_a_graph_that_the_sidecar_cannot_run_is_refused(tmp_path, change, sentence):
    content = {**files(), "onnx/model.onnx": changed("encoder", change)}
    assert sentence in refusal(folder(tmp_path / "tiny", content), tmp_path)


def test_a_file_that_is_no_onnx_is_refused(tmp_path):
    for number, garbage in enumerate((b"", b"no ONNX", bytes(range(256)) * 40)):
        source = folder(tmp_path / str(number), {**files(), "onnx/model.onnx": garbage})
        assert "onnx/model.onnx is no ONNX file" in refusal(source, tmp_path)


def test_the_wrong_kind_and_two_columns_are_refused(tmp_path):
    cross_encoder = folder(tmp_path / "cross", files("cross-encoder"))
    assert "it has logits (batch, 1); is --kind right for it?" in refusal(cross_encoder, tmp_path)
    assert "those of an encoder" in refusal(cross_encoder, tmp_path, kind="cross-encoder", pooling="cls")

    def widen(model):
        (name,) = [each.name for each in model.graph.output]
        model.graph.node.add(op_type="Concat", input=[name, name], output=["two"])
        attribute = model.graph.node[-1].attribute.add()
        attribute.MergeFromString(b"\x0a\x04axis\x18\x01\xa0\x01\x02")  # name "axis", i 1, type INT
        model.graph.output[0].name = "two"
        for node in model.graph.node:
            node.input[:] = ["inner" if each == name else each for each in node.input]
            node.output[:] = ["inner" if each == name else "logits" if each == "two" else each for each in node.output]
        model.graph.output[0].name = "logits"
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2

    two = folder(tmp_path / "two", {**files("cross-encoder"), "onnx/model.onnx": changed("cross-encoder", widen)})
    assert "its logits have 2 columns; the sidecar serves a head of one" in refusal(two, tmp_path, kind="cross-encoder")


def test_another_name_of_the_output_is_changed_and_others_go(tmp_path):
    def rename(model):
        (output,) = model.graph.output
        pooled = model.graph.output.add()
        pooled.CopyFrom(output)
        pooled.name = "sentence_embedding"
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = ["token_embeddings" if each == output.name else each for each in names]
        model.graph.node.add(op_type="Identity", input=["token_embeddings"], output=["sentence_embedding"])
        output.name = "token_embeddings"

    content = {**files(), "onnx/model.onnx": changed("encoder", rename)}
    imported = import_model(folder(tmp_path / "tiny", content), tmp_path / "out", **ENCODER)
    plain = import_model(folder(tmp_path / "plain", files()), tmp_path / "out2", **ENCODER)
    np.testing.assert_allclose(vectors(imported.path), vectors(plain.path), atol=1e-6)
    assert (plain.path / "model.onnx").read_bytes() == (TINY["encoder"] / "model.onnx").read_bytes()


def test_a_graph_that_attends_to_padding_is_refused(tmp_path):
    def attend_to_all(model):
        graph = model.graph
        for node in graph.node:
            node.input[:] = ["every_token" if each == "attention_mask" else each for each in node.input]
        graph.initializer.add(name="never", data_type=7, raw_data=bytes(8))
        graph.initializer.add(name="always", data_type=7, raw_data=(1).to_bytes(8, "little"))
        graph.node.add(op_type="Mul", input=["attention_mask", "never"], output=["no_token"])
        graph.node.add(op_type="Add", input=["no_token", "always"], output=["every_token"])

    content = {**files(), "onnx/model.onnx": changed("encoder", attend_to_all)}
    assert "when a longer text is beside it: padding is not masked" in refusal(
        folder(tmp_path / "a", content), tmp_path
    )


def test_a_length_beyond_the_positions_is_refused(tmp_path):
    assert "it reads 8 to 48 tokens, not 49" in refusal(folder(tmp_path / "a", files()), tmp_path, tokens=49)
    unknown = folder(tmp_path / "b", files(config=None))
    assert "it cannot read 49 tokens; say a smaller --max-tokens" in refusal(unknown, tmp_path, tokens=49)
    assert "it reads 8 to 8192 tokens, not 1099511627776; max_pos" in refusal(unknown, tmp_path, tokens=1 << 40)


def test_a_long_model_reads_1024_tokens_unless_asked():
    positions = SettingsFiles.model_validate({"config": {"max_position_embeddings": 8192}})
    assert chosen_length(positions, None) == default_length({"max_position_embeddings in config.json": 8192})
    assert (chosen_length(positions, None).tokens, chosen_length(positions, 4096).tokens) == (1024, 4096)


def test_a_zip_bomb_is_refused_before_anything_is_unpacked(tmp_path):
    source = archive(tmp_path / "bomb.zip", {**files(), "onnx/model.onnx_data": bytes(50_000_000)})
    assert "like a zip bomb; nothing was unpacked" in refusal(source, tmp_path)


@pytest.mark.parametrize("name", ["../model.json", "/etc/model.json", "a/../../model.json", "c:/model.json"])
def test_an_archive_with_a_path_out_of_it_is_refused(tmp_path, name):
    source = archive(tmp_path / "tiny.zip", {**files(), name: b"{}"})
    assert f"{name} leads out of the archive; nothing was unpacked" in refusal(source, tmp_path)


def test_links_and_damage_in_an_archive_are_refused(tmp_path):
    link = zipfile.ZipInfo("tokenizer.json")
    link.external_attr = 0o120777 << 16
    content = files()
    del content["tokenizer.json"]
    source = archive(tmp_path / "link.zip", content)
    with zipfile.ZipFile(source, "a") as written:
        written.writestr(link, "/etc/passwd")
    assert "tokenizer.json is a link" in refusal(source, tmp_path)
    whole = archive(tmp_path / "whole.zip", files()).read_bytes()
    (tmp_path / "damaged.zip").write_bytes(whole[:2000] + bytes(500) + whole[2500:])
    assert "onnx/model.onnx is damaged" in refusal(tmp_path / "damaged.zip", tmp_path)


def test_another_sha256_than_given_is_refused(tmp_path):
    source = archive(tmp_path / "tiny.zip", files())
    digest = model_folder.sha256(source).hex()
    assert f"has SHA-256 {digest}, expected was {'0' * 64}" in refusal(source, tmp_path, sha256="0" * 64)
    assert "is a folder, and a SHA-256 is that of one file" in refusal(TINY["encoder"], tmp_path, sha256=digest)
    assert import_model(source, tmp_path / "out" / "model", **ENCODER, sha256=digest.upper()).toml.dimensions == 32


def test_an_existing_folder_is_never_replaced(tmp_path):
    source = folder(tmp_path / "tiny", files())
    first = import_model(source, tmp_path / "out", **ENCODER)
    with pytest.raises(ImportRefused, match="is there already; name another folder or remove it"):
        import_model(source, tmp_path / "out", **ENCODER, tokens=40)
    assert model_folder.read(tmp_path / "out") == first


KILLED = """
import os, signal, sys
from pathlib import Path
from hybridrank.model_files import self_test
from hybridrank.training.onnx.importing.model import import_model
self_test.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
import_model(Path(sys.argv[1]), Path(sys.argv[2]), kind="encoder")
"""


def test_an_import_that_is_killed_leaves_no_model(tmp_path):
    source = folder(tmp_path / "tiny", files())
    out = tmp_path / "models" / "tiny"
    killed = subprocess.run([sys.executable, "-c", KILLED, source, out], check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert [each.name for each in out.parent.iterdir()] == [".tiny.new"]  # hidden: no sidecar loads it
    import_model(source, out, **ENCODER)
    assert [each.name for each in out.parent.iterdir()] == ["tiny"]


@pytest.mark.torch
def test_int8_is_written_beside_fp32(tmp_path):
    source = folder(tmp_path / "tiny", files())
    imported = import_model(source, tmp_path / "out", **ENCODER, quantized=True)
    assert (imported.toml.precision, imported.fp32.toml.precision) == ("int8", "fp32")
    golden = self_test.read(imported.path)
    verdict = in_process.score_golden_pairs(in_process.load_untested(imported.path, "int8"), golden)
    assert verdict.within
    assert in_process.score_golden_pairs(in_process.load_untested(imported.path, "fp32"), golden).deviation < 1e-3


def test_an_import_loads_no_torch(tmp_path):
    source = folder(tmp_path / "tiny", files())
    code = (
        "import sys; sys.modules.update(torch=None, transformers=None, onnx=None); from pathlib import Path;"
        " from hybridrank.training.onnx.importing.model import import_model;"
        " import_model(Path(sys.argv[1]), Path(sys.argv[2]), kind='encoder')"
    )
    subprocess.run([sys.executable, "-c", code, source, tmp_path / "out"], check=True)
    assert model_folder.read(tmp_path / "out").toml.pooling == "cls"
