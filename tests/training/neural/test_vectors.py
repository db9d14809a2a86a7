"""An encoder that learns late interaction: what it compares, the vectors that it keeps, and weights between the two."""

import copy

import pytest

from hybridrank.training.neural.lists import RankedList

pytestmark = pytest.mark.torch

LISTS = (
    RankedList("q1", "hot tea", ("d1", "d2", "d3"), ("tea with milk", "cold soup", "a pan of rice"), (1, 0, None)),
    RankedList("q2", "salt", ("d4", "d5"), ("bread without salt", "butter"), (1, 0)),
)


@pytest.fixture(scope="module")
def student():
    """The encoder that ships, its tokenizer, and how it reads."""
    from hybridrank.training.neural.recipe import Recipe
    from hybridrank.training.neural.students import open_student

    recipe = Recipe.model_validate(
        {
            "name": "mine",
            "kind": "colbert",
            "student": {"base": "encoder-minilm-l6", "max_tokens": 32, "dropout": 0.1},
            "train": [{"lists": "made.jsonl"}],
            "dev": [{"lists": "made.jsonl"}],
            "losses": [{"name": "lce"}],
        }
    )
    return open_student(recipe, ())


def test_scores_are_those_that_the_sidecar_serves(student):
    import torch

    from hybridrank.models import SHIPPED_MODELS
    from hybridrank.sidecar import in_process
    from hybridrank.training.neural.vectors import SCALE, Vectors

    model, tokenizer, reading = student
    scorer = Vectors(tokenizer, 32, reading, ("tokens", "vectors"))
    with torch.inference_mode():
        compared = scorer.compare(model.eval(), scorer(LISTS))
    served = in_process.load_model(SHIPPED_MODELS / "encoder-minilm-l6")
    for row, each in enumerate(LISTS):
        found = {by: (scores.own[row, : len(each.texts)] / SCALE).tolist() for by, scores in compared.scores.items()}
        assert found["tokens"] == pytest.approx(served.reranker.relevance_scores(each.query, each.texts), abs=0.03)
        assert found["vectors"] == pytest.approx(in_process.cosines(served.encoder, each.query, each.texts), abs=0.03)
    assert compared.moved is None


def test_moved_vectors_cost_as_much_as_they_moved(student):
    import torch

    from hybridrank.training.neural.frozen_base import FrozenBase
    from hybridrank.training.neural.vectors import Vectors

    model, tokenizer, reading = student
    moved = copy.deepcopy(model).eval()
    scorer = Vectors(tokenizer, 32, reading, ("tokens",), FrozenBase(moved))
    assert scorer.compare(moved, scorer(LISTS)).moved.item() == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        moved.encoder.layer[5].output.dense.weight.mul_(0.5)
    cost = scorer.compare(moved, scorer(LISTS)).moved
    assert 0.01 < cost.item() < 1
    cost.backward()
    assert moved.encoder.layer[5].output.dense.weight.grad.abs().max() > 0
    assert all(each.grad is None for each in scorer.base.network.parameters())
    with torch.inference_mode():
        assert scorer.compare(moved, scorer(LISTS)).moved is None, "measuring does not need the base"


@pytest.mark.parametrize("frozen", [1, 3, 5])
def test_the_base_shares_the_layers_that_stay_frozen(student, frozen):
    import torch

    from hybridrank.training.neural.frozen_base import FrozenBase
    from hybridrank.training.neural.students import freeze

    model, tokenizer, _ = student
    whole, trained = copy.deepcopy(model).eval(), copy.deepcopy(model)
    freeze(trained, embeddings=True, layers=frozen)
    base = FrozenBase(trained, frozen)
    with torch.no_grad():
        for layer in trained.encoder.layer[frozen:]:
            layer.output.dense.weight.mul_(0.5)
    computed: list[int] = []
    trained.encoder.layer[0].register_forward_hook(lambda *_: computed.append(1))
    for text in LISTS[0].texts:
        inputs = dict(tokenizer([text], return_tensors="pt"))
        now = trained.train()(**inputs).last_hidden_state
        before = whole(**inputs).last_hidden_state
        torch.testing.assert_close(base(inputs), before)
        assert not torch.allclose(now, before, atol=1e-3)
    assert len(computed) == len(LISTS[0].texts)


def test_some_layers_are_left_to_train(student):
    from hybridrank.training.neural.errors import RecipeError
    from hybridrank.training.neural.students import freeze

    model = copy.deepcopy(student[0])
    freeze(model, embeddings=True, layers=2)
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert {name.split(".")[2] for name in trained} == {"2", "3", "4", "5"}
    with pytest.raises(RecipeError, match="freeze_layers: 6; the base has 6"):
        freeze(model, embeddings=True, layers=6)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"average": 0.5}, r"student\.average: encoder-minilm-l6 has no .*, so there is nothing to average with"),
        ({"layers": [0, 9], "fade": 20}, r"student\.layers: \[0, 9\]; the base has 0 to 5"),
    ],
)
def test_a_student_that_cannot_be_trained_is_refused_at_once(changes, problem):
    from hybridrank.training.neural.errors import RecipeError
    from hybridrank.training.neural.recipe import Recipe
    from hybridrank.training.neural.students import open_student

    recipe = Recipe.model_validate(
        {
            "name": "mine",
            "student": {"base": "encoder-minilm-l6", **changes},
            "train": [{"lists": "made.jsonl"}],
            "dev": [{"lists": "made.jsonl"}],
            "losses": [{"name": "lce"}],
        }
    )
    with pytest.raises(RecipeError, match=problem):
        open_student(recipe, ())


