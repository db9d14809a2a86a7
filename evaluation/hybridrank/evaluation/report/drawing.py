"""Basics of a scatter plot: scales from values to pixels with ticks, and positions of labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, floor, fsum, log10
from typing import NamedTuple

__all__ = ["Box", "Scale", "label_boxes"]

FEWEST_MS = 0.01  # lowest start of a logarithmic scale
MOST_TICKS = 10
CHARACTER = 7.0  # a generous width in pixels, at a font size of 12
LINE = 16.0  # the height of a label
AWAY = 6.0  # from the centre of a point to its label


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `low` … `high` to the pixels `start` … `end`, linearly or logarithmically."""

    low: float
    high: float
    start: float
    end: float
    by_logarithm: bool = False

    @classmethod
    def linear(cls, values: Sequence[float], start: float, end: float) -> "Scale":
        """Returns a scale with a margin around values in [0, 1], within [0, 1]."""
        margin = max(0.01, 0.15 * (max(values) - min(values)))
        return cls(max(0.0, min(values) - margin), min(1.0, max(values) + margin), start, end)

    @classmethod
    def logarithmic(cls, values: Sequence[float], start: float, end: float) -> "Scale":
        """Returns a scale from half the least to twice the greatest; 1, 2 or 5 times a power of ten lies between."""
        least, greatest = (max(FEWEST_MS, each) for each in (min(values), max(values)))
        return cls(least / 2, greatest * 2, start, end, by_logarithm=True)

    def place(self, value: float) -> float:
        """Returns the pixel of a value; a value outside the scale is at the edge."""
        low, at, high = self.low, min(max(value, self.low), self.high), self.high
        if self.by_logarithm:
            low, at, high = log10(low), log10(at), log10(high)
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Returns round values within the scale, at most ten, each with its label."""
        return self._logarithmic_ticks() if self.by_logarithm else self._linear_ticks()

    def _linear_ticks(self) -> tuple[tuple[float, str], ...]:
        power = 10.0 ** floor(log10(self.high - self.low))
        step = next(
            each * power for each in (0.1, 0.2, 0.5, 1.0) if (self.high - self.low) / (each * power) < MOST_TICKS
        )
        decimals = max(0, -floor(log10(step) + 1e-9))
        values = (number * step for number in range(ceil(self.low / step), floor(self.high / step) + 1))
        return tuple((value, f"{value:.{decimals}f}") for value in values)

    def _logarithmic_ticks(self) -> tuple[tuple[float, str], ...]:
        powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        for multiples in ((1, 2, 5), (1,)):
            values = [multiple * 10.0**power for power in powers for multiple in multiples]
            within = [each for each in values if self.low <= each <= self.high]
            if len(within) <= MOST_TICKS:
                break
        return tuple((each, f"{each:g}") for each in within[:: ceil(len(within) / MOST_TICKS)])


class Box(NamedTuple):
    """A rectangle in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Returns the area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


def label_boxes(
    points: Sequence[tuple[float, float]],
    characters: Sequence[int],
    plot: tuple[float, float, float, float],
    lines: Sequence[Box] = (),
) -> list[Box]:
    """Returns a box within `plot` beside each point (x, y) for a label of the given number of characters.

    Each label in turn takes the place that covers the least of points, lines and earlier labels: slightly above to the
    right or left, slightly below, level, centred above or below, and further away if all are full. No label may be
    wider than the plot.
    """
    dots = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    placed: list[Box] = []
    for (x, y), count in zip(points, characters, strict=True):
        taken = [*dots, *lines, *placed]
        candidates = [_within(each, Box(*plot)) for each in _beside(x, y, CHARACTER * count)]
        placed.append(min(candidates, key=partial(_covered, taken=taken)))
    return placed


def _covered(box: Box, taken: Sequence[Box]) -> float:
    return fsum(box.overlap(other) for other in taken)


def _beside(x: float, y: float, width: float) -> list[Box]:
    right, left, middle = x + AWAY, x - AWAY - width, x - width / 2
    nearest = [(edge, down) for down in (-10.0, 10.0) for edge in (right, left)]
    rows = [*nearest, (right, 0.0), (left, 0.0), (middle, -1.2 * LINE), (middle, 1.2 * LINE)]
    rows += [(edge, rows_away * LINE) for rows_away in (-2, 2, -3, 3) for edge in (right, left)]
    return [Box(edge, y + down - LINE / 2, edge + width, y + down + LINE / 2) for edge, down in rows]


def _within(box: Box, plot: Box) -> Box:
    """Returns the box, moved into the plot."""
    across = max(plot.left - box.left, 0.0) + min(plot.right - box.right, 0.0)
    down = max(plot.top - box.top, 0.0) + min(plot.bottom - box.bottom, 0.0)
    return Box(box.left + across, box.top + down, box.right + across, box.bottom + down)
