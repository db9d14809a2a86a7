"""Quality-latency plot: one point per pipeline, and a line through those that no other beats in both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hybridrank.evaluation.report.drawing import Box, Scale, label_boxes
from hybridrank.evaluation.report.markup import escaped

__all__ = ["Point", "pareto_front", "pareto_svg"]

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 72, 696, 24, 364  # the edges of the plot within the figure
LONGEST_NAME = 40  # characters; a longer one is cut with …

_STYLE = """
.pareto { font: 12px system-ui, sans-serif }
.pareto .paper { fill: #ffffff }
.pareto text { fill: #1f2328 }
.pareto .grid { stroke: #d0d7de }
.pareto .front { fill: none; stroke: #0550ae; stroke-width: 2 }
.pareto .best { fill: #0550ae }
.pareto .beaten { fill: #ffffff; stroke: #6e7781; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
.pareto .paper { fill: #0d1117 }
.pareto text { fill: #e6edf3 }
.pareto .grid { stroke: #30363d }
.pareto .front { stroke: #79c0ff }
.pareto .best { fill: #79c0ff }
.pareto .beaten { fill: #0d1117; stroke: #9198a1 }
}
"""


@dataclass(frozen=True, slots=True)
class Point:
    """A pipeline: latency of a search in ms, lower is better, and a measure in [0, 1], higher is better."""

    name: str
    ms: float
    quality: float


def pareto_front(points: Sequence[Point]) -> tuple[Point, ...]:
    """Returns points to which no other is at least equal in both values and better in one; the fastest first.

    >>> [each.name for each in pareto_front([Point("a", 1, 0.3), Point("b", 9, 0.2), Point("c", 5, 0.4)])]
    ['a', 'c']
    """

    def beaten(one: Point) -> bool:
        return any(
            other.ms <= one.ms and other.quality >= one.quality and (other.ms, other.quality) != (one.ms, one.quality)
            for other in points
        )

    return tuple(sorted((each for each in points if not beaten(each)), key=lambda each: each.ms))


def pareto_svg(points: Sequence[Point], measure: str, latency: str = "p50 ms") -> str:
    """Returns the figure as an SVG document with title and description, in colours for light and dark pages.

    The latency axis is logarithmic. Raises ValueError without points.
    """
    if not points:
        raise ValueError("a picture needs at least one point")
    across = Scale.logarithmic([each.ms for each in points], LEFT, RIGHT)
    up = Scale.linear([each.quality for each in points], BOTTOM, TOP)
    front = pareto_front(points)
    places = {each: (across.place(each.ms), up.place(each.quality)) for each in points}
    steps = _steps([places[each] for each in front])
    told = "; ".join(f"{each.name}: {each.quality:.4f} at {each.ms:.1f} ms" for each in points)
    best = ", ".join(each.name for each in front)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="pareto" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            ' aria-labelledby="pareto-title pareto-desc">',
            f'<title id="pareto-title">{escaped(measure)} against latency</title>',
            f'<desc id="pareto-desc">{escaped(told)}. No other is both faster and better: {escaped(best)}.</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
            *_grid(across, up),
            _text(LEFT, TOP - 8, measure, "start"),
            _text(RIGHT, BOTTOM + 40, f"{latency}, faster to the left", "end"),
            f'<path class="front" d="{steps}"/>',
            *(
                f'<circle class="{"best" if each in front else "beaten"}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
                for each, (x, y) in places.items()
            ),
            *_labels(places, front),
            "</svg>\n",
        ]
    )


def _steps(places: Sequence[tuple[float, float]]) -> str:
    """Returns the path of the best quality at each latency, up to the right edge."""
    (x, y), *others = places
    return f"M{x:.1f} {y:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in others) + f"H{RIGHT}"


def _step_boxes(places: Sequence[tuple[float, float]]) -> list[Box]:
    """Returns the area of that path: the level part and the rise of each step, two pixels thick."""
    boxes = []
    for (x, y), (next_x, next_y) in pairwise([*places, (float(RIGHT), places[-1][1])]):
        boxes += [Box(x, y - 1, next_x, y + 1), Box(next_x - 1, next_y, next_x + 1, y)]
    return boxes


def _grid(across: Scale, up: Scale) -> list[str]:
    lines = []
    for value, said in across.ticks():
        x = across.place(value)
        lines.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{BOTTOM}"/>')
        lines.append(_text(x, BOTTOM + 18, said))
    for value, said in up.ticks():
        y = up.place(value)
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>')
        lines.append(_text(LEFT - 8, y + 4, said, "end"))
    return lines


def _labels(places: Mapping[Point, tuple[float, float]], front: Sequence[Point]) -> list[str]:
    names = [_short(each.name) for each in places]
    lines = _step_boxes([places[each] for each in front])
    boxes = label_boxes(list(places.values()), [len(name) for name in names], (LEFT, TOP, RIGHT, BOTTOM), lines)
    return [_text((box.left + box.right) / 2, box.bottom - 4, name) for box, name in zip(boxes, names, strict=True)]


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escaped(text)}</text>'


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