def test_bases_that_are_no_stack_of_layers_train_and_freeze_none():
    import transformers

    from hybridrank.training.neural.errors import RecipeError
    from hybridrank.training.neural.students import freeze

    sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    mpnet = transformers.MPNetModel(transformers.MPNetConfig(num_hidden_layers=3, **sizes))
    distilbert = transformers.DistilBertModel(
        transformers.DistilBertConfig(vocab_size=50, dim=16, hidden_dim=16, n_heads=2, n_layers=3)
    )
    for model in (mpnet, distilbert):
        freeze(model, embeddings=True, layers=0)
        assert not any(each.requires_grad for each in model.embeddings.parameters())
        assert any(each.requires_grad for each in model.parameters())
        with pytest.raises(RecipeError, match=f"a {model.config.model_type} is not a stack of layers alone"):
            freeze(model, embeddings=True, layers=2)


def test_averaged_weights_lie_between_both(student):
    import torch

    from hybridrank.training.neural.students import average_weights

    model, *_ = student
    initial = {name: each.clone() for name, each in model.state_dict().items()}
    trained = copy.deepcopy(model)
    with torch.no_grad():
        for each in trained.parameters():
            each.add_(1)
    average_weights(trained, initial, 0.25)
    for name, each in trained.state_dict().items():
        assert torch.allclose(each.double(), initial[name].double() + 0.75, atol=1e-5), name


def test_losses_over_the_batch_have_the_settings_of_their_own(student):
    import torch

    from hybridrank.training.neural.batch import Compared, Scores, targets
    from hybridrank.training.neural.recipe import LossTerm, Recipe
    from hybridrank.training.neural.trainer import _loss

    recipe = Recipe.model_validate(
        {
            "name": "mine",
            "kind": "encoder",
            "student": {"base": "encoder-minilm-l6"},
            "teacher": {"weights": {"bm25": 1}},
            "train": [{"lists": "made.jsonl"}],
            "dev": [{"lists": "made.jsonl"}],
            "losses": [{"name": "lce"}],
        }
    )
    lists = [each.with_scores("teacher", [2.0, 1.0, 1.0][: len(each.texts)]) for each in LISTS]
    whole = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    compared = Compared({"vectors": Scores(whole[:, :3], whole)})

    def loss(name, **settings):
        term = LossTerm.model_validate({"name": name, "in_batch": True, **settings})
        return _loss(term, recipe, compared, targets(lists)).item()

    assert loss("listnet", temperature=0.25) != pytest.approx(loss("listnet"))
    # Only the first document of each list is above the teacher's last: each against all that there are.
    rows = (whole[0, [0, 1, 2, 3, 4]], whole[1, [3, 4, 0, 1, 2]])
    wanted = sum(float(row.logsumexp(0) - row[0]) for row in rows) / 2
    assert loss("partial-ranking") == pytest.approx(wanted, abs=1e-5)


def test_a_training_averages_at_its_end_and_freezes_what_it_says(tmp_path):
    from hybridrank.training.neural import students, trainer
    from hybridrank.training.neural.recipe import Recipe

    def weights(share, steps):
        recipe = Recipe.model_validate(
            {
                "name": "mine",
                "kind": "colbert",
                "student": {"base": "encoder-minilm-l6", "max_tokens": 32, "dropout": 0, "average": share},
                "train": [{"lists": "made.jsonl"}],
                "dev": [{"lists": "made.jsonl"}],
                "losses": [{"name": "lce"}, {"name": "same-vectors"}],
                "schedule": {"batch": 2, "freeze_layers": 2, "bf16": False, "threads": 1, "warmup": 0},
            }
        )
        model, tokenizer, reading = students.open_student(recipe, ())
        initial = {name: each.clone() for name, each in model.state_dict().items()}
        made = trainer.make_trainer(
            recipe, model, tokenizer, LISTS, LISTS, tmp_path / f"{share}", reading=reading, max_steps=steps
        )
        done: list[int] = []
        trainer.run(made, done.append)
        assert sum(done) == steps
        return initial, made.model.state_dict()

    initial, trained = weights(0, 3)
    _, averaged = weights(0.25, 3)
    changed = {name for name, each in trained.items() if not each.equal(initial[name])}
    assert {name.split(".")[2] for name in changed} == {"2", "3", "4", "5"}
    for name, each in averaged.items():
        assert each.allclose(0.25 * initial[name] + 0.75 * trained[name], atol=1e-6), name
