"""Expected reciprocal rank: how soon somebody who reads from the top has what they wanted."""

from collections.abc import Sequence

__all__ = ["MAX_GRADE", "expected_reciprocal_rank"]

MAX_GRADE = 4  # that of the TREC Web tracks and their gdeval.pl, whose values these are


def expected_reciprocal_rank(grades: Sequence[int]) -> float:
    """ERR of a ranking's grades, best rank first, in [0, 1) (Chapelle, Metzler, Zhang & Grinspan, CIKM 2009).

    A document of grade g satisfies with probability (2^g - 1) / 2^4, and whoever is satisfied stops: ERR is the mean
    of 1 / rank where they stop. ir-measures leaves it to a Perl script that takes only numbers as query ids.
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
