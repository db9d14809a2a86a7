"""Exports keep what decides a model's output, and refuse what the sidecar could not reproduce."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from hybridrank.model_files import self_test
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models import loading, trial
from hybridrank.sidecar.types import TextKind
from tests.training import tiny_berts


def test_without_the_train_extra_the_error_says_what_to_install():
    code = "import sys; sys.modules['torch'] = None; import hybridrank.training.onnx.export"
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "pip install 'hybridrank[train]'" in failed.stderr


@pytest.fixture
def encoder(tmp_path):
    """A folder with a tiny encoder as transformers saves it."""
    from tests.golden import tiny_models

    tiny_models.save(tmp_path / "source", "encoder", seed=3)
    return tmp_path / "source"


def add(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".json").write_text(json.dumps(content))


def operators(path):
    import onnx

    return Counter(node.op_type for node in onnx.load(str(path)).graph.node)


@pytest.mark.torch
def test_pooling_prefixes_and_length_come_from_model_files(encoder, tmp_path):
    from hybridrank.training.onnx.export import export_model
    from tests.golden import tiny_models

    add(
        encoder,
        modules=[{"type": f"sentence_transformers.models.{name}"} for name in ("Transformer", "Pooling", "Normalize")],
        sentence_bert_config={"max_seq_length": 24},
        config_sentence_transformers={"prompts": {"query": "query: ", "passage": "passage: "}},
    )
    add(encoder, **{"1_Pooling__config": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}})
    described = {"name": "mine", "licence": "MIT", "precision": "fp32", "languages": ["de", "en"]}
    toml = export_model(str(encoder), tmp_path / "out", **described).toml
    assert (toml.name, toml.licence, toml.pooling, toml.max_tokens) == ("mine", "MIT", "cls", 24)
    assert toml.languages == ("de", "en")
    assert (toml.query_prefix, toml.document_prefix) == ("query: ", "passage: ")

    served = loading.load([tmp_path / "out"]).encoder("mine")
    for kind, prefix in ((TextKind.QUERY, "query: "), (TextKind.DOCUMENT, "passage: ")):
        (vector,) = served.embed(served.tokenize_texts(["what"], kind))
        ((rows, _),) = tiny_models.token_rows(encoder, [prefix + "what"])
        np.testing.assert_allclose(vector, rows[0] / np.linalg.norm(rows[0]), atol=1e-4)


@pytest.mark.torch
def test_a_model_that_reads_no_segments(tmp_path):
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

    from hybridrank.training.onnx.export import export_model
    from tests.golden import tiny_models

    tiny_models.save(tmp_path / "source", "encoder", seed=4)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "source")
    config = DistilBertConfig(
        vocab_size=len(tiny_models.VOCABULARY), dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=48
    )
    DistilBertModel(config).save_pretrained(tmp_path / "distil")
    tokenizer.save_pretrained(tmp_path / "distil")
    assert export_model(str(tmp_path / "distil"), tmp_path / "out").toml.dimensions == 32
    (model,) = loading.load([tmp_path / "out"])
    assert model.info.name == "distil"
    assert operators(tmp_path / "out" / "model.onnx")["QAttention"] == 2


@pytest.mark.torch
def test_a_model_that_cannot_be_fused_is_exported_as_it_is(encoder, tmp_path):
    from transformers import AutoTokenizer, MPNetConfig, MPNetModel

    from hybridrank.training.onnx.export import export_model
    from tests.golden import tiny_models

    words, width, layers = len(tiny_models.VOCABULARY), 32, 2
    config = MPNetConfig(vocab_size=words, hidden_size=width, num_hidden_layers=layers, num_attention_heads=2)
    MPNetModel(config).save_pretrained(tmp_path / "mpnet")
    AutoTokenizer.from_pretrained(encoder).save_pretrained(tmp_path / "mpnet")
    export_model(str(tmp_path / "mpnet"), tmp_path / "out", precision="fp32")
    found = operators(tmp_path / "out" / "model.onnx")
    assert (found["Attention"], found["Softmax"], found["MatMul"]) == (0, layers, 8 * layers)
    assert loading.load([tmp_path / "out"]).get("mpnet").info.dimensions == width


@pytest.mark.torch
def test_a_bert_has_the_operators_of_shipped_models_by_layer(tmp_path):
    from hybridrank.training.onnx.export import export_model

    layers, shipped = 2, operators(SHIPPED_MODELS / "cross-encoder-minilm-l6" / "model.onnx")
    tiny_berts.save(tmp_path / "source", "cross-encoder", seed=7)
    export_model(str(tmp_path / "source"), tmp_path / "out")
    found = operators(tmp_path / "out" / "model.onnx")
    a_layer = {"QAttention": 1, "BiasGelu": 1, "LayerNormalization": 2, "MatMulInteger": 3, "Add": 4}
    for operator, count in a_layer.items():
        assert shipped[operator] - 6 * count == found[operator] - layers * count, operator
    assert found.keys() == shipped.keys()
    fp32 = operators(tmp_path / "out" / "model.fp32.onnx")
    assert (fp32["Attention"], fp32["BiasGelu"], fp32["EmbedLayerNormalization"]) == (layers - 1, layers, 1)
    assert (fp32["Softmax"], fp32["SkipLayerNormalization"]) == (1, 0)  # the last attention has one query


@pytest.mark.torch
def test_fused_rows_of_mixed_lengths_score_as_transformers_alone(tmp_path):
    from hybridrank.training.onnx.export import export_model
    from tests.golden import tiny_models

    tiny_models.save(tmp_path / "source", "cross-encoder", seed=6)
    export_model(str(tmp_path / "source"), tmp_path / "out", precision="fp32")
    passages = ["a", "the rank of a passage is what the search engine is ranked by", "query", "what is search? " * 5]
    scores = trial.load_model(tmp_path / "out").reranker.relevance_scores("what is rank", passages)
    wanted = tiny_models.logits(tmp_path / "source", [("what is rank", passage) for passage in passages])
    np.testing.assert_allclose(scores, wanted, atol=1e-4)
    assert np.ptp(scores) > 0.1


@pytest.mark.torch
def test_the_longest_input_may_be_said(encoder, tmp_path):
    from hybridrank.training.onnx.export import ExportFailed, export_model

    add(encoder, sentence_bert_config={"max_seq_length": 24})
    assert export_model(str(encoder), tmp_path / "out", precision="fp32", max_tokens=40).info.max_tokens == 40
    with pytest.raises(ExportFailed, match="cannot read 49 tokens; it reads 8 to 48"):
        export_model(str(encoder), tmp_path / "other", max_tokens=49)
    assert not (tmp_path / "other").exists()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"modules": [{"type": "sentence_transformers.models.CNN"}]},
            "has a CNN module .* none of those",
        ),
        ({"1_Pooling__config": {"pooling_mode": "median"}}, "pools in a way that the sidecar does not"),
    ],
)
def test_a_source_the_sidecar_would_compute_otherwise_is_refused(encoder, tmp_path, files, problem):
    from hybridrank.training.onnx.export import ExportFailed, export_model

    add(encoder, **files)
    with pytest.raises(ExportFailed, match=problem):
        export_model(str(encoder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.torch
def test_a_classifier_of_several_labels_is_refused(encoder, tmp_path):
    from hybridrank.training.onnx.export import ExportFailed, export_model

    config = json.loads((encoder / "config.json").read_text())
    config |= {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "no", "1": "yes", "2": "?"}}
    (encoder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportFailed, match=r"has 3 labels .* a reranker has one"):
        export_model(str(encoder), tmp_path / "out")


@pytest.mark.torch
def test_positions_of_roberta_start_behind_its_padding():
    from transformers import XLMRobertaConfig

    from hybridrank.training.onnx.sources.lengths import positions

    config = XLMRobertaConfig(vocab_size=9, hidden_size=8, num_attention_heads=2, max_position_embeddings=514)
    assert positions(config) == 512


@pytest.mark.torch
def test_the_command_writes_a_working_folder_without_overwriting(encoder, tmp_path):
    from hybridrank.cli.app import app

    command = ["model", "export", str(encoder), "--out", str(tmp_path / "out"), "--licence", "MIT"]
    written = CliRunner().invoke(app, command)
    assert written.exit_code == 0, written.output
    assert "encoder source, int8 and fp32, 48 tokens, digest" in written.output
    assert loading.load([tmp_path / "out"]).get("source").info.dimensions == 32
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1
    assert "holds a model already" in again.output


@pytest.mark.torch
def test_int8_lies_beside_the_fp32_that_is_exported_alone(encoder, tmp_path):
    from hybridrank.training.onnx.export import export_model

    exported = {name: export_model(str(encoder), tmp_path / name, precision=name) for name in ("both", "int8", "fp32")}
    for name, found in (("fp32", exported["both"].fp32), ("int8", exported["both"])):
        assert replace(found.info, comparable_digests=()) == exported[name].info
    files = {name: {path.name for path in (tmp_path / name).iterdir()} for name in exported}
    assert files["both"] - files["int8"] == {"model.fp32.onnx"}
    assert files["int8"] == files["fp32"] == {"model.onnx", "model.toml", "tokenizer.json", "selftest.json"}

    int8, fp32 = (trial.load_model(tmp_path / "both", precision=precision) for precision in ("int8", "fp32"))
    for model, deviation in ((int8, 0.5), (fp32, 1e-3)):
        assert trial.score_golden_pairs(model, self_test.read(tmp_path / "both")).deviation < deviation


@pytest.mark.torch
def test_a_model_that_int8_ruins_is_exported_at_fp32_only(encoder, tmp_path):
    """One entry of each token row is so large that the scale of int8 leaves nothing of the others."""
    from transformers import AutoModel

    from hybridrank.training.onnx.export import ExportFailed, export_model

    model = AutoModel.from_pretrained(encoder)
    model.encoder.layer[0].output.LayerNorm.weight.data[0] = 200.0
    model.encoder.layer[1].attention.self.value.weight.data[:, 0] = 0.0
    model.save_pretrained(encoder)
    with pytest.raises(
        ExportFailed,
        match=r"int8 will not do for this model: \d+ of \d+ golden pairs swapped, none may .* --precision fp32",
    ):
        export_model(str(encoder), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert export_model(str(encoder), tmp_path / "out", precision="fp32").info.precision == "fp32"
