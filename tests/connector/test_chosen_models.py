"""The token vectors that an index gets when nobody names a format."""

from dataclasses import replace

import pytest

from hybridrank.common.encoders import TokenNote
from hybridrank.connector import ModelInfo, SidecarError
from hybridrank.connector.indexing import default_token_vectors
from hybridrank.connector.mapping.fields import Fields

LATE = ModelInfo("minilm", "1", "encoder", "late", "int8", 256, dimensions=384, aliases=("encoder", "colbert"))
OTHER = ModelInfo("pylate", "1", "colbert", "other", "fp32", 256, token_codec="codec")
NOTED = TokenNote("pylate", "other", format="fp16")
EMPTY = Fields(encoders={"docs": {}})


def holding(*notes: TokenNote | None) -> Fields:
    return Fields(encoders={f"docs-{place}": {"token_vectors": note} for place, note in enumerate(notes)})


@pytest.mark.parametrize(
    ("existing", "model", "stored"),
    [
        (None, None, TokenNote("minilm", "late", version="1", format="int8")),
        (None, "pylate", TokenNote("pylate", "other", version="1", format="residual")),
        (EMPTY, None, None),
        (EMPTY, "minilm", TokenNote("minilm", "late", version="1", format="int8")),
        (holding(NOTED), None, TokenNote("pylate", "other", version="1", format="fp16")),
        (holding(NOTED), "minilm", TokenNote("minilm", "late", version="1", format="fp16")),
        (holding(NOTED, replace(NOTED, format="int8")), None, TokenNote("pylate", "other", version="1", format="fp16")),
        (holding(NOTED, None), None, None),
        (holding(NOTED, replace(NOTED, digest="old")), None, None),
    ],
    ids=["new", "new, model", "without", "without, model", "noted", "noted, model", "formats", "half", "two models"],
)
def test_a_new_index_gets_the_best_and_another_keeps_its_own(existing, model, stored):
    assert default_token_vectors([LATE, OTHER], existing, model) == stored


@pytest.mark.parametrize(
    "changes", [{"pooling": "graph"}, {"precision": "remote"}, {"kind": "cross-encoder"}, {"aliases": ("encoder",)}]
)
def test_a_model_without_token_rows_is_not_the_default(changes):
    model = replace(LATE, **changes)
    assert default_token_vectors([model], None) is None


@pytest.mark.parametrize(("existing", "model"), [(None, "nowhere"), (holding(NOTED), None)])
def test_a_model_that_is_named_must_be_there(existing, model):
    with pytest.raises(SidecarError, match="no model named"):
        default_token_vectors([LATE], existing, model)


@pytest.mark.parametrize(
    "changes", [{"kind": "cross-encoder"}, {"kind": "splade"}, {"pooling": "graph"}, {"precision": "remote"}]
)
@pytest.mark.parametrize("existing", [None, holding(NOTED)], ids=["new", "noted"])
def test_a_named_model_without_token_rows_is_refused(existing, changes):
    with pytest.raises(SidecarError, match=r"minilm is a model of kind .*, which makes no token vectors"):
        default_token_vectors([replace(LATE, **changes)], existing, "minilm")
