"""The picture of quality against latency: what is on its front, where things are, and that it can be read."""

import re
from itertools import combinations
from math import log10
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.report.drawing import Box, Scale, label_boxes
from hybridrank.evaluation.report.pareto import Point, pareto_front, pareto_svg

SVG = "{http://www.w3.org/2000/svg}"
FIVE = [
    Point("bm25", 1.4, 0.6838),
    Point("knn", 7.0, 0.6529),
    Point("rrf", 8.2, 0.7088),
    Point("rrf+colbert", 2719.8, 0.7245),
    Point("rrf+cross-encoder", 1261.6, 0.6942),
]

anything = st.text(st.characters(), max_size=60)  # control characters and halves of surrogate pairs too
points = st.lists(
    st.builds(Point, anything, st.floats(0, 1e6), st.floats(0, 1)),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each.name,
)


def drawn(svg: str) -> ElementTree.Element:
    svg.encode("utf-8")  # can be written to a file
    return ElementTree.fromstring(svg)


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def test_the_front_by_hand():
    """knn is slower and worse than bm25, the cross-encoder than rrf; colbert is the best, however slow."""
    assert [each.name for each in pareto_front(FIVE)] == ["bm25", "rrf", "rrf+colbert"]


@given(points)
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(points):
    front = pareto_front(points)
    assert set(front) <= set(points)
    for each in points:
        assert any(best.ms <= each.ms and best.quality >= each.quality for best in front)
    for one, other in combinations(front, 2):  # the fastest first: slower is better, or they are the same
        assert (one.ms < other.ms and one.quality < other.quality) or (one.ms, one.quality) == (other.ms, other.quality)


def test_the_picture_tells_its_points_to_those_who_do_not_see_it():
    picture = drawn(pareto_svg(FIVE, "nDCG@10"))
    title, description = picture.find(f"{SVG}title"), picture.find(f"{SVG}desc")
    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text == "nDCG@10 against latency"
    assert "rrf: 0.7088 at 8.2 ms" in description.text
    assert description.text.endswith("No other is both faster and better: bm25, rrf, rrf+colbert.")
    assert [each.get("class") for each in picture.iter(f"{SVG}circle")] == ["best", "beaten", "best", "best", "beaten"]


def test_there_are_colours_for_light_and_dark():
    """Each class that has a colour has another one where the page is dark."""
    light, dark = (
        drawn(pareto_svg(FIVE, "nDCG@10")).find(f"{SVG}style").text.split("@media (prefers-color-scheme: dark)")
    )
    coloured = re.compile(r"\.pareto ([.\w]+) {[^}]*#(\w+)")
    assert dict(coloured.findall(light)).keys() == dict(coloured.findall(dark)).keys()
    assert len(dict(coloured.findall(dark))) == 6
    for name, (paper, ink) in {"light": (light, light), "dark": (dark, dark)}.items():
        colours = dict(coloured.findall(paper))
        assert contrast(colours[".paper"], dict(coloured.findall(ink))["text"]) > 7, name  # WCAG's AAA


def contrast(one: str, other: str) -> float:
    """Of two colours rrggbb, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@given(points=points, measure=anything)
def test_names_change_no_element(points, measure):
    plain = [Point(f"p{place}", each.ms, each.quality) for place, each in enumerate(points)]
    assert elements(pareto_svg(points, measure)) == elements(pareto_svg(plain, "nDCG@10"))


def elements(svg: str) -> list[tuple[str, list[str]]]:
    return [(each.tag, list(each.keys())) for each in drawn(svg).iter()]


@given(st.text(st.characters(exclude_categories=["C"]), max_size=40))
def test_names_are_shown_as_they_are(name):
    assert name in texts(drawn(pareto_svg([Point(name, 1, 0.5)], "nDCG@10")))


def test_a_long_name_is_cut():
    assert f"{'x' * 39}…" in texts(drawn(pareto_svg([Point("x" * 41, 1, 0.5)], "nDCG@10")))


@given(points)
def test_points_stay_within_the_plot(points):
    picture = drawn(pareto_svg(points, "nDCG@10"))
    for circle in picture.iter(f"{SVG}circle"):
        assert 72 <= float(circle.get("cx")) <= 696
        assert 24 <= float(circle.get("cy")) <= 364


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="at least one point"):
        pareto_svg([], "nDCG@10")


def test_a_logarithmic_scale_by_hand():
    scale = Scale.logarithmic([2, 200], 0, 100)  # from 1 to 400
    assert scale.place(20) == pytest.approx(100 * log10(20) / log10(400))
    assert [said for _, said in scale.ticks()] == ["1", "2", "5", "10", "20", "50", "100", "200"]


def test_a_linear_scale_by_hand():
    scale = Scale.linear([0.5, 0.7], 300, 0)  # upwards, from 0.47 to 0.73
    assert scale.place(0.6) == pytest.approx(150)
    assert [said for _, said in scale.ticks()] == ["0.50", "0.55", "0.60", "0.65", "0.70"]


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=5))
def test_scales_have_some_ticks_within_and_different_ones(values):
    for scale in (Scale.logarithmic(values, 0, 100), Scale.linear([each / 1e7 for each in values], 0, 100)):
        ticks = scale.ticks()
        assert 1 <= len(ticks) <= 11
        assert len({said for _, said in ticks}) == len(ticks)
        assert all(scale.low <= value <= scale.high * (1 + 1e-9) for value, _ in ticks)


def test_labels_of_five_pipelines_overlap_no_label_and_no_point():
    """Three of which are nearly in one place."""
    places = [(100, 100), (104, 101), (101, 106), (600, 300), (690, 30)]
    boxes = label_boxes(places, [4, 3, 3, 17, 11], (72, 24, 696, 364))
    for one, other in combinations(boxes, 2):
        assert one.overlap(other) == 0
    for box in boxes:
        assert all(box.overlap(Box(x - 5, y - 5, x + 5, y + 5)) == 0 for x, y in places)


def test_a_label_steps_aside_from_a_line():
    """Above to the right, where it would be, a line goes up."""
    here, plot = [(300.0, 200.0)], (72, 24, 696, 364)
    line = Box(310, 100, 312, 200)
    (free,), (aside,) = label_boxes(here, [3], plot), label_boxes(here, [3], plot, [line])
    assert free.overlap(line) > 0
    assert aside.overlap(line) == 0


@given(st.lists(st.tuples(st.floats(72, 696), st.floats(24, 364)), max_size=15), st.integers(1, 40))
def test_labels_stay_within_the_plot(places, characters):
    for left, top, right, bottom in label_boxes(places, [characters] * len(places), (72, 24, 696, 364)):
        assert left >= 72 - 1e-6
        assert top >= 24 - 1e-6
        assert right <= 696 + 1e-6
        assert bottom <= 364 + 1e-6
