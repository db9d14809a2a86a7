"""Losses of lists, held against sentence-transformers' own where it has them, and against worked examples."""

import math

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


@pytest.fixture
def lists():
    """Three lists of up to five documents: scores with a gradient, a teacher's scores, grades, mask."""
    generator = torch.Generator().manual_seed(5)
    scores = torch.randn((3, 5), generator=generator, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn((3, 5), generator=generator, dtype=torch.float64) * 2
    grades = torch.tensor([[2.0, 0, -1, 1, 0], [0, 1, -1, 0, -1], [1, 0, 0, -1, -1]], dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True] * 5, [True, True, True, False, False]])
    return scores, teacher, grades, mask


def names():
    from hybridrank.training.neural.losses import LOSSES

    return LOSSES


@pytest.mark.parametrize("name", ["bce", "ranknet", "lce", "lambda", "listnet", "margin-mse", "kl", "partial-ranking"])
def test_documents_that_are_not_there_change_nothing(name, lists):
    scores, teacher, grades, mask = lists
    targets = teacher if name in ("margin-mse", "kl", "partial-ranking") else grades
    loss = names()[name](scores, targets, mask)
    (gradient,) = torch.autograd.grad(loss, scores)
    with torch.no_grad():
        other = torch.where(mask, scores, torch.full_like(scores, 7.0))
        others = torch.where(mask, targets, torch.full_like(targets, 3.0))
    assert names()[name](other, others, mask).item() == pytest.approx(loss.item())
    assert gradient[~mask].abs().max() == 0
    assert gradient[mask].abs().max() > 0


@pytest.mark.parametrize("name", ["ranknet", "lce", "lambda", "listnet", "margin-mse", "kl", "partial-ranking"])
def test_a_gradient_step_orders_documents_as_the_target(name):
    target = torch.tensor([[0.0, 3.0, 1.0]])
    if name == "lce":
        target = torch.tensor([[0.0, 1.0, 0.0]])
    scores = torch.zeros((1, 3), requires_grad=True)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(names()[name](scores, target, torch.ones(1, 3).bool()), scores)
        scores = (scores - 0.2 * gradient).detach().requires_grad_()
    assert scores.argmax() == 1
    if name != "lce":
        assert scores[0, 2] > scores[0, 0]


@pytest.mark.parametrize("name", ["ranknet", "lce", "margin-mse", "lambda", "kl", "listnet"])
def test_a_list_with_nothing_to_compare_has_zero_gradient(name):
    scores = torch.tensor([[1.0, 2.0]], requires_grad=True)
    loss = names()[name](scores, torch.tensor([[0.0, 0.0]]), torch.tensor([[True, False]]))
    (gradient,) = torch.autograd.grad(loss, scores)
    assert loss.item() == 0
    assert gradient.tolist() == [[0, 0]]


def test_listnet_learns_nothing_from_equal_grades():
    scores, mask = torch.tensor([[1.0, 2.0], [1.0, 2.0]]), torch.ones(2, 2).bool()
    listnet = names()["listnet"]
    both = listnet(scores, torch.tensor([[0.0, 1.0], [0.0, -1.0]]), mask)
    assert both.item() == pytest.approx(listnet(scores[:1], torch.tensor([[0.0, 1.0]]), mask[:1]).item())


@pytest.mark.parametrize("name", ["kl", "margin-mse"])
def test_a_teacher_of_equal_scores_teaches_nothing(name):
    scores, mask = torch.tensor([[1.0, 2.0], [1.0, 2.0]]), torch.ones(2, 2).bool()
    loss = names()[name]
    both = loss(scores, torch.tensor([[0.0, 1.0], [3.0, 3.0]]), mask)
    assert both.item() == pytest.approx(loss(scores[:1], torch.tensor([[0.0, 1.0]]), mask[:1]).item())
    assert loss(scores, torch.full((2, 2), 3.0), mask).item() == 0


def test_lce_is_the_cross_entropy_of_the_relevant_document():
    scores = torch.tensor([[1.0, 0.0, -1.0]])
    loss = names()["lce"](scores, torch.tensor([[1.0, 0, -1]]), torch.ones(1, 3).bool())
    assert loss.item() == pytest.approx(-math.log(math.e / (math.e + 1 + math.exp(-1))))


def test_kl_of_equal_scores_is_nothing_and_a_temperature_softens():
    from hybridrank.training.neural.losses import kl

    teacher, mask = torch.tensor([[2.0, 0.0]]), torch.ones(1, 2).bool()
    assert kl(teacher, teacher, mask).item() == pytest.approx(0, abs=1e-7)
    wanted = torch.softmax(teacher / 2, 1)
    got = torch.log_softmax(torch.zeros(1, 2), 1)
    expected = 4 * (wanted * (wanted.log() - got)).sum()
    assert kl(torch.zeros(1, 2), teacher, mask, temperature=2).item() == pytest.approx(expected.item())


