"""Pure: which texts are computed together."""

from collections.abc import Sequence


def cut_batches(lengths: Sequence[int], *, max_batch_tokens: int) -> list[list[int]]:
    """Cut texts into batches of similar length, so that next to nothing is padding; a batch is a list of indices.

    `lengths` are in tokens. A batch grows while its padded size, longest x count, stays within `max_batch_tokens`; a
    text longer than that goes alone. Long ones come first: the last batches to finish are then short, and the cores
    finish together.

    >>> cut_batches([3, 8, 4, 9], max_batch_tokens=16)
    [[3], [1, 2], [0]]
    """
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not batches or longest * (len(batches[-1]) + 1) > max_batch_tokens:
            batches.append([])
            longest = lengths[index]
        batches[-1].append(index)
    return batches
