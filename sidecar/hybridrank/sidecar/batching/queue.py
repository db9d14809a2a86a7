"""Pure: which texts are computed together, which request is next, and how long a text is before it is tokenised."""

from collections.abc import Sequence

# About ten times what a token costs on a core of 2024. A request may be kept waiting in proportion to its own size.
PATIENCE_S_PER_TOKEN = 0.0005
CHARACTERS_PER_TOKEN = 5  # English has four to five; after tokenising, the true count replaces the estimate


def cut_batches(lengths: Sequence[int], *, max_batch_tokens: int, in_order: bool = False) -> list[list[int]]:
    """Cut texts into batches of similar length, so that next to nothing is padding; a batch is a list of indices.

    `lengths` are in tokens. A batch grows while its padded size, longest x count, stays within `max_batch_tokens`; a
    text longer than that goes alone. Long ones come first: the last batches to finish are then short, and the cores
    finish together. With `in_order` the texts keep their order instead: the first are computed first.

    >>> cut_batches([3, 8, 4, 9], max_batch_tokens=16)
    [[3], [1, 2], [0]]
    >>> cut_batches([3, 8, 4, 9], max_batch_tokens=16, in_order=True)
    [[0, 1], [2], [3]]
    """
    batches: list[list[int]] = []
    longest = 0
    for index in range(len(lengths)) if in_order else sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = max(longest, lengths[index])
        if not batches or longest * (len(batches[-1]) + 1) > max_batch_tokens:
            batches.append([])
            longest = lengths[index]
        batches[-1].append(index)
    return batches


def fit(lengths: Sequence[int], *, max_batch_tokens: int) -> bool:
    """Whether texts of several requests may be one batch: it keeps its budget, and at most a third of it is padding.

    >>> fit([10, 12, 8], max_batch_tokens=36), fit([10, 12, 8], max_batch_tokens=35), fit([4, 90], max_batch_tokens=999)
    (True, False, False)
    """
    padded = max(lengths) * len(lengths)
    return padded <= max_batch_tokens and 3 * sum(lengths) >= 2 * padded


def due_at(arrived_at: float, tokens: int, deadline: float | None) -> float:
    """The time in seconds by which a request should be done; of those that wait, the one with the earliest is next.

    That is its deadline, or the end of a patience in proportion to its size where that is earlier. So one text need
    not wait for a thousand passages, whatever the deadline of either; and since it is fixed on arrival, nobody
    starves: what arrives after a request was due never overtakes it.

    >>> due_at(100.0, tokens=10, deadline=None), due_at(100.0, tokens=100_000, deadline=100.3)
    (100.005, 100.3)
    """
    patient_until = arrived_at + PATIENCE_S_PER_TOKEN * tokens
    return patient_until if deadline is None else min(deadline, patient_until)


def next_turn(dues: Sequence[float]) -> int:
    """The index of the request whose turn it is: the earliest due; of equal ones the first to have come.

    >>> next_turn([7.0, 3.0, 3.0])
    1
    """
    return min(range(len(dues)), key=dues.__getitem__)


def estimate_tokens(texts: Sequence[str], max_tokens: int, query: str = "") -> int:
    """About how many tokens a model will read, special ones included; a long text counts as far as it is read.

    >>> estimate_tokens(["a dog barks", "word " * 20_000], max_tokens=512)
    517
    """
    characters = len(query)
    return sum(min(max_tokens, 3 + (characters + len(text)) // CHARACTERS_PER_TOKEN) for text in texts)
