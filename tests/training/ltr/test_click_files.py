"""Files of clicks: UBI events and tables, what is skipped and counted, and what is refused by its line."""

import json

import pytest

from hybridrank.training.ltr.click_files import Showing, read_ctr_table, read_ubi, ubi_showings
from hybridrank.training.ltr.clicks import Shown, grades
from hybridrank.training.ltr.errors import ClickError


def test_a_table_of_click_rates_is_read_and_summed(tmp_path):
    (path := tmp_path / "ctr.csv").write_text(
        "doc_id,query,position,impressions,clicks\nd1,red shoes,1,10,2\nd1,red shoes,1,5,1\nd2,red shoes,2,0,0\n"
    )
    assert read_ctr_table(path) == [Shown("red shoes", "d1", 1, 15, 3)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("query,doc_id,shown\n", r"ctr\.csv:1: there is no column position in the header"),
        ("query,doc_id,position,shown,clicked\nq,d,1,10,2\nq,d,1,10,11\n", r"ctr\.csv:3: .* no more clicks than shown"),
        ("query,doc_id,position,shown,clicked\nq,d,first,10,2\n", r"ctr\.csv:2: position, shown and clicked are whole"),
    ],
)
def test_bad_lines_of_a_table_are_named(tmp_path, text, problem):
    (path := tmp_path / "ctr.csv").write_text(text)
    with pytest.raises(ClickError, match=problem):
        read_ctr_table(path)


def event(action, query_id, doc_id, ordinal, query="red shoes"):
    details = {"object": {"object_id": doc_id, "object_id_field": "_id"}, "position": {"ordinal": ordinal}}
    return {"action_name": action, "query_id": query_id, "user_query": query, "event_attributes": details}


def test_ubi_events_count_once_a_query(tmp_path):
    events = [
        event("impression", "1", "a", 1),
        event("impression", "1", "b", 2),
        event("click", "1", "b", 2),
        event("click", "1", "b", 2),
        event("impression", "2", "b", 2),
        event("click", "2", "c", 7),
        {"action_name": "add_to_cart"},
        {"_source": event("impression", "3", "a", 1)},
    ]
    (path := tmp_path / "ubi.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n\n")
    assert read_ubi(path) == [
        Shown("red shoes", "a", 1, 2, 0),
        Shown("red shoes", "b", 2, 2, 1),
        Shown("red shoes", "c", 7, 1, 1),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nothing", "not JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "not a UBI event: expected a text as action_name"),
        ('{"action_name": "click"}', "not a UBI event: expected an object as event_attributes"),
        ('{"action_name": "click", "event_attributes": {"object": {"object_id": null}}}', ".* a string as object_id"),
    ],
)
def test_bad_events_are_named(tmp_path, line, problem):
    (path := tmp_path / "ubi.jsonl").write_text(json.dumps(event("click", "1", "a", 1)) + f"\n{line}\n")
    with pytest.raises(ClickError, match=rf"ubi\.jsonl:2: {problem}"):
        read_ubi(path)


def written(tmp_path, *lines):
    (path := tmp_path / "ubi.jsonl").write_text(
        "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    )
    return path


def without(event, name):
    return {key: value for key, value in event.items() if key != name}


def test_ordinals_that_count_from_0_give_the_same_grades(tmp_path):
    def clicks(start):
        shown = [event("impression", f"s{n}", doc_id, start + n % 3) for n in range(30) for doc_id in "abc"]
        return [*shown, *(event("click", f"s{n}", "b", start + n % 3) for n in range(20))]

    from_0, from_1 = (read_ubi(written(tmp_path, *clicks(start))) for start in (0, 1))
    assert from_0 == from_1
    assert min(each.position for each in from_0) == 1
    for model in ("pbm", "coec"):
        assert grades(from_0, model)["red shoes"]["b"] > 0


def test_events_that_lack_something_are_skipped_and_counted(tmp_path):
    good = event("impression", "1", "a", 1)
    lines = ["", "", "{bad", without(good, "user_query"), event("impression", "1", "b", -1), "", good]
    skipped = []
    assert ubi_showings(written(tmp_path, *lines), skipped.append) == {
        ("1", "a"): Showing("red shoes", 1, clicked=False)
    }
    assert [each.number for each in skipped] == [3, 4, 5]
    assert [each.reason.rpartition("expected ")[2] for each in skipped[1:]] == [
        "a text as user_query",
        "a whole number from 0 to 1000000 as position.ordinal",
    ]


@pytest.mark.parametrize("lacking", ["user_query", "position"])
def test_a_click_takes_text_and_place_from_its_impression(tmp_path, lacking):
    click = event("click", "1", "a", 1)
    click["event_attributes"] = without(click["event_attributes"], lacking)
    lines = [without(click, lacking), event("impression", "1", "a", 1)]
    assert read_ubi(written(tmp_path, *lines)) == [Shown("red shoes", "a", 1, 1, 1)]


def test_a_file_in_which_no_event_can_be_used_is_an_error(tmp_path):
    click = without(event("click", "1", "a", 1), "user_query")
    with pytest.raises(ClickError, match=r"none of its events can be used \(2\); the first: .*ubi\.jsonl:1: "):
        ubi_showings(written(tmp_path, click, "{bad"), lambda _line: None)


def test_ids_that_are_numbers_are_their_digits(tmp_path):
    assert list(ubi_showings(written(tmp_path, event("click", 7, 12, 1.0)))) == [("7", "12")]


def test_a_table_from_a_spreadsheet_is_read(tmp_path):
    (path := tmp_path / "ctr.csv").write_bytes(
        '\ufeffQuery;doc_id;position;shown;clicked\r\n"red; shoes";d1;1.0;10;2\r\n\r\nred shoes;d2;x;1;1\r\n'.encode()
    )
    with pytest.raises(ClickError, match=r"ctr\.csv:4: position, shown and clicked are whole numbers: 'x'"):
        read_ctr_table(path)
    path.write_bytes(path.read_bytes().replace(b";x;", b";2;"))
    assert read_ctr_table(path) == [Shown("red; shoes", "d1", 1, 10, 2), Shown("red shoes", "d2", 2, 1, 1)]
