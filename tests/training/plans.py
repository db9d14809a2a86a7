"""Plans that the families make of a checkpoint, before its weights are read."""

import pytest

__all__ = ["planned", "refused"]


def planned(folder, **asked):
    """Returns the plan of a checkpoint."""
    from hybridrank.training.onnx.families import registry
    from hybridrank.training.onnx.families.plan import Asked
    from hybridrank.training.onnx.sources.checkpoint import open_checkpoint

    return registry.plan(open_checkpoint(str(folder)), Asked("mine", **asked))


def refused(folder, problem, **asked):
    """Asserts that a checkpoint is refused in one line that says the problem."""
    from hybridrank.training.onnx.sources.source_files import ExportFailed

    with pytest.raises(ExportFailed, match=problem) as caught:
        planned(folder, **asked)
    assert "\n" not in str(caught.value)
