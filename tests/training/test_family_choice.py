"""A checkpoint is planned as its files say, or refused in one sentence that names the setting and the file."""

import json
from functools import partial
from pathlib import Path

import pytest

from tests.training.plans import planned, refused
from tests.training.test_export_onnx import add

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of one small encoder, to copy from."""
    from tests.training import tiny_checkpoints

    return tiny_checkpoints.save(tmp_path_factory.mktemp("saved") / "model", "bert")


@pytest.fixture
def source(saved, tmp_path):
    import shutil

    shutil.copytree(saved, tmp_path / "source")
    return tmp_path / "source"


def configure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def modules(*kinds):
    return [{"type": f"sentence_transformers.models.{kind}", "path": ""} for kind in kinds]


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("BertForMaskedLM", "head that predicts words: if it is SPLADE, say so with --kind splade"),
        ("BertForPreTraining", "if it was only pretrained, train it first"),
        ("BertForQuestionAnswering", "finds answers inside a text"),
        ("BertForTokenClassification", "labels tokens"),
        ("BertLMHeadModel", "generates text"),
        ("Qwen3ForCausalLM", "generates text; if it was trained .* name its prompt: --template qwen3-reranker, mxbai"),
        (
            "BertForMagic",
            r"\(BertForMagic\) is of no family that can be exported; exported are colbert, splade, prompt-reranker",
        ),
    ],
)
def test_another_head_is_refused_by_its_name(source, head, problem):
    configure(source, architectures=[head])
    refused(source, f"{head}.*{problem}" if "Magic" not in head else problem)


def test_a_head_under_a_pooling_is_an_encoder(source):
    configure(source, architectures=["BertForMaskedLM"])
    add(source, modules=modules("Transformer", "Pooling"))
    assert planned(source).toml.kind == "encoder"


def test_an_encoder_decoder_is_refused(source):
    configure(source, architectures=["T5EncoderModel"], is_encoder_decoder=True)
    refused(source, "is an encoder-decoder")


@pytest.mark.parametrize(
    ("kinds", "problem"),
    [
        (("Transformer", "SpladePooling"), "has a SpladePooling module behind a Transformer that predicts no words"),
        (("MLMTransformer", "SpladePooling", "Normalize"), "has a Normalize module .* none of those"),
        (("MLMTransformer", "Pooling"), "has a MLMTransformer module .* SPLADE has a SpladePooling module behind it"),
        (("Router",), "router_config.json of .* has no routes of modules"),
        (("Transformer", "LogitScore"), "LogitScore module .* whose prompt has to be named: --template"),
        (
            ("Transformer", "Pooling", "CNN"),
            "CNN module .* none of those that the sidecar computes: Tr.*Dense, LayerNo",
        ),
        (("Transformer", "Normalize", "Pooling"), "has Transformer, Normalize, Pooling, not Transformer, Pooling and"),
        (("Transformer", "Dense"), "has Transformer, Dense, not Transformer, Pooling and then Dense"),
    ],
)
def test_modules_the_sidecar_does_not_compute_are_refused(source, kinds, problem):
    add(source, modules=modules(*kinds))
    refused(source, problem)


@pytest.mark.parametrize(
    "mode", ["max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"], ids=lambda mode: mode
)
def test_each_other_pooling_is_planned_alone_and_added(source, mode):
    for mean, dimensions in ((True, 64), (False, 32)):
        pooling = {f"pooling_mode_{mode}": True, "pooling_mode_mean_tokens": mean}
        add(source, modules=modules("Transformer", "Pooling"), **{"1_Pooling__config": pooling})
        toml = planned(source).toml
        assert toml.pooling == ("last" if mode == "lasttoken" and not mean else "graph")
        assert toml.dimensions == dimensions


@pytest.mark.parametrize(
    ("file", "said", "problem"),
    [
        ("config_sentence_transformers", {"truncate_dim": 64}, "truncate_dim 64 in config_sentence_transformers.json"),
        (
            "config_sentence_transformers",
            {"similarity_fn_name": "dot"},
            r"compares vectors by dot \(similarity_fn_name",
        ),
        (
            "config_sentence_transformers",
            {"prompts": {"query": "is "}, "default_prompt_name": "query"},
            r"puts the prompt query before all texts \(default_prompt_name in config_sentence",
        ),
        (
            "config_sentence_transformers",
            {"prompts": {"search_query": "is "}},
            "has the prompts search_query in config_se",
        ),
        ("sentence_bert_config", {"query_length": 8}, "sentence_bert_config.json of .* sets query_length"),
        ("sentence_bert_config", {"tokenizer_name_or_path": "x/y"}, "sets tokenizer_name_or_path"),
        ("sentence_bert_config", {"config_args": {"is_decoder": True}}, "sets is_decoder"),
        ("tokenizer_config", {"truncation_side": "left"}, r"keeps the end of a long text \(truncation_side in token"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_refused(source, file, said, problem):
    path = source / f"{file}.json"
    add(source, **{file: {**(json.loads(path.read_text()) if path.is_file() else {}), **said}})
    refused(source, problem)


@pytest.mark.parametrize("head", ["BertModel", "BertForMaskedLM"])
def test_prefixes_that_are_asked_for_come_before_the_files(source, caplog, head):
    """Those of e5-mistral have names that say nothing to the sidecar; of bge and e5 only the model cards know them."""
    caplog.set_level("INFO", "hybridrank.training.onnx.sources")
    configure(source, architectures=[head])
    kind = {"kind": "splade"} if "Masked" in head else {}
    add(source, config_sentence_transformers={"prompts": {"web_search_query": "is "}})
    refused(source, "web_search_query .* by its name; say --query-prefix and --document-prefix", **kind)
    toml = planned(source, query_prefix="Query: ", **kind).toml
    assert (toml.query_prefix, toml.document_prefix, caplog.messages) == ("Query: ", "", [])
    prompts = {"prompts": {"query": "is ", "passage": "as "}, "default_prompt_name": "query"}
    add(source, config_sentence_transformers=prompts)
    refused(source, "puts the prompt query before all texts .*: say --query-prefix", query_prefix="Query: ", **kind)
    toml = planned(source, query_prefix="Query: ", document_prefix="as ", **kind).toml
    assert (toml.query_prefix, toml.document_prefix) == ("Query: ", "as ")
    (said,) = caplog.messages
    assert said.startswith("the query_prefix 'Query: ' that was asked for replaces 'is ' in config_sentence")


def test_a_prompt_outside_the_mean_is_refused(source):
    pooling = {"pooling_mode_mean_tokens": True, "include_prompt": False}
    add(source, modules=modules("Transformer", "Pooling"), **{"1_Pooling__config": pooling})
    assert planned(source).toml.pooling == "mean"
    add(source, config_sentence_transformers={"prompts": {"query": "is "}})
    refused(source, r"leaves the prompt out of what it pools \(include_prompt in 1_Pooling/config.json\)")
    assert planned(source, query_prefix="").toml.query_prefix == ""


@pytest.mark.parametrize(
    ("labels", "relevant_label", "signs"),
    [
        (["LABEL_0", "LABEL_1"], None, [-1, 1]),
        (["Yes", "No"], None, [1, -1]),
        (["not_entailment", "entailment"], None, [-1, 1]),
        (["good", "bad"], "good", [1, -1]),
    ],
)
def test_the_relevant_of_two_labels(source, labels, relevant_label, signs):
    configure(source, architectures=["BertForSequenceClassification"], id2label=dict(enumerate(labels)))
    wrapped = planned(source, relevant_label=relevant_label).wrap(None)
    assert wrapped.signs.tolist() == signs


@pytest.mark.parametrize(
    ("labels", "relevant_label", "problem"),
    [
        (["good", "bad"], None, "has the labels good, bad; say with --relevant-label which"),
        (["yes", "true"], None, "has the labels yes, true; say"),
        (["good", "bad"], "fine", "has the labels good, bad; say"),
        (["a", "b", "c"], "a", r"has 3 labels \(a, b, c\); a reranker has one"),
        (["a"], "a", "has one label"),
    ],
)
def test_labels_without_one_that_means_relevant_are_refused(source, labels, relevant_label, problem):
    configure(source, architectures=["BertForSequenceClassification"], id2label=dict(enumerate(labels)))
    refused(source, problem, relevant_label=relevant_label)


def test_an_encoder_has_no_relevant_label(source):
    refused(source, "is a encoder, which has no labels", relevant_label="yes")


@pytest.mark.parametrize("file", ["config", "tokenizer_config"])
def test_remote_code_is_refused_in_those_words(source, file):
    said = json.loads((source / f"{file}.json").read_text())
    add(source, **{file: {**said, "auto_map": {"AutoModel": "jina.py--Model"}}})
    refused(source, f"has an auto_map in {file}.json; it needs remote code")


def test_a_module_of_foreign_code_is_refused(source):
    add(source, modules=[{"type": "custom_st.Transformer", "path": ""}])
    refused(source, r"names custom_st\.Transformer; it needs remote code")


def test_files_that_cannot_be_read_are_named_in_one_sentence(source):
    from hybridrank.training.onnx.sources.checkpoint import load_weights, open_checkpoint
    from hybridrank.training.onnx.sources.source_files import ExportFailed

    opened = open_checkpoint(str(source))
    weights = partial(load_weights, opened, planned(source).auto)
    (source / "model.safetensors").write_bytes(b"no tensors " * 9)
    with pytest.raises(ExportFailed, match=r"the weights of .* cannot be read: .*header"):
        weights()
    (source / "model.safetensors").unlink()
    with pytest.raises(ExportFailed, match=r"the weights of .* cannot be read: .*no file named model.safetensors"):
        weights()
    (source / "tokenizer.json").unlink()
    refused(source, r"has no tokenizer: none of tokenizer\.json, vocab\.txt")
    configure(source, model_type="elsewhere")
    (source / "vocab.txt").write_text("a")
    refused(source, "config.json of .* is none that transformers knows: .*elsewhere")
    (source / "config.json").write_text("{")
    refused(source, "config.json of .* is no JSON")
    (source / "config.json").unlink()
    refused(source, "has no config.json")


@pytest.mark.parametrize("model_type", ["camembert", "longformer", "mpnet", "roberta", "xlm-roberta", "bert"])
def test_positions_behind_the_padding_id_are_not_counted(model_type):
    import torch
    import transformers

    from hybridrank.training.onnx.sources.lengths import positions

    sizes = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
        "vocab_size": 9,
    }
    config = transformers.AutoConfig.for_model(model_type, **sizes, max_position_embeddings=20)
    model = transformers.AutoModel.from_config(config).eval()
    longest = positions(config)
    model(input_ids=torch.full((1, longest), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, longest + 1), 5))


def test_a_model_without_any_length_has_to_be_told_one(source):
    from hybridrank.training.onnx.sources.source_files import ExportFailed

    configure(source, max_position_embeddings=-1)
    with pytest.raises(ExportFailed, match=r"says how many tokens it reads; say it with --max-tokens"):
        planned(source)
    assert planned(source, max_tokens=30).toml.max_tokens == 30


@pytest.mark.parametrize("head", ["", "ForSequenceClassification"])
def test_long_models_read_1024_tokens_unless_asked(source, caplog, head):
    """As bge-m3 and bge-reranker-v2-m3, whose files allow 8,192."""
    caplog.set_level("INFO", "hybridrank.training.onnx")
    configure(source, max_position_embeddings=8192, architectures=[f"Bert{head or 'Model'}"], num_labels=1)
    assert planned(source).toml.max_tokens == 1024
    assert caplog.messages == [
        "mine reads 1024 tokens: the default, where the limit of its positions is 8192; --max-tokens asks for more"
    ]
    assert planned(source, max_tokens=8192).toml.max_tokens == 8192
    add(source, sentence_bert_config={"max_seq_length": 512})
    assert planned(source).toml.max_tokens == 512
    assert caplog.messages[1:] == ["mine reads 512 tokens: the limit of max_seq_length of sentence-transformers"]


def test_the_docs_name_each_family_and_each_refused_head():
    from hybridrank.training.onnx.families import registry

    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    section = page.partition("\n## Your own\n")[2].partition("\n### ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ") and line.count(" | ") == 1]
    for family in registry.FAMILIES:
        assert any(f"`{family}`" in becomes for _, becomes in rows), family
    for head in registry.REFUSED:
        assert any(f"`{head}`" in checkpoint and becomes.startswith("refused") for checkpoint, becomes in rows), head


def test_folders_of_sentence_transformers_itself_are_taken(source, tmp_path):
    from sentence_transformers import CrossEncoder, SentenceTransformer

    SentenceTransformer(str(source), device="cpu", prompts={"query": "is "}).save(str(tmp_path / "encoder"))
    toml = planned(tmp_path / "encoder").toml
    assert (toml.kind, toml.pooling, toml.query_prefix, toml.max_tokens) == ("encoder", "mean", "is ", 48)
    CrossEncoder(str(source), device="cpu", num_labels=1).save(str(tmp_path / "reranker"))
    assert planned(tmp_path / "reranker").toml.kind == "cross-encoder"


def test_a_graph_torch_cannot_write_is_one_sentence(source, tmp_path, monkeypatch):
    import torch

    from hybridrank.training.onnx import export, fusion

    def fails(*_):
        raise torch.onnx.OnnxExporterError("Failed to export.\n\n## Summary")

    monkeypatch.setattr(fusion, "trace", fails)
    with pytest.raises(
        export.ExportFailed, match=r"torch cannot write .*, a bert, as ONNX: Failed to export\.; `hybridrank model fam"
    ):
        export.export_model(str(source), tmp_path / "out")
    assert not (tmp_path / "out").exists()
