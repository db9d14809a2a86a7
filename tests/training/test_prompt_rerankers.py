"""Language models that answer if a document is relevant are served as their publishers' code computes."""

import json
import shutil
from functools import partial

import numpy as np
import pytest

from hybridrank.model_files import model_folder
from hybridrank.sidecar import in_process
from tests.training.families import prompted
from tests.training.families.texts import PAIRS
from tests.training.plans import planned, refused

pytestmark = pytest.mark.torch
SAME = 1e-4
OWN = "Find the passage that a {mechanic} needs"


@pytest.mark.parametrize(
    ("name", "argument"),
    [("Qwen3-Reranker", "task"), ("mxbai-rerank v2", "instruction"), ("bge-reranker-v2-gemma", "prompt")],
)
def test_an_instruction_of_ones_own_is_pinned(name, argument, tmp_path):
    """It is in model.toml and its digest; the publisher's code takes it as an argument."""
    from hybridrank.training.onnx.export import export_model

    row = next(row for row in prompted.ROWS if row.name == name)
    row.build(tmp_path / "source")
    source, options = str(tmp_path / "source"), {**row.asked, "precision": "fp32"}
    folder = export_model(source, tmp_path / "out", instruction=OWN, **options)
    assert OWN in "".join(folder.toml.template)
    pairs = PAIRS[:8]
    wanted = row.expected(tmp_path / "source", pairs, row.max_tokens, **{argument: OWN})
    reranker = in_process.load_untested(folder.path, "fp32").reranker
    found = [reranker.relevance_scores(query, [passage])[0] for query, passage in pairs]
    np.testing.assert_allclose(found, wanted, atol=SAME)
    assert np.abs(row.expected(tmp_path / "source", pairs, row.max_tokens) - wanted).max() > 0.01
    usual = {"template": planned(source, **row.asked).toml.template}
    assert model_folder.write(folder.path, folder.toml.model_copy(update=usual)).toml.digest != folder.toml.digest


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    from tests.training import tiny_prompted

    return tiny_prompted.save_qwen(tmp_path_factory.mktemp("qwen") / "source")


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    from tests.training import tiny_prompted

    return tiny_prompted.save_t5(tmp_path_factory.mktemp("t5") / "source")


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({}, "generates text; .* name its prompt: --template qwen3-reranker"),
        ({"template": "qwen4"}, "there is no template 'qwen4'; known are qwen3-reranker"),
        ({"template": "bge-reranker-v2-gemma"}, "has no token <bos>, which the template bge-reranker-v2-gemma"),
        ({"template": "qwen3-reranker", "answers": ("yes",)}, "needs 2 answers"),
        ({"template": "qwen3-reranker", "answers": ("yes", "perhaps not")}, "perhaps not is not one token of"),
        ({"template": "qwen3-reranker", "answers": ("yes", "yes")}, "are the same token"),
        ({"template": "qwen3-reranker", "relevant_label": "yes"}, "has answers, not labels"),
        ({"template": "qwen3-reranker", "instruction": " "}, "an instruction is a sentence"),
        ({"template": "qwen3-reranker", "instruction": "{query}"}, "an instruction is a sentence"),
        ({"instruction": "Find"}, "are those of a prompt; name it with --template"),
        ({"answers": ("yes", "no")}, "are those of a prompt; name it with --template"),
    ],
    ids=str,
)
def test_what_is_no_prompt_of_the_model_is_refused(qwen, asked, problem):
    refused(qwen, problem, **asked)


def test_a_t5_needs_the_name_of_its_prompt_too(t5):
    refused(t5, "generates text; .* --template qwen3-reranker, .*, monot5")
    refused(t5, "has no token <|im_start|>", template="qwen3-reranker")
    refused(t5, "the template monot5 has no place for an instruction", template="monot5", instruction="Find")


