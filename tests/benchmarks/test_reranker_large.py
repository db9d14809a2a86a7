"""The table of a large cross-encoder: its pairs, and its aims, from seconds that were written down."""

import pytest

from benchmarks import reranker_large as large
from benchmarks.contenders import Contender
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.in_process import TextTokenizer

ENVIRONMENT = {
    "threads": 2,
    "load_before": 0.1,
    "hardware": {"cpu": "a CPU"},
    "onnxruntime": "1.31",
    "parameters": 5e8,
    "peers": {"torch": "2.15"},
}
SECONDS = {
    large.GRPC["int8"]: [2.0, 4.0, 2.0],
    large.BARE["int8"]: [1.9, 3.8, 1.9],
    large.GRPC["fp32"]: [5.0, 9.0, 5.0],
    large.BARE["fp32"]: [4.0, 7.2, 4.0],
    large.PEER: [6.4, 12.8, 6.4],
}


def test_pairs_have_nearly_as_many_tokens_as_wanted():
    folder = SHIPPED_MODELS / "cross-encoder-minilm-l6"
    query, passages = large.pairs_of_equal_length(folder)
    pairs = TextTokenizer(folder / "tokenizer.json", 512).pairs(query, [each.text for each in passages])
    assert len({each.text for each in passages}) == large.PASSAGES
    assert all(large.TOKENS - 5 < len(pair) <= large.TOKENS for pair in pairs)


@pytest.mark.parametrize(("instructions", "peers_aim"), [(True, [(3, 3.2, True)]), (False, [])])
def test_int8_beside_the_peer_has_an_aim_on_a_cpu_for_it(instructions, peers_aim):
    contenders = {name: Contender(lambda: 0.0) for name in SECONDS}
    section = large.section(contenders, SECONDS, [100] * 30, {**ENVIRONMENT, "int8_instructions": instructions})
    assert [(aim.bound, round(aim.measured, 2), aim.met) for aim in section.aims] == [
        (0.9, 0.95, True),
        (0.9, 0.8, False),
        *peers_aim,
    ]
    assert section.table.rows[-1][1:3] == ("4.7", "6.40")
