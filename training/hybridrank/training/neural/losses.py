"""Ranking losses over padded lists: scores, targets and a mask, each (queries, documents) → one number.

The mask is False where a list has no document. Targets are grades, -1 if unjudged, or a teacher's scores. A list
without anything to compare does not count.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["LOSSES", "bce", "kl", "lambda_loss", "lce", "listnet", "margin_mse", "partial_ranking", "ranknet"]

_NONE = -1e4  # the score of an absent document: negligible beside any other, and finite in 16 bits
_MU = 10.0  # weight of NDCG-Loss2 relative to LambdaRank in NDCG-Loss2++ (Wang et al. 2018, section 4.3)


def bce(scores: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """Each document alone: relevant or not, by the logistic loss (Nogueira and Cho 2019)."""
    return functional.binary_cross_entropy_with_logits(scores[mask], (grades[mask] > 0).to(scores.dtype))


def ranknet(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean of log(1 + exp(worse - better)) over pairs with a better document (Burges et al. 2005)."""
    better = _better(targets, mask)
    return _mean(functional.softplus(-_differences(scores)), better)


def lce(scores: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """Each relevant document against all non-relevant ones: cross entropy of its softmax (Gao et al. 2021).

    The other relevant documents of the list are not negatives.
    """
    relevant = (grades > 0) & mask
    negative = torch.where(mask & ~relevant, scores, scores.new_tensor(_NONE)).logsumexp(1, keepdim=True)
    return _mean(torch.logaddexp(scores, negative) - scores, relevant & (mask & ~relevant).any(1, keepdim=True))


def listnet(scores: Tensor, targets: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    """Cross entropy of the scores' softmax with that of the targets at a temperature (Cao et al. 2007, top one)."""
    wanted = _log_softmax(targets.clamp(min=0).to(scores.dtype) / temperature, mask).exp()
    entropies = -(wanted * _log_softmax(scores, mask)).masked_fill(~mask, 0).sum(1)
    return _mean(entropies, _better(targets.clamp(min=0), mask).any(2).any(1))


def kl(scores: Tensor, targets: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    """KL divergence of the student's softmax from the teacher's, both at a temperature (Hinton et al. 2015).

    Multiplied by the square of the temperature, so that gradients keep their size.
    """
    wanted = _log_softmax(targets / temperature, mask)
    got = _log_softmax(scores / temperature, mask)
    divergences = (wanted.exp() * (wanted - got)).masked_fill(~mask, 0).sum(1) * temperature**2
    return _mean(divergences, _better(targets, mask).any(2).any(1))


def margin_mse(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of every pair's margin against the teacher's margin (Hofstätter et al. 2020)."""
    both = mask[:, :, None] & mask[:, None, :] & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    both &= _better(targets, mask).any(2).any(1)[:, None, None]
    return _mean((_differences(scores) - _differences(targets)).square(), both)


def lambda_loss(scores: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """RankNet's pairs, each weighted by its effect on nDCG: NDCG-Loss2++ (Wang et al. 2018), logarithms of base 2."""
    order = torch.where(mask, scores, scores.new_tensor(_NONE)).argsort(1, descending=True)
    scores, grades, mask = scores.gather(1, order), grades.gather(1, order).clamp(min=0), mask.gather(1, order)
    gains = (2.0**grades - 1).masked_fill(~mask, 0)
    places = torch.arange(1, scores.shape[1] + 1, device=scores.device)
    discounts = torch.log2(places + 1.0)
    ideal = (gains.sort(1, descending=True).values / discounts).sum(1, keepdim=True).clamp(min=1e-10)
    gains = gains / ideal
    apart = (places[:, None] - places[None, :]).abs()
    loss2 = (1 / torch.log2(apart + 1.0) - 1 / torch.log2(apart + 2.0)).abs().masked_fill(apart == 0, 0)
    lambdarank = (1 / discounts[:, None] - 1 / discounts[None, :]).abs()
    weights = (_MU * loss2 + lambdarank) * (gains[:, :, None] - gains[:, None, :]).abs()
    return _mean(weights * functional.softplus(-_differences(scores)) / _LN2, _better(grades, mask))


def partial_ranking(scores: Tensor, targets: Tensor, mask: Tensor, ranked: int = 5) -> Tensor:
    """The teacher's first `ranked` documents in order, each against all documents below it (top-k ListMLE, Xia 2009).

    Lower documents have no order among each other, and neither have documents tied at the teacher's lowest score.
    """
    named = mask & (targets > torch.where(mask, targets, targets.max()).amin(1, keepdim=True))
    order = torch.where(mask, targets, targets.new_tensor(_NONE)).argsort(1, descending=True)
    scores, mask, named = (each.gather(1, order) for each in (scores, mask, named))
    below = torch.where(mask, scores, scores.new_tensor(_NONE)).flip(1).logcumsumexp(1).flip(1)
    first = torch.arange(scores.shape[1], device=scores.device) < ranked
    return _mean(below - scores, named & first)


LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "bce": bce,
    "ranknet": ranknet,
    "lce": lce,
    "lambda": lambda_loss,
    "listnet": listnet,
    "margin-mse": margin_mse,
    "kl": kl,
    "partial-ranking": partial_ranking,
}
"""Losses by their names in recipes."""

_LN2 = 0.6931471805599453


def _differences(values: Tensor) -> Tensor:
    """Returns (queries, n, n): the value at i minus that at j."""
    return values[:, :, None] - values[:, None, :]


def _better(targets: Tensor, mask: Tensor) -> Tensor:
    """Returns (queries, n, n): True if i is better than j, and both exist."""
    return (_differences(targets.to(torch.float32)) > 0) & mask[:, :, None] & mask[:, None, :]


def _log_softmax(values: Tensor, mask: Tensor) -> Tensor:
    return functional.log_softmax(torch.where(mask, values, values.new_tensor(_NONE)), dim=1)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Mean over the places that count; 0 with a gradient of 0 if none does."""
    return values.masked_fill(~where, 0).sum() / where.sum().clamp(min=1)
