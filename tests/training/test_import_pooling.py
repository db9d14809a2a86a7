"""An imported encoder pools by the last token, or in its graph."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.sidecar import in_process
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.types import TextKind
from hybridrank.training.onnx.importing.errors import ImportRefused
from hybridrank.training.onnx.importing.model import import_model
from tests.sidecar.serving import rerank_request, serving
from tests.training.onnx_sources import changed, files, folder

TEXTS = ["what is rank", "the rank of a passage", "", "a query is what is asked of the search engine"]


def first_rows(model):
    """Ends the graph in the first row of each text."""
    graph = model.graph
    graph.initializer.add(name="first", data_type=7, raw_data=bytes(8))  # the number 0
    axis = {"name": "axis", "type": 2, "i": 1}
    graph.node.add(
        op_type="Gather", input=["last_hidden_state", "first"], output=["sentence_embedding"], attribute=[axis]
    )
    value = graph.output.add(name="sentence_embedding")
    value.type.tensor_type.elem_type = 1
    for name in ("batch", "dimensions"):
        value.type.tensor_type.shape.dim.add(dim_param=name)


def embedded(model, texts=TEXTS):
    encoder = model.encoder
    return encoder.embed(encoder.tokenize_texts(texts, TextKind.DOCUMENT))


@pytest.mark.parametrize("said", [{"pooling_mode_lasttoken": True}, {"pooling_mode": "lasttoken"}])
def test_the_last_token_of_each_text_is_its_vector(tmp_path, said):
    pooling = {"pooling_mode_cls_token": False, **said}
    source = folder(tmp_path / "source", files(**{"1_Pooling__config": pooling}))
    imported = import_model(source, tmp_path / "last", kind="encoder")
    assert imported.toml.pooling == "last"
    model = in_process.load_model(imported.path)
    rows = import_model(source, tmp_path / "mean", kind="encoder", pooling="mean")
    session = in_process.OnnxSession(rows.onnx, "last_hidden_state", 0)
    for found, sequence in zip(embedded(model), model.encoder.tokenize_texts(TEXTS, TextKind.DOCUMENT), strict=True):
        last = session.run([sequence])[0, len(sequence) - 1]
        np.testing.assert_allclose(found, last / np.linalg.norm(last), atol=1e-5)


def test_a_last_token_that_no_file_adds_is_refused(tmp_path):
    content = files(tokenizer_config={"add_eos_token": True})
    import_model(folder(tmp_path / "added", content), tmp_path / "out", kind="encoder", pooling="last")
    tokenizer = json.loads(content["tokenizer.json"])
    tokenizer["post_processor"] = None
    source = folder(tmp_path / "source", {**content, "tokenizer.json": json.dumps(tokenizer).encode()})
    with pytest.raises(
        ImportRefused, match=r"tokenizer_config.json adds \(add_eos_token\) and tokenizer.json does not"
    ):
        import_model(source, tmp_path / "refused", kind="encoder", pooling="last")
    import_model(source, tmp_path / "mean", kind="encoder", pooling="mean")


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """The same encoder twice: it takes the first row in its graph, and as the sidecar does."""
    path = tmp_path_factory.mktemp("pooled")
    modules = [{"type": f"sentence_transformers.models.{each}"} for each in ("Transformer", "Pooling", "Dense")]
    content = {**files(modules=modules), "onnx/model.onnx": changed("encoder", first_rows)}
    source = folder(path / "source", content)
    with pytest.raises(ImportRefused, match=r"has a Dense module, which is not .*; if it is, say --pooling graph"):
        import_model(source, path / "refused", kind="encoder")
    imported = import_model(source, path / "graph", kind="encoder", pooling="graph", name="pooled")
    rows = import_model(folder(path / "rows", files()), path / "cls", kind="encoder", name="rows")
    return in_process.load_model(imported.path), in_process.load_model(rows.path)


def test_a_graph_that_pools_returns_the_same_vectors(pooled):
    in_graph, rows = pooled
    assert (in_graph.info.pooling, rows.info.pooling) == ("graph", "cls")
    assert in_graph.info.dimensions == 32
    np.testing.assert_allclose(embedded(in_graph), embedded(rows), atol=1e-6)


def test_a_graph_that_pools_reranks_by_the_cosine(pooled):
    model, _ = pooled
    cosines = in_process.cosines(model.encoder, TEXTS[0], TEXTS[1:])
    np.testing.assert_allclose(model.reranker.relevance_scores(TEXTS[0], TEXTS[1:]), cosines, atol=1e-6)


async def test_a_graph_that_pools_makes_no_token_vectors(pooled):
    async with serving(Models(pooled)) as client:
        for kind in (pb.TOKEN_VECTORS_FP32, pb.TOKEN_VECTORS_RESIDUAL):
            request = pb.EncodeRequest(model="pooled", texts=TEXTS, kind=pb.TEXT_KIND_DOCUMENT, token_vectors=kind)
            with pytest.raises(Exception, match="pooled pools inside its graph, which makes no token vectors"):
                await client.encoder.Encode(request)
        request = pb.EncodeRequest(model="rows", texts=TEXTS, kind=pb.TEXT_KIND_DOCUMENT, token_vectors=1)
        stored = (await client.encoder.Encode(request)).embeddings[0].token_vectors
        request = rerank_request("pooled", "what is rank", "")
        request.candidates[0].token_vectors = stored
        with pytest.raises(Exception, match="this model reads no fp32"):
            await client.reranker.Rerank(request)


def test_a_graph_that_pools_is_compared_with_its_source(tmp_path):
    source = folder(tmp_path / "source", {**files(), "onnx/model.onnx": changed("encoder", first_rows)})
    asked = ("--kind", "encoder", "--pooling", "graph", "--check", "--json")
    run = CliRunner().invoke(app, ["model", "import", str(source), "--out", str(tmp_path / "out"), *asked])
    assert run.exit_code == 0, run.output
    fp32 = json.loads(run.stdout)["check"][1]
    assert (fp32["what"], fp32["beside"]) == ("fp32", "the source")
