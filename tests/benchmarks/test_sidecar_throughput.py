"""The page's ratios and aims, from seconds that were written down."""

from benchmarks import sidecar_throughput as throughput
from benchmarks.contenders import Contender

ENVIRONMENT = {
    "threads": 2,
    "load_before": 0.1,
    "hardware": {"cpu": "a CPU"},
    "python": "3.11",
    "onnxruntime": "1.31",
    "peers": {throughput.SENTENCE_TRANSFORMERS: {"torch": "2.15"}},
}


def test_ratios_are_of_rounds_so_that_a_slow_one_slows_both():
    # The second round was disturbed. Median over median would say 6.5 / 2 = 3.25, but each round says 3.
    assert throughput.faster([1.0, 4.0, 2.0], [3.0, 12.0, 6.5]) == 3.0


def test_aims_follow_from_the_seconds():
    seconds = {throughput.BARE: [1.8, 1.8], **{name: [2.0, 2.0] for name in throughput.GRPC.values()}}
    seconds[throughput.GRPC[16]] = [3.0, 3.0]
    seconds[throughput.SENTENCE_TRANSFORMERS] = [6.0, 6.0]
    seconds[throughput.INFINITY["torch"]] = [3.8, 3.8]
    contenders = {name: Contender(lambda: 0.0) for name in seconds}
    contenders[throughput.BARE] = Contender(lambda: 0.0, [1.0, 2.0, 4.0])
    contenders[throughput.SENTENCE_TRANSFORMERS] = Contender(lambda: 0.0, [10.0, 20.0, 40.0])
    section = throughput.section(contenders, seconds, [100, 300], ENVIRONMENT)
    assert [(aim.bound, round(aim.measured, 2), aim.met) for aim in section.aims] == [
        (0.9, 0.9, True),
        (0.9, 0.6, False),
        (3, 3.0, True),
        (2, 1.9, False),
    ]
    rows = {row[0]: row[1:] for row in section.table.rows}
    assert section.table.headers[4:] == ("× bare", "× sentence-transformers", "× infinity-emb torch", "r")
    assert rows[throughput.SENTENCE_TRANSFORMERS] == ("0", "6000", "6000-6000", "0.30", "1.00", "0.63", "1.000")
    assert "(torch 2.15)" in section.paragraphs[2]
