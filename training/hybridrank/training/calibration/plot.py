"""The reliability diagram as SVG: the share of relevant pairs against their probability."""

from collections.abc import Mapping, Sequence

from hybridrank.evaluation.report.drawing import Scale
from hybridrank.evaluation.report.markup import escaped
from hybridrank.training.calibration.error import Bin

__all__ = ["reliability_svg"]

SIDE, LEFT, RIGHT, TOP, BOTTOM = 480, 64, 456, 40, 416
COLOURS = ("#9a6700", "#0550ae", "#1a7f37")

_STYLE = """
.reliability { font: 12px system-ui, sans-serif }
.reliability .paper { fill: #ffffff }
.reliability text { fill: #1f2328 }
.reliability .grid { stroke: #d0d7de }
.reliability .ideal { stroke: #6e7781; stroke-dasharray: 4 4 }
.reliability .line { fill: none; stroke-width: 2 }
"""


def reliability_svg(title: str, curves: Mapping[str, Sequence[Bin]]) -> str:
    """Draws one line for each of up to three names, one point per bin; the dashed diagonal is perfect calibration.

    A point's area grows with the number of pairs in its bin.
    """
    across, up = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    told = "; ".join(
        f"{name}: " + ", ".join(f"{each.relevant:.3f} at {each.chance:.3f}" for each in bins)
        for name, bins in curves.items()
    )
    most = max(each.count for bins in curves.values() for each in bins)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="reliability" viewBox="0 0 {SIDE} {SIDE}" role="img"'
        ' aria-labelledby="reliability-title reliability-desc">',
        f'<title id="reliability-title">{escaped(title)}</title>',
        f'<desc id="reliability-desc">Share that is relevant, by chance. {escaped(told)}.</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{SIDE}" height="{SIDE}"/>',
        *_grid(across, up),
        f'<line class="ideal" x1="{LEFT}" y1="{BOTTOM}" x2="{RIGHT}" y2="{TOP}"/>',
        _text(LEFT, TOP - 22, "share that is relevant", "start"),
        _text(RIGHT, BOTTOM + 40, "chance of being relevant", "end"),
    ]
    for number, ((name, bins), colour) in enumerate(zip(curves.items(), COLOURS, strict=False)):
        places = [(across.place(each.chance), up.place(each.relevant), each.count) for each in bins]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in places)
        lines.append(f'<path class="line" stroke="{colour}" d="M{path}"/>')
        lines += [
            f'<circle fill="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="{2 + 5 * (count / most) ** 0.5:.1f}"/>'
            for x, y, count in places
        ]
        lines.append(f'<circle fill="{colour}" cx="{LEFT + 14}" cy="{TOP + 14 + 18 * number}" r="5"/>')
        lines.append(_text(LEFT + 26, TOP + 18 + 18 * number, name, "start"))
    return "\n".join([*lines, "</svg>\n"])


def _grid(across: Scale, up: Scale) -> list[str]:
    lines = []
    for value, said in across.ticks():
        x, y = across.place(value), up.place(value)
        lines.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{BOTTOM}"/>')
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>')
        lines += [_text(x, BOTTOM + 18, said), _text(LEFT - 8, y + 4, said, "end")]
    return lines


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escaped(text)}</text>'
