"""Each family of checkpoints is served as transformers and sentence-transformers compute it, or refused by name."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest

from hybridrank.sidecar import in_process
from hybridrank.sidecar.types import TextKind
from tests.golden.texts import PAIRS

pytestmark = pytest.mark.torch
SAME = 1e-4
LONG = "the rank of a passage is what a search engine is ranked by " * 250  # 3,000 words
UNUSUAL = [
    ("", ""),
    ("what is rank", ""),
    ("what is rank", LONG),
    ("what is rank", "搜索引擎按相关性排列文档。検索エンジン"),
    ("ما هو محرك البحث", "محرك البحث يرتب النصوص حسب الصلة"),
    (LONG, "the rank of a passage"),
]
TEXTS = [*PAIRS[:20], *UNUSUAL]


@dataclass(frozen=True)
class Case:
    """A checkpoint: `model_type`, its configuration, and the tokens that its export reads."""

    model_type: str
    config: dict[str, Any] = field(default_factory=dict)
    max_tokens: int = 48
    precision: str = "fp32"
    asked: dict[str, Any] = field(default_factory=dict)


TWO = {"id2label": {0: "yes", 1: "no"}, "label2id": {"yes": 0, "no": 1}}
CLASSIFIERS = {
    "bert": Case("bert", precision="both"),
    "xlm-roberta": Case("xlm-roberta", max_tokens=46, precision="both"),
    "camembert": Case("camembert", max_tokens=46),
    "qwen3": Case("qwen3", {"num_labels": 2}),
    "two labels": Case("bert", {"num_labels": 2}),
    "two named labels": Case("xlm-roberta", TWO, max_tokens=46),
}


@pytest.fixture(scope="module", params=CLASSIFIERS)
def classifier(request, tmp_path_factory):
    """A case, its checkpoint and its export."""
    from hybridrank.training.onnx.export import export_model
    from tests.training import tiny_checkpoints

    case = CLASSIFIERS[request.param]
    folder = tmp_path_factory.mktemp("classifier")
    config = {"num_labels": 1, **case.config} if "id2label" not in case.config else case.config
    source = tiny_checkpoints.save(folder / "source", case.model_type, "ForSequenceClassification", **config)
    return case, source, export_model(str(source), folder / "out", precision=case.precision, **case.asked)


def logits(source, pairs, max_tokens):
    """Transformers' logits, a pair at a time; the query keeps at most half of the tokens."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForSequenceClassification.from_pretrained(source).eval()
    found = []
    for query, passage in pairs:
        head, tail = (tokenizer(text, add_special_tokens=False)._encodings[0] for text in (query, passage))
        head.truncate(max_tokens // 2)
        tail.truncate(max_tokens - len(head) - tokenizer.num_special_tokens_to_add(pair=True))
        pair = tokenizer.backend_tokenizer.post_process(head, tail)
        inputs = {"input_ids": pair.ids, "attention_mask": [1] * len(pair), "token_type_ids": pair.type_ids}
        read = {name: torch.tensor([ids]) for name, ids in inputs.items() if name in tokenizer.model_input_names}
        with torch.inference_mode():
            found.append(model(**read).logits[0].numpy())
    return np.array(found)


def test_a_classifier_scores_as_transformers_does(classifier):
    case, source, exported = classifier
    assert exported.toml.max_tokens == case.max_tokens
    wanted = logits(source, TEXTS, case.max_tokens)
    if wanted.shape[1] == 2:
        odds = np.exp(wanted) / np.exp(wanted).sum(axis=1, keepdims=True)
        relevant = 0 if "id2label" in case.config else 1
        wanted = np.log(odds[:, relevant] / odds[:, 1 - relevant])[:, np.newaxis]
    reranker = in_process.load_model(exported.path, precision="fp32").reranker
    found = [reranker.relevance_scores(query, [passage])[0] for query, passage in TEXTS]
    np.testing.assert_allclose(found, wanted[:, 0], atol=SAME)
    assert np.ptp(found) > 0.1
    if exported.fp32:
        int8 = in_process.load_model(exported.path, precision="int8").reranker
        close = [int8.relevance_scores(query, [passage])[0] for query, passage in TEXTS]
        assert np.corrcoef(close, found)[0, 1] > 0.97


def encoders():
    """Name → what is saved, and the tokens of its export."""
    from tests.training import tiny_checkpoints as tiny

    def old_layout(folder):
        tiny.save(folder / "0_Transformer", "bert")
        tiny.add(folder / "0_Transformer", sentence_roberta_config={"max_seq_length": 40, "do_lower_case": True})
        return tiny.as_sentence_transformer(folder, "Pooling", transformer="0_Transformer")

    def matryoshka(folder):
        tiny.as_sentence_transformer(tiny.save(folder, "bert"), "Pooling", "Normalize")
        tiny.add(folder, config_sentence_transformers={"truncate_dim": 8})
        return folder

    def prompts(folder):
        tiny.as_sentence_transformer(tiny.save(folder, "camembert", "ForMaskedLM"), "Pooling", "Normalize")
        prompts = {"query": "what is ", "document": "passage ", "other": "rank "}
        pooling = {"pooling_mode": "cls", "word_embedding_dimension": 32, "pooling_mode_mean_tokens": False}
        tiny.add(folder, config_sentence_transformers={"prompts": prompts})
        tiny.add(folder, **{"1_Pooling__config": pooling})
        return folder

    def last_token(folder):
        tiny.as_sentence_transformer(tiny.save(folder, "qwen3", "ForCausalLM"), "Pooling", "Normalize")
        tiny.save_tokenizer(folder, only_last=True)
        pooling = {"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}
        prompts = {"query": "Instruct: rank what is searched\nQuery:", "document": ""}
        tiny.add(folder, **{"1_Pooling__config": pooling}, config_sentence_transformers={"prompts": prompts})
        return folder

    def dense(folder):
        tiny.as_sentence_transformer(tiny.save(folder, "bert"), "Pooling", "Dense", "Normalize")
        tiny.add(folder, **{"1_Pooling__config": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}})
        tiny.add_dense(folder, "2_Dense", 32, 24, "activation.Tanh")
        return folder

    def encoder_of_t5(folder):
        tiny.as_sentence_transformer(tiny.save(folder, "t5", "ForSeq2SeqLM"), "Pooling", "Dense", "Normalize")
        tiny.add_dense(folder, "2_Dense", 32, 24, "linear.Identity", bias=False)
        return folder

    return {each.__name__: each for each in (old_layout, matryoshka, prompts, last_token, dense, encoder_of_t5)}


@pytest.mark.parametrize(
    ("name", "max_tokens", "dimensions"),
    [
        ("old_layout", 40, 32),
        ("matryoshka", 48, 8),
        ("prompts", 46, 32),
        ("last_token", 48, 32),
        ("dense", 48, 24),
        ("encoder_of_t5", 48, 24),
    ],
)
def test_an_encoder_makes_the_vectors_of_its_library(name, max_tokens, dimensions, tmp_path):
    from sentence_transformers import SentenceTransformer

    from hybridrank.training.onnx.export import export_model

    source = encoders()[name](tmp_path / "source")
    asked = {"max_tokens": max_tokens} if name == "encoder_of_t5" else {}  # its positions have no end
    toml = export_model(str(source), tmp_path / "out", precision="fp32", **asked).toml
    assert (toml.max_tokens, toml.dimensions) == (max_tokens, dimensions)
    library = SentenceTransformer(str(source), device="cpu")
    library.max_seq_length = max_tokens
    encoder = in_process.load_model(tmp_path / "out").encoder
    texts = ["The RANK of a Passage", *dict.fromkeys(text for pair in TEXTS for text in pair)]
    for kind, encode in ((TextKind.QUERY, library.encode_query), (TextKind.DOCUMENT, library.encode_document)):
        found = np.concatenate([encoder.embed([each]) for each in encoder.tokenize_texts(texts, kind)])
        wanted = np.concatenate([encode([text], normalize_embeddings=True) for text in texts])
        np.testing.assert_allclose(found, wanted, atol=SAME)


def test_a_family_is_a_plan_and_its_line(tmp_path, monkeypatch):
    """A toy family: the head that says if one sentence follows another, whose first label means that it does."""
    import torch
    import transformers

    from hybridrank.model_files.model_folder import CrossEncoderToml
    from hybridrank.training.onnx.export import ExportFailed, export_model
    from hybridrank.training.onnx.families import registry
    from hybridrank.training.onnx.families.labels import LogitDifference
    from hybridrank.training.onnx.families.plan import Plan
    from tests.training import tiny_checkpoints

    def next_sentence(checkpoint, asked):
        if not any(head.endswith("ForNextSentencePrediction") for head in checkpoint.heads):
            return None
        toml = CrossEncoderToml.model_validate(asked.fields(checkpoint))
        auto = transformers.AutoModelForNextSentencePrediction
        return Plan(toml, "logits", auto, partial(LogitDifference, relevant=0))

    source = tiny_checkpoints.save(tmp_path / "source", "bert", "ForNextSentencePrediction")
    with pytest.raises(ExportFailed, match="is of no family that can be exported"):
        export_model(str(source), tmp_path / "out")
    monkeypatch.setitem(registry.FAMILIES, "next-sentence", next_sentence)
    export_model(str(source), tmp_path / "out", precision="fp32")
    query, passages = "what is rank", ["the rank of a passage", "query"]
    found = in_process.load_model(tmp_path / "out").reranker.relevance_scores(query, passages)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    model = transformers.AutoModelForNextSentencePrediction.from_pretrained(source).eval()
    with torch.inference_mode():
        logits = torch.cat([model(**tokenizer(query, each, return_tensors="pt")).logits for each in passages])
    np.testing.assert_allclose(found, logits[:, 0] - logits[:, 1], atol=SAME)
