"""The table of windows, on a collection too small for its numbers: what is searched, and how."""

from benchmarks import sidecar_windows
from tests.evaluation.menu import write_menu


async def test_each_query_is_searched_with_both_numbers_of_windows(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    menu = write_menu(tmp_path / "menu")
    section = await sidecar_windows.measure([(menu, "test")], budget_s=30)
    assert [row[:2] for row in section.table.rows] == [("menu, test", "1"), ("menu, test", "4")]
    one, four = section.measured["menu, test"].values()
    assert one["rankings"] == four["rankings"]  # texts of one window
    assert set(one["windows"].values()) == {1.0}
    assert [aim.measured for aim in section.aims] == [0.0]
    assert section.aims[0].met
