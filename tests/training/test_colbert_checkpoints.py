"""ColBERT checkpoints of both libraries are exported as they describe themselves, or refused."""

import json

import pytest
from typer.testing import CliRunner

from hybridrank.sidecar.models import loading
from tests.training.plans import planned

pytestmark = pytest.mark.torch


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


def test_the_command_writes_both_precisions(source, tmp_path):
    from hybridrank.cli.app import app
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_pylate(source, 5)
    written = CliRunner().invoke(app, ["model", "export", str(source), "--out", str(tmp_path / "out")])
    assert written.exit_code == 0, written.output
    assert "colbert source, int8 and fp32, 40 tokens, digest" in written.output
    (model,) = loading.load([tmp_path / "out"])
    assert model.info.kind == "colbert"


def described(source):
    """The fields that a checkpoint would be exported with."""
    from transformers import AutoConfig, AutoTokenizer

    from hybridrank.training.onnx.sources import colbert_checkpoints

    config, tokenizer = AutoConfig.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    return colbert_checkpoints.read(str(source), config, tokenizer).fields


def test_fields_missing_in_a_checkpoint_get_library_defaults(source, tmp_path):
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_colbert_ai(source, 1)
    (source / "artifact.metadata").write_text('{"dim": 8}')
    fields = described(source)
    assert (fields["query_length"], fields["max_tokens"]) == (32, 220)
    assert (fields["query_marker"], fields["document_marker"]) == ("[unused0]", "[unused1]")
    assert (fields["expansion_token"], fields["attend_to_expansion"]) == ("[MASK]", False)

    tiny_colbert.save_as_pylate(tmp_path / "other", 1)
    (tmp_path / "other" / "config_sentence_transformers.json").write_text('{"query_prefix": "", "document_prefix": ""}')
    fields = described(tmp_path / "other")
    assert (fields["query_length"], fields["max_tokens"], fields["query_marker"]) == (32, 180, "")
    assert len(fields["skiplist"]) == 32


def test_a_skiplist_word_that_is_no_token_skips_nothing(source):
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_pylate(source, 1, skiplist_words=[".", "…", "[UNK]"])
    assert described(source)["skiplist"] == (".",)


def test_prompts_come_before_the_texts(source):
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_pylate(source, 1, prompts={"query": "query: ", "document": ""})
    fields = described(source)
    assert (fields["query_prefix"], fields["document_prefix"]) == ("query: ", "")


def test_documents_have_at_most_1024_tokens_unless_asked(source):
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_pylate(source, 1, document_length=4096)
    config = source / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "max_position_embeddings": 8192}))
    assert planned(source).toml.max_tokens == 1024
    assert planned(source, max_tokens=4096).toml.max_tokens == 4096


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"query_prefix": "[Q] "}, r"marks texts with '\[Q\] ', which is no token of its vocabulary"),
        ({"default_prompt_name": "query", "prompts": {"query": "q: "}}, "puts a prompt before queries and documents"),
    ],
)
def test_unsupported_features_of_pylate_are_refused(source, config, problem):
    from hybridrank.training.onnx.sources.source_files import ExportFailed
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_pylate(source, 1, **config)
    with pytest.raises(ExportFailed, match=problem):
        described(source)


@pytest.mark.parametrize(
    ("file", "changes", "problem"),
    [
        ("2_Dense/config.json", {"activation_function": "my.code.Swoosh"}, "has the activation Swoosh; known are Iden"),
        ("2_Dense/config.json", {"out_features": 4}, "size mismatch"),
        ("modules.json", {"type": "pylate.models.Pool"}, "has a pylate.models.Pool in '2_Dense'; expected is a Dense"),
    ],
)
def test_a_projection_that_we_do_not_know_is_refused(source, file, changes, problem):
    from hybridrank.training.onnx.sources.source_files import ExportFailed
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_pylate(source, 1)
    said = json.loads((source / file).read_text())
    (said[-1] if isinstance(said, list) else said).update(changes)
    (source / file).write_text(json.dumps(said))
    with pytest.raises(ExportFailed, match=problem):
        described(source)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"similarity": "l2"}, "has the similarity 'l2'; the sidecar computes 'cosine'"),
        ({"interaction": "flipr"}, "has the interaction 'flipr'"),
        ({"doc_token_id": "[D]"}, r"marks texts with '\[D\]'"),
    ],
)
def test_unsupported_features_of_colbert_ai_are_refused(source, metadata, problem):
    from hybridrank.training.onnx.sources.source_files import ExportFailed
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_colbert_ai(source, 1, **metadata)
    with pytest.raises(ExportFailed, match=problem):
        described(source)


def test_files_that_are_missing_are_named(source, tmp_path):
    from hybridrank.training.onnx.sources.source_files import ExportFailed
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_colbert_ai(source, 1)
    (source / "artifact.metadata").unlink()
    with pytest.raises(ExportFailed, match=r"is a ColBERT model without artifact\.metadata"):
        described(source)
    tiny_colbert.save_as_pylate(tmp_path / "other", 1)
    (tmp_path / "other" / "1_Dense" / "model.safetensors").unlink()
    with pytest.raises(ExportFailed, match=r"has no 1_Dense/model\.safetensors or 1_Dense/pytorch_model\.bin"):
        described(tmp_path / "other")


def test_weights_that_are_missing_are_named_rather_than_random(source, tmp_path):
    from safetensors.torch import load_file, save_file

    from hybridrank.training.onnx.export import ExportFailed, export_model
    from tests.golden import tiny_colbert

    tiny_colbert.save_as_colbert_ai(source, 1)
    weights = load_file(source / "model.safetensors")
    del weights["bert.encoder.layer.0.output.dense.weight"]
    save_file(weights, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(ExportFailed, match=r"has no weights for encoder\.layer\.0\.output\.dense\.weight"):
        export_model(str(source), tmp_path / "out")
