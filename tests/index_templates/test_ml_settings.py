"""The two cluster settings: whatever was there before, the sidecar may be called after, and undoing gives it back."""

from hypothesis import given
from hypothesis import strategies as st

from hybridrank.index_templates.ml_settings import (
    PRIVATE_IP,
    TRUSTED,
    ClusterSettings,
    Record,
    is_private,
    is_trusted,
    trusted_pattern,
    undone,
    wanted_settings,
)

DEFAULTS = {TRUSTED: [r"^https://api\.example\.com/.*$"], PRIVATE_IP: False}
PATTERNS = st.sampled_from([*DEFAULTS[TRUSTED], r"^http://search-\d+/.*$", "^http://sidecar:8080", ".*", "["])
SIDECARS = st.sampled_from(["http://sidecar:8080", "http://10.1.2.3:8080", "https://sidecar.example"])
PERSISTENT = st.fixed_dictionaries({}, optional={TRUSTED: st.lists(PATTERNS, unique=True), PRIVATE_IP: st.booleans()})


def server(persistent):
    return ClusterSettings(persistent, DEFAULTS | persistent)


def put(persistent, change):
    """Applies `PUT _cluster/settings` as a server does: null clears."""
    return {name: value for name, value in (persistent | change).items() if value is not None}


def urls(sidecar):
    return [f"{sidecar}/v1/rerank", f"{sidecar}/v1/embeddings"]


@given(PERSISTENT, st.lists(st.tuples(SIDECARS, st.booleans()), min_size=1, max_size=4))
def test_undoing_the_setup_for_two_sidecars_leaves_nothing(before, sidecars):
    now, record = before, Record()
    for sidecar, private in sidecars:
        change, record = wanted_settings(
            urls(sidecar), trusted_pattern(sidecar), private=private, settings=server(now), record=record
        )
        now = put(now, change)
        held = server(now).effective
        assert all(is_trusted(url, held[TRUSTED]) for url in urls(sidecar))
        assert held[PRIVATE_IP] or not private
        assert set(server(before).effective[TRUSTED]) <= set(held[TRUSTED])
        again, same = wanted_settings(
            urls(sidecar), trusted_pattern(sidecar), private=private, settings=server(now), record=record
        )
        assert (again, same) == ({}, record)
    assert put(now, undone(server(now), record)) == before


def test_the_pattern_of_the_sidecar_before_gives_way():
    old, new = "http://old:8080", "http://new:8080"
    change, record = wanted_settings(
        urls(old), trusted_pattern(old), private=False, settings=server({}), record=Record()
    )
    now = put({}, change)
    change, _ = wanted_settings(urls(new), trusted_pattern(new), private=False, settings=server(now), record=record)
    assert change == {TRUSTED: [*DEFAULTS[TRUSTED], "^http://new:8080/.*$"]}


def test_values_that_others_added_meanwhile_are_kept():
    sidecar = "http://10.1.2.3:8080"
    change, record = wanted_settings(
        urls(sidecar), trusted_pattern(sidecar), private=True, settings=server({}), record=Record()
    )
    now = put({}, change)
    theirs = {TRUSTED: [*now[TRUSTED], "^https://theirs/.*$"], PRIVATE_IP: False}
    assert undone(server(put(now, theirs)), record) == {TRUSTED: [*DEFAULTS[TRUSTED], "^https://theirs/.*$"]}


def test_a_record_survives_being_stored():
    _, record = wanted_settings(
        urls("http://s:1"), trusted_pattern("http://s:1"), private=True, settings=server({}), record=Record()
    )
    assert Record(**record.body()["_meta"]["hybridrank"]) == record


def test_only_a_match_of_the_whole_url_counts():
    url = "http://sidecar:8080/v1/rerank"
    assert is_trusted(url, ["nothing", "^http://sidecar:8080/.*$"])
    assert not is_trusted(url, ["^http://sidecar:8080/", "sidecar", "^http://sidecar:8080/v1/rerank/.*$", "("])
    assert not is_trusted("http://sidecarX8080/v1", [trusted_pattern("http://sidecar.8080")])


def test_private_addresses_are_those_that_ml_commons_refuses():
    refused = ["127.0.0.1", "10.0.0.1", "172.31.255.1", "192.168.1.1", "169.254.1.1", "0.0.0.0", "::1"]
    assert all(is_private([each]) for each in refused)
    assert not is_private(["172.32.0.1", "192.169.0.1", "203.0.113.9", "2001:4860:4860::8888"])
    assert is_private(["203.0.113.9", "10.0.0.1"])