@pytest.mark.parametrize(
    ("saved", "asked", "further"),
    [
        ({"model_type": "mt5"}, {"template": "monot5", "answers": ("yes", "no")}, {"answers": ("▁yes", "▁no")}),
        ({"seed": 5}, {"template": "rankt5"}, {"answers": ["<extra_id_10>"], "end": ""}),
    ],
    ids=["monoT5 on mT5", "RankT5"],
)
def test_another_t5_answers_as_its_publisher_says(tmp_path, saved, asked, further):
    """Before its export, which is that of the monoT5 above: the ids of the sidecar, the module of the plan."""
    import torch

    from hybridrank.sidecar.runtime.prompt import PromptTokenizer
    from hybridrank.training.onnx.sources.checkpoint import load_weights, open_checkpoint
    from tests.training import tiny_prompted

    source = tiny_prompted.save_t5(tmp_path / "source", **saved)
    plan = planned(source, max_tokens=64, **asked)
    model = plan.wrap(load_weights(open_checkpoint(str(source)), plan.auto))
    tokenizer = PromptTokenizer(source / "tokenizer.json", 64, plan.toml.template)
    found = []
    for query, passage in PAIRS:
        ids = torch.tensor([tokenizer.pairs(query, [passage])[0].token_ids])
        with torch.inference_mode():
            found.append(float(model(input_ids=ids, attention_mask=torch.ones_like(ids))["logits"][0, 0]))
    np.testing.assert_allclose(found, tiny_prompted.t5(source, PAIRS, 64, **further), atol=SAME)
    assert np.ptp(found) > 0.1


def test_an_mt5_has_to_be_told_its_answers(t5, tmp_path):
    shutil.copytree(t5, tmp_path / "mt5")
    config = tmp_path / "mt5" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_type": "mt5"}))
    refused(tmp_path / "mt5", "is an mT5, .* say --answers yes,no", template="monot5")
    toml = planned(tmp_path / "mt5", template="monot5", answers=("yes", "no")).toml
    assert (toml.answers, toml.max_tokens) == (("▁yes", "▁no"), 512)
    assert planned(t5, template="monot5").toml.answers == ("▁true", "▁false")


def test_an_answer_may_be_written_as_in_the_vocabulary(t5):
    assert planned(t5, template="monot5", answers=("▁", "▁true")).toml.answers == ("▁", "▁true")


def test_the_length_is_the_publishers_unless_files_say_less(qwen, t5):
    assert planned(qwen, template="qwen3-reranker").toml.max_tokens == 512  # its positions
    assert planned(t5, template="rankt5").toml.max_tokens == 512
    assert planned(qwen, template="qwen3-reranker", max_tokens=300).toml.max_tokens == 300


@pytest.mark.parametrize("head", ["ForCausalLM", "ForSequenceClassification"])
def test_a_decoder_of_many_positions_reads_1024_tokens(tmp_path, caplog, head):
    from tests.training import tiny_prompted

    source = tiny_prompted.save_qwen(tmp_path / "source", head=head, num_labels=1, max_position_embeddings=40960)
    caplog.set_level("INFO", "hybridrank.training.onnx")
    assert planned(source, template="qwen3-reranker").toml.max_tokens == 1024
    (said,) = caplog.messages
    assert said.startswith("mine reads 1024 tokens: the default, where the limit of its publisher's code is 8192; ")
    assert planned(source, template="qwen3-reranker", max_tokens=8192).toml.max_tokens == 8192


def test_a_classifier_may_be_prompted(qwen, tmp_path):
    """As the conversions of Qwen3-Reranker to a sequence classifier are."""
    from tests.training import tiny_prompted

    source = tiny_prompted.save_qwen(tmp_path / "source", head="ForSequenceClassification", num_labels=1)
    toml = planned(source, template="qwen3-reranker").toml
    assert (toml.kind, toml.answers) == ("prompt-reranker", ())
    assert toml.template == planned(qwen, template="qwen3-reranker").toml.template
    assert planned(source).toml.kind == "cross-encoder"
    refused(source, "is a classifier, whose score needs no answers", template="qwen3-reranker", answers=("yes", "no"))


def test_an_encoder_reads_no_prompt(qwen, tmp_path):
    from tests.training import tiny_prompted

    source = tiny_prompted.save_qwen(tmp_path / "source", head="")
    refused(source, "is a encoder, which reads no prompt; leave --template out", template="qwen3-reranker")


def test_logits_that_are_changed_behind_the_head_are_refused(tmp_path):
    """Gemma 2 caps them, which a score from the head's rows alone would miss."""
    from hybridrank.training.onnx.sources.checkpoint import load_weights, open_checkpoint
    from hybridrank.training.onnx.sources.source_files import ExportFailed
    from tests.training import tiny_prompted

    source = tiny_prompted.save_gemma(
        tmp_path / "source", "gemma2", num_key_value_heads=1, head_dim=16, final_logit_softcapping=1.0
    )
    plan = planned(source, template="bge-reranker-v2-gemma")
    wrap = partial(plan.wrap, load_weights(open_checkpoint(str(source)), plan.auto))
    with pytest.raises(ExportFailed, match="a gemma2, changes the logits of its head"):
        wrap()
