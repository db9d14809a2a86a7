"""SPLADE checkpoints are exported as sentence-transformers and the published code compute them, or refused by name."""

import json
import shutil

import numpy as np
import pytest

from hybridrank.model_files import model_folder
from hybridrank.sidecar.models import loading
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.types import TextKind
from tests.golden.texts import PASSAGES
from tests.sidecar.serving import serving
from tests.training.families.texts import LONG, UNUSUAL

pytestmark = pytest.mark.torch
SAME = 1e-4
TEXTS = list(
    dict.fromkeys([*PASSAGES, *(text for pair in UNUSUAL for text in pair), "a", ".", "10.5 ms", "É", LONG[:900]])
)
QUERIES = [text for text in TEXTS if text.strip()]
MAX_TOKENS = 48


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A masked language model in the hub's layout."""
    from tests.golden import tiny_splade

    return tiny_splade.save_plain(tmp_path_factory.mktemp("plain") / "model", 3)


def splade(plain, out, pooling="max", activation="relu"):
    """The same as sentence-transformers saves it."""
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import SpladePooling, Transformer

    words = Transformer(str(plain), transformer_task="fill-mask")
    pooling = SpladePooling(pooling, activation_function=activation)
    SparseEncoder(modules=[words, pooling], device="cpu").save_pretrained(str(out))
    return out


def inference_free(plain, out):
    """One whose queries have a weight for each of their tokens."""
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules.router import Router
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling, Transformer

    torch.manual_seed(1)
    words = Transformer(str(plain), transformer_task="fill-mask")
    static = SparseStaticEmbedding(words.tokenizer, weight=torch.rand(len(words.tokenizer)))
    documents = [words, SpladePooling(activation_function="log1p_relu")]
    router = Router.for_query_document(query_modules=[static], document_modules=documents)
    SparseEncoder(modules=[router], device="cpu").save_pretrained(str(out))
    return out


def exported(source, out, **asked):
    from hybridrank.training.onnx.export import export_model

    return export_model(str(source), out, name="mine", **asked)


def all_kept(folder):
    """Keeps every token, so that vectors are compared whole; the golden pairs are of those that are cut."""
    (folder.path / "selftest.json").unlink()
    toml = folder.toml.model_copy(update={"query_terms": 1024})
    return model_folder.write(folder.path, toml)


async def served(folder, precision, texts, kind):
    """The sparse vectors over gRPC as rows of the vocabulary, and that vocabulary."""
    model = load_model(folder, precision=precision)
    tokens = model.sparse_encoder._vocabulary.tokens
    ids = {token: place for place, token in enumerate(tokens)}
    async with serving(loading.load([folder], load_folder=lambda _: model)) as client:
        answer = await client.encoder.Encode(pb.EncodeRequest(model="mine", texts=texts, kind=kind))
    rows = np.zeros((len(texts), len(tokens)))
    for row, each in zip(rows, answer.embeddings, strict=True):
        row[[ids[token] for token in each.sparse.tokens]] = each.sparse.weights
    return rows, model.sparse_encoder._vocabulary.own


@pytest.mark.parametrize(
    "make",
    [
        splade,
        lambda plain, out: splade(plain, out, "sum"),
        lambda plain, out: splade(plain, out, "max", "log1p_relu"),
        inference_free,
    ],
    ids=["max", "sum", "log1p_relu", "inference_free"],
)
async def test_vectors_over_grpc_are_those_of_its_library(make, plain, tmp_path):
    from sentence_transformers import SparseEncoder

    source = make(plain, tmp_path / "source")
    folder = all_kept(exported(source, tmp_path / "out"))
    assert (folder.toml.kind, folder.toml.max_tokens, folder.toml.document_terms) == ("splade", MAX_TOKENS, 256)
    library = SparseEncoder(str(source), device="cpu")
    queries = (pb.TEXT_KIND_QUERY, library.encode_query, QUERIES)
    for kind, encode, texts in (queries, (pb.TEXT_KIND_DOCUMENT, library.encode_document, TEXTS)):
        found, own = await served(folder.path, "fp32", texts, kind)
        wanted = np.stack([encode([each], convert_to_sparse_tensor=False)[0].numpy() for each in texts])
        width = min(len(own), wanted.shape[1])
        wanted = wanted[:, :width] * own[:width]
        heavy = np.minimum(wanted, 64.0)
        np.testing.assert_allclose(found[:, :width], heavy, atol=SAME, rtol=1e-5)
        assert (found > 0).sum(axis=1).max() > (3 if kind == pb.TEXT_KIND_QUERY else 20)
        close, _ = await served(folder.path, "int8", texts, kind)
        assert np.corrcoef(close.ravel(), found.ravel())[0, 1] > 0.97


