"""Expected reciprocal rank: how early a user who reads from the top is satisfied."""

from collections.abc import Sequence

__all__ = ["MAX_GRADE", "expected_reciprocal_rank"]

MAX_GRADE = 4  # as in the TREC Web tracks and their gdeval.pl, whose values these are


def expected_reciprocal_rank(grades: Sequence[int]) -> float:
    """ERR of a ranking's grades, best rank first, in [0, 1) (Chapelle, Metzler, Zhang & Grinspan, CIKM 2009).

    A document of grade g satisfies the user with probability (2^g - 1) / 2^4, and a satisfied user stops: ERR is the
    mean of 1 / rank of the stop. ir-measures calls a Perl script for it, which accepts only numbers as query ids.
    Grades below 0 count as 0. Raises ValueError for one above 4.

    >>> expected_reciprocal_rank([0, 4])
    0.46875
    """
    if max(grades, default=0) > MAX_GRADE:
        raise ValueError(f"ERR knows grades up to {MAX_GRADE}, and one is {max(grades)}")
    reads_on, total = 1.0, 0.0
    for rank, grade in enumerate(grades, start=1):
        satisfied = (2 ** max(grade, 0) - 1) / 2**MAX_GRADE
        total += reads_on * satisfied / rank
        reads_on *= 1 - satisfied
    return total
