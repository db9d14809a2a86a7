"""Baselines for LambdaMART: a linear model, and small networks by RankNet, LambdaRank and ListNet.

All read the same features, standardised by the training rows; a missing value becomes the mean, with an additional
feature that marks it as missing. The networks need torch (extra `train`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hybridrank.training.ltr.cross_validation import Fit, Folds, Score
from hybridrank.training.ltr.dataset import Matrix, RankingData
from hybridrank.training.ltr.ndcg import linear_gain, ndcg

__all__ = ["BASELINES", "linear", "network", "standardise"]

_RIDGE = 1.0  # in rows: as if each standardised feature had been seen once more, without an effect
_HIDDEN = 32
_EPOCHS, _PATIENCE = 100, 10
_RATE = 3e-3
_SEED = 17


def standardise(rows: Matrix) -> Callable[[Matrix], Matrix]:
    """Returns a function (n, f) → (n, 2 f): mean 0 and deviation 1 over `rows`, missing 0; then 1 if missing."""
    known = np.where(np.isfinite(rows), rows, np.nan)
    counts = np.maximum(1, np.isfinite(rows).sum(axis=0))
    mean = np.nansum(known, axis=0) / counts
    deviation = np.sqrt(np.nansum((known - mean) ** 2, axis=0) / counts)
    scale = np.where(deviation > 0, deviation, 1.0)

    def apply(rows: Matrix) -> Matrix:
        known = np.isfinite(rows)
        return np.concatenate([np.where(known, (np.where(known, rows, 0.0) - mean) / scale, 0.0), ~known], axis=1)

    return apply


def linear(data: RankingData, folds: Folds) -> Score:  # noqa: ARG001
    """Least squares on the grades minus each query's mean, with a small ridge penalty."""
    prepare = standardise(data.rows)
    inputs, grades = prepare(data.rows), data.grades.astype(np.float64)
    for _, place in data.groups():
        inputs[place] -= inputs[place].mean(axis=0)
        grades[place] -= grades[place].mean()
    weights = np.linalg.solve(inputs.T @ inputs + _RIDGE * np.eye(inputs.shape[1]), inputs.T @ grades)
    return lambda rows: np.asarray(prepare(rows) @ weights)


def network(loss: Callable[[Any, Any], Any]) -> Fit:
    """Returns a fit of one hidden layer, trained query by query with Adam until the last fold's nDCG@10 stops rising.

    `loss` takes the scores and grades of one query's rows.
    """

    def fit(data: RankingData, folds: Folds) -> Score:
        import torch

        data, dev = data.of({each for fold in folds[:-1] for each in fold}), data.of(set(folds[-1]))

        torch.manual_seed(_SEED)
        prepare = standardise(data.rows)
        inputs = torch.from_numpy(prepare(data.rows)).float()
        grades = torch.from_numpy(data.grades)
        model = torch.nn.Sequential(
            torch.nn.Linear(inputs.shape[1], _HIDDEN), torch.nn.ReLU(), torch.nn.Linear(_HIDDEN, 1)
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=_RATE, weight_decay=1e-4)

        def score(rows: Matrix) -> Matrix:
            with torch.inference_mode():
                return np.asarray(model(torch.from_numpy(prepare(rows)).float())[:, 0].double().numpy())

        places = [place for _, place in data.groups() if len(set(data.grades[place])) > 1]
        best, best_weights, waited = -1.0, model.state_dict(), 0
        for _ in range(_EPOCHS):
            for index in torch.randperm(len(places)).tolist():
                optimizer.zero_grad()
                loss(model(inputs[places[index]])[:, 0], grades[places[index]]).backward()
                optimizer.step()
            value = _mean(ndcg(dev, score(dev.rows), k=10))
            if value > best:
                best, waited = value, 0
                best_weights = {name: each.clone() for name, each in model.state_dict().items()}
            elif (waited := waited + 1) >= _PATIENCE:
                break
        model.load_state_dict(best_weights)
        return score

    return fit


def ranknet_loss(scores: Any, grades: Any) -> Any:
    """Mean of log(1 + exp(s_j − s_i)) over pairs in which i has the higher grade (Burges et al., ICML 2005)."""
    return _pairs(scores, grades)[0].mean()


def lambdarank_loss(scores: Any, grades: Any) -> Any:
    """RankNet's loss, each pair weighted by the nDCG change if the two are swapped (Burges, Ragno & Le, NIPS 2006)."""
    import torch

    losses, higher = _pairs(scores, grades)
    gains = torch.tensor(linear_gain())[grades]
    discounts = torch.empty_like(scores)
    discounts[scores.detach().argsort(descending=True)] = 1 / torch.log2(torch.arange(2, len(scores) + 2).float())
    ideal = (gains.sort(descending=True).values / torch.log2(torch.arange(2, len(scores) + 2).float())).sum()
    swaps = ((gains[:, None] - gains) * (discounts[:, None] - discounts)).abs()[higher] / ideal
    return (losses * swaps).sum()


def listnet_loss(scores: Any, grades: Any) -> Any:
    """Cross-entropy of the top-one probabilities of scores and grades (Cao et al., ICML 2007)."""
    return -(grades.float().softmax(0) * scores.log_softmax(0)).sum()


BASELINES: Mapping[str, Fit] = {
    "linear": linear,
    "ranknet": network(ranknet_loss),
    "lambdarank": network(lambdarank_loss),
    "listnet": network(listnet_loss),
}
"""Baselines by name; all except the linear one need torch."""


def _pairs(scores: Any, grades: Any) -> tuple[Any, Any]:
    """Returns the logistic loss of each pair of rows with different grades, and the mask of these pairs, (n, n)."""
    import torch

    higher = grades[:, None] > grades
    return torch.nn.functional.softplus((scores - scores[:, None])[higher]), higher


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / max(1, len(values))
