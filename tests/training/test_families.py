"""Each family of checkpoints is served over gRPC as its own library computes it, or refused by its sentence."""

import re
from functools import partial

import numpy as np
import pytest
from scipy.stats import spearmanr

from hybridrank.sidecar import in_process
from tests.training.families.registry import REFUSED, SERVED
from tests.training.families.serving import pairs_for, scores, served

pytestmark = pytest.mark.torch
SAME = 1e-4


@pytest.mark.parametrize("row", SERVED, ids=lambda row: f"{row.becomes}, {row.name}")
async def test_a_family_is_served_as_its_library_computes(row, tmp_path):
    from hybridrank.training.onnx.export import export_model

    row.build(tmp_path / "source")
    exported = export_model(str(tmp_path / "source"), tmp_path / "out", **row.asked)
    assert (exported.toml.kind, exported.toml.max_tokens) == (row.becomes, row.max_tokens)
    fp32 = await served(exported.path, row.becomes, "fp32")
    wanted = row.expected(tmp_path / "source", pairs_for(row.becomes), row.max_tokens)
    np.testing.assert_allclose(fp32, wanted, rtol=0, atol=row.within)
    assert np.ptp(scores(fp32)) > 0.05
    int8 = await served(exported.path, row.becomes, "int8")
    assert spearmanr(scores(int8), scores(fp32)).statistic > row.spearman


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_another_is_refused_by_its_sentence(row, tmp_path):
    from hybridrank.training.onnx.export import ExportFailed, export_model

    row.build(tmp_path / "source")
    with pytest.raises(ExportFailed, match=re.escape(row.because)) as caught:
        export_model(str(tmp_path / "source"), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


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