def test_a_low_temperature_makes_listnet_want_the_best_grade():
    from hybridrank.training.neural.losses import listnet

    grades, mask = torch.tensor([[2.0, 1.0, 0.0]]), torch.ones(1, 3).bool()
    sharp = torch.softmax(grades / 0.25, 1)
    expected = -(sharp * torch.log_softmax(torch.zeros(1, 3), 1)).sum()
    assert listnet(torch.zeros(1, 3), grades, mask, temperature=0.25).item() == pytest.approx(expected.item())
    first = torch.tensor([[9.0, 0.0, 0.0]])
    assert listnet(first, grades, mask, temperature=0.25) < listnet(first, grades, mask)


def test_partial_ranking_depends_only_on_the_first_documents():
    from hybridrank.training.neural.losses import partial_ranking

    scores, mask = torch.tensor([[3.0, 2.0, 1.0, 0.0]]), torch.ones(1, 4).bool()
    first = partial_ranking(scores, torch.tensor([[9.0, 8.0, 1.0, 2.0]]), mask, ranked=2)
    second = partial_ranking(scores, torch.tensor([[9.0, 8.0, 2.0, 1.0]]), mask, ranked=2)
    assert first.item() == pytest.approx(second.item())
    assert first.item() < partial_ranking(scores, torch.tensor([[8.0, 9.0, 2.0, 1.0]]), mask, ranked=2).item()


def test_documents_outside_the_ordering_only_rank_below():
    from hybridrank.training.neural.losses import partial_ranking

    mask = torch.ones(1, 3).bool()
    scores = torch.tensor([[3.0, 1.0, 0.0]])
    swapped = torch.tensor([[3.0, 0.0, 1.0]])
    named = torch.tensor([[2.0, 0.0, 0.0]])
    assert partial_ranking(scores, named, mask).item() == pytest.approx(partial_ranking(swapped, named, mask).item())
    assert partial_ranking(scores, named, mask).item() == pytest.approx(math.log(1 + math.exp(-2) + math.exp(-3)))


def test_in_batch_negatives_exclude_relevant_documents():
    from hybridrank.training.neural.batch import targets
    from hybridrank.training.neural.lists import RankedList

    def ranked(query_id, *graded):
        doc_ids, grades = zip(*graded, strict=True)
        return RankedList(query_id, "q", doc_ids, ("text",) * len(doc_ids), grades)

    batch = targets([ranked("a", ("d1", 1), ("d2", 0)), ranked("b", ("d3", 1), ("d1", None), ("d4", 0))])
    assert batch["mask"].tolist() == [[True, True, False], [True, True, True]]
    assert batch["grades"].tolist() == [[1, 0, -1], [1, -1, 0]]
    assert batch["others"].tolist() == [[True, True, False, True, False, True], [True, True, False, True, True, True]]


def peers_loss(name, scores, targets):
    """Returns the loss of sentence-transformers for the same scores, without a model in between."""
    from sentence_transformers.cross_encoder import losses

    class Model(torch.nn.Module):
        num_labels = 1
        device = torch.device("cpu")

        def preprocess(self, pairs, **_):
            return {"place": torch.tensor([int(document) for _, document in pairs])}

        tokenizer = preprocess

        def forward(self, inputs=None, place=None, **_):
            place = inputs["place"] if inputs is not None else place
            return {"scores": scores.flatten()[place]}

    rows, columns = scores.shape
    documents = [[str(row * columns + column) for column in range(columns)] for row in range(rows)]
    loss = getattr(losses, name)(Model())
    return loss([["q"] * rows, documents], list(targets))


@pytest.mark.parametrize(
    ("ours", "theirs"), [("lambda", "LambdaLoss"), ("listnet", "ListNetLoss"), ("ranknet", "RankNetLoss")]
)
def test_losses_are_those_of_sentence_transformers(ours, theirs, lists):
    scores = lists[0].detach().float()
    grades = torch.tensor([[2.0, 0, 0, 1, 0], [0, 1, 0, 0, 0], [1, 0, 0, 3, 0]])
    got = names()[ours](scores, grades, torch.ones_like(grades).bool()).item()
    assert got > 0
    base = math.log(2) if ours == "ranknet" else 1  # theirs takes logarithms of base 2
    assert got == pytest.approx(base * peers_loss(theirs, scores, grades).item(), rel=1e-4)
