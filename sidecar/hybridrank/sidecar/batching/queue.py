"""Pure functions of the queue: batch cutting, the next request, and token estimates before tokenising."""

from collections.abc import Sequence

# About ten times the cost of a token on a core of 2024. A request may wait in proportion to its own size.
PATIENCE_S_PER_TOKEN = 0.0005
CHARACTERS_PER_TOKEN = 5  # English has four to five; after tokenising, the true count replaces the estimate


def cut_batches(
    lengths: Sequence[int], *, max_batch_tokens: int, max_texts: int | None = None, in_order: bool = False
) -> list[list[int]]:
    """Cuts texts into batches of similar length, with little padding; a batch is a list of indices.

    `lengths` are in tokens. A batch grows while its padded size, longest x count, stays within `max_batch_tokens`, and
    its count within `max_texts`; a text longer than that goes alone. Long texts come first: the last batches are then
    short, and the cores finish together. With `in_order` the texts keep their order: the first are computed first.

    >>> cut_batches([3, 8, 4, 9], max_batch_tokens=16)
    [[3], [1, 2], [0]]
    >>> cut_batches([3, 8, 4, 9], max_batch_tokens=16, in_order=True)
    [[0, 1], [2], [3]]
    """
    batches: list[list[int]] = []
    longest = 0
    for index in range(len(lengths)) if in_order else sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = max(longest, lengths[index])
        full = not batches or len(batches[-1]) == max_texts
        if full or longest * (len(batches[-1]) + 1) > max_batch_tokens:
            batches.append([])
            longest = lengths[index]
        batches[-1].append(index)
    return batches


def fit(lengths: Sequence[int], *, max_batch_tokens: int) -> bool:
    """Returns True if texts of several requests may form one batch: within its budget, and at most a third padding.

    >>> fit([10, 12, 8], max_batch_tokens=36), fit([10, 12, 8], max_batch_tokens=35), fit([4, 90], max_batch_tokens=999)
    (True, False, False)
    """
    padded = max(lengths) * len(lengths)
    return padded <= max_batch_tokens and 3 * sum(lengths) >= 2 * padded


def due_at(arrived_at: float, tokens: int, deadline: float | None) -> float:
    """Returns the time in seconds by which a request should be done; the waiting request with the earliest is next.

    This is its deadline, or the end of a waiting time in proportion to its size, if that is earlier. So one text need
    not wait for a thousand passages, whatever the deadlines; and because the time is fixed on arrival, no request
    starves: a request that arrives after another was due never overtakes it.

    >>> due_at(100.0, tokens=10, deadline=None), due_at(100.0, tokens=100_000, deadline=100.3)
    (100.005, 100.3)
    """
    patient_until = arrived_at + PATIENCE_S_PER_TOKEN * tokens
    return patient_until if deadline is None else min(deadline, patient_until)


def next_turn(dues: Sequence[float]) -> int:
    """Returns the index of the next request: the earliest due; the first to arrive of ties.

    >>> next_turn([7.0, 3.0, 3.0])
    1
    """
    return min(range(len(dues)), key=dues.__getitem__)


def estimate_tokens(texts: Sequence[str], max_tokens: int, query: str = "") -> int:
    """Estimates how many tokens a model will read, including special ones; a long text counts as far as it is read.

    >>> estimate_tokens(["a dog barks", "word " * 20_000], max_tokens=512)
    517
    """
    characters = len(query)
    return sum(min(max_tokens, 3 + (characters + len(text)) // CHARACTERS_PER_TOKEN) for text in texts)
