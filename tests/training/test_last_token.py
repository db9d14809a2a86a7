"""A decoder's classifier scores the last token of each row of a batch, whatever id pads it."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
TOKENS = [[7, 30, 31, 40, 41, 42, 60, 61, 62, 63, 64, 2], [7, 30, 2], [9, 33, 34, 35, 36, 2]]


@pytest.mark.parametrize("model_type", ["qwen2", "qwen3", "llama", "mistral", "gemma", "gemma2", "gemma3_text"])
def test_a_padded_row_scores_as_transformers_scores_it_alone(model_type, tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification

    from hybridrank.training.onnx.families.last_token import LastTokenLogits, reads_last_token
    from tests.training import tiny_checkpoints

    tiny_checkpoints.save(tmp_path, model_type, "ForSequenceClassification", num_labels=1)
    classifier = AutoModelForSequenceClassification.from_pretrained(tmp_path, attn_implementation="eager").eval()
    assert reads_last_token(classifier)
    longest = max(map(len, TOKENS))
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in TOKENS])
    with torch.inference_mode():
        alone = [classifier(input_ids=torch.tensor([row])).logits.item() for row in TOKENS]
        for padding_id in (0, 1, 2, 50):
            ids = torch.tensor([row + [padding_id] * (longest - len(row)) for row in TOKENS])
            found = LastTokenLogits(classifier)(input_ids=ids, attention_mask=mask)["logits"]
            np.testing.assert_allclose(found[:, 0], alone, atol=1e-5)
    assert np.ptp(alone) > 0.1
