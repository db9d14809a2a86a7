"""One benchmark's section never touches another's, and the page says of each aim what the numbers say."""

import json
import math

import pytest

from benchmarks.results_file import Aim, Section, update
from hybridrank.evaluation.report.tables import ReportTable


def section(title, *aims):
    table = ReportTable(("what", "pairs/s"), (("alone", "49"),))
    return Section(title, {"threads": 2}, {"seconds": [2.0, 2.1]}, ("Two rounds.",), table, aims)


def test_the_page_has_all_sections_and_a_rerun_replaces_one(tmp_path):
    update("soak", section("Soak"), tmp_path)
    update("throughput", section("Old"), tmp_path)
    before = json.loads((tmp_path / "sidecar.json").read_text())["soak"]
    page = update(
        "throughput", section("Throughput", Aim("× peer", 2.5, 3), Aim("error", 0.004, 0.005, True)), tmp_path
    )

    assert json.loads((tmp_path / "sidecar.json").read_text())["soak"] == before
    assert (tmp_path / "sidecar.md").read_text() == page
    assert page == (
        "# The sidecar, measured\n\n"
        "## Throughput\n\nTwo rounds.\n\n"
        "| what  | pairs/s |\n| :---- | ------: |\n| alone |      49 |\n\n"
        "| aim    |  wanted | measured |        |\n| :----- | ------: | -------: | -----: |\n"
        "| × peer |     ≥ 3 |      2.5 | missed |\n| error  | ≤ 0.005 |    0.004 |    met |\n\n"
        "## Soak\n\nTwo rounds.\n\n"
        "| what  | pairs/s |\n| :---- | ------: |\n| alone |      49 |\n"
    )


def test_pages_do_not_touch_each_other(tmp_path):
    update("soak", section("Soak"), tmp_path)
    before = (tmp_path / "sidecar.md").read_text()
    assert update("lambdamart", section("Forests"), tmp_path).startswith("# Rerankers, measured\n\n## Forests\n")
    assert (tmp_path / "sidecar.md").read_text() == before
    assert list(json.loads((tmp_path / "rerankers.json").read_text())) == ["lambdamart"]


@pytest.mark.parametrize(
    ("measured", "at_most", "met"),
    [(3, False, True), (2.99, False, False), (3, True, True), (3.01, True, False), (math.nan, False, False)],
)
def test_an_aim_is_met_by_its_numbers(measured, at_most, met):
    assert Aim("", measured, 3, at_most).met is met


def test_an_unknown_section_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"'speed'.*throughput, quality, windows, overload, soak"):
        update("speed", section("Speed"), tmp_path)
    assert not list(tmp_path.iterdir())