async def test_a_plain_head_is_splade_if_the_caller_says_so(plain, tmp_path):
    import torch
    import transformers

    folder = all_kept(exported(plain, tmp_path / "out", kind="splade", precision="fp32"))
    found, own = await served(folder.path, "fp32", TEXTS, pb.TEXT_KIND_DOCUMENT)
    tokenizer = transformers.AutoTokenizer.from_pretrained(plain)
    model = transformers.AutoModelForMaskedLM.from_pretrained(plain).eval()
    with torch.inference_mode():
        for row, text in zip(found, TEXTS, strict=True):
            inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=MAX_TOKENS)
            values, _ = torch.max(model(**inputs).logits * inputs.attention_mask.unsqueeze(-1), dim=1)
            wanted = torch.log(1 + torch.relu(values))[0].numpy()[: len(own)] * own
            np.testing.assert_allclose(row, wanted, atol=SAME)


def test_idf_json_beside_a_plain_head_is_for_queries(plain, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(plain, source)
    (source / "idf.json").write_text(json.dumps({"rank": 3.5, "the": 0.25}))
    folder = exported(source, tmp_path / "out", kind="splade", precision="fp32")
    encoder = load_model(folder.path).sparse_encoder
    (row,) = encoder.sparse_rows(encoder.tokenize_texts(["the rank of a rank"], TextKind.QUERY), TextKind.QUERY)
    found = encoder.sparse_vector(row)
    assert (found.tokens, found.weights) == (("rank", "the"), (3.5, 0.25))


def test_fewer_active_dimensions_are_heeded(plain, tmp_path):
    from tests.training import tiny_checkpoints
    from tests.training.test_family_choice import planned

    source = splade(plain, tmp_path / "source")
    for most, kept in ((100, (64, 100)), (9, (9, 9)), (9000, (64, 256))):
        tiny_checkpoints.add(source, config_sentence_transformers={"max_active_dims": most})
        toml = planned(source).toml
        assert (toml.query_terms, toml.document_terms) == kept


@pytest.mark.parametrize(
    ("file", "said", "problem"),
    [
        ("config_sentence_transformers", {"similarity_fn_name": "cosine"}, r"by cosine \(similarity_fn_name"),
        ("1_SpladePooling__config", {"pooling_strategy": "mean"}, "pooling_strategy 'mean' .* known are max, sum"),
        ("1_SpladePooling__config", {"activation_function": "exp"}, "activation_function 'exp' in 1_SpladePooling/"),
        ("sentence_bert_config", {"transformer_task": None}, "a Transformer that predicts no words"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(plain, tmp_path, file, said, problem):
    from tests.training import tiny_checkpoints
    from tests.training.test_family_choice import refused

    source = splade(plain, tmp_path / "source")
    tiny_checkpoints.add(source, **{file: said})
    refused(source, problem)


def test_other_kinds_are_not_splade_at_a_word(plain, tmp_path):
    from tests.training import tiny_checkpoints
    from tests.training.test_family_choice import refused

    encoder = tiny_checkpoints.as_sentence_transformer(tiny_checkpoints.save(tmp_path / "encoder", "bert"), "Pooling")
    refused(encoder, "is a encoder by its files, not a splade", kind="splade")


def test_two_models_that_compute_one_side_each_are_refused(plain, tmp_path):
    from tests.training.test_family_choice import refused

    source = inference_free(plain, tmp_path / "source")
    said = json.loads((source / "router_config.json").read_text())
    said["structure"]["query"] = said["structure"]["document"]
    (source / "router_config.json").write_text(json.dumps(said))
    refused(
        source,
        r"has a Router \(router_config\.json\) that computes query by Transformer, SpladePooling; document by Tran",
    )


@pytest.mark.parametrize(
    ("idf", "problem"),
    [([1], "no object of tokens"), ({"nowhere": 1.0}, "has 'nowhere': 1.0"), ({"rank": "x"}, "has 'rank': 'x'")],
)
def test_weights_of_no_tokens_are_refused(plain, tmp_path, idf, problem):
    from tests.training.test_family_choice import refused

    source = tmp_path / "source"
    shutil.copytree(plain, source)
    (source / "idf.json").write_text(json.dumps(idf))
    refused(source, problem, kind="splade")
