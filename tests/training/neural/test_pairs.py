"""A cross-encoder learns from the tokens that the sidecar will give it."""

import pytest

from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.runtime.tokenizer import TextTokenizer
from hybridrank.training.neural.lists import RankedList

pytestmark = pytest.mark.torch

PASSAGES = ("Trains leave at nine.", "A long story about trains and stations. " * 30, "")


@pytest.mark.parametrize("words", [3, 20, 31, 32, 33, 200])
def test_a_pair_is_what_the_sidecar_makes_of_it(words):
    import transformers

    from hybridrank.training.neural.pairs import Pairs

    folder = SHIPPED_MODELS / "encoder-minilm-l6"
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        pad_token="[PAD]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    query = " ".join(["Unbelievable", "trains?"] * words)[: 7 * words].strip()
    each = RankedList("q", query, ("a", "b", "c"), PASSAGES, (1, 0, None))
    batch = Pairs(tokenizer, 64)([each])
    (run,) = batch["pairs"]
    found = {
        place: run["input_ids"][row][run["attention_mask"][row].bool()].tolist()
        for row, place in enumerate(batch["order"].tolist())
    }
    expected = TextTokenizer(folder / "tokenizer.json", 64).pairs(query, PASSAGES)
    assert [tuple(found[place]) for place in range(3)] == [pair.token_ids for pair in expected]
