"""Everything at once on a real process, while its models are replaced: nothing fails, memory stays. In short."""

import pytest

from benchmarks.sidecar_load import Messages, watched_sidecar
from benchmarks.sidecar_soak import MODELS, SETTINGS, soak, watched_folder

TEXTS = [
    f"RerankPassage {number} says that {'the sidecar scores what the engine found ' * (number % 7 + 1)}"
    for number in range(99)
]


@pytest.fixture
def root(tmp_path):
    watched_folder(tmp_path / "models")
    return tmp_path / "models"


async def test_replacing_models_fails_no_call_and_leaks_no_memory(root, tmp_path):
    messages = Messages(TEXTS, ["what does the sidecar score", "who found it"])
    with watched_sidecar(tmp_path / "log", models=root, **SETTINGS) as sidecar:
        outcome = await soak(sidecar, root, messages, seconds=20, reload_every_s=4, most_pairs=20)
    assert outcome.failures == []
    assert len(outcome.reload_s) == 5
    assert {path.name for name in MODELS for path in (root / name).iterdir()} == {"1003", "1004"}
    assert len(outcome.calls) == 8
    assert outcome.growth() < 0.25
    assert sidecar.exit_code == 0
