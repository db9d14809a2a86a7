"""The cache stays within its bytes, lets go of the least recently used, and returns what was put in."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.sidecar.scoring.row_cache import ENTRY_BYTES, Row, RowCache


def row(number: float, length: int = 1) -> Row:
    return Row(np.full(length, number, dtype=np.float32), truncated=False, tokens=3)


def size(length: int) -> int:
    return ENTRY_BYTES + 4 * length


def test_the_least_recently_used_goes_first():
    cache = RowCache(2 * size(1))
    cache.put(b"a", row(1))
    cache.put(b"b", row(2))
    assert cache.get(b"a").values == [1]
    cache.put(b"c", row(3))
    assert cache.get(b"b") is None
    assert cache.get(b"a").values == [1]
    assert cache.get(b"c").values == [3]
    assert (cache.hits, cache.misses) == (3, 1)


def test_a_cache_of_no_bytes_keeps_and_counts_nothing():
    cache = RowCache(0)
    cache.put(b"a", row(1))
    assert cache.get(b"a") is None
    assert (len(cache), cache.used_bytes, cache.hits, cache.misses) == (0, 0, 0, 0)


def test_a_row_larger_than_the_cache_drives_nothing_out():
    cache = RowCache(size(10))
    cache.put(b"a", row(1))
    cache.put(b"b", row(2, length=11))
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None


def test_a_row_does_not_hold_the_batch_it_came_from():
    batch = np.ones((1000, 4), dtype=np.float32)
    cache = RowCache(10_000)
    cache.put(b"a", Row(batch[3], truncated=False, tokens=3))
    batch[3] = 0
    assert cache.get(b"a").values.tolist() == [1, 1, 1, 1]
    assert cache.get(b"a").values.base is None


keys = st.integers(0, 20).map(lambda number: number.to_bytes(16, "little"))


@given(st.integers(0, 8000), st.lists(st.tuples(keys, st.integers(0, 500), st.booleans()), max_size=100))
def test_the_cache_keeps_its_limit_and_the_last_row_of_a_key(max_bytes, steps):
    cache, last, recent = RowCache(max_bytes), {}, []
    for number, (key, length, looks_up) in enumerate(steps):
        if looks_up:
            found = cache.get(key)
            assert found is None or found.values.tolist() == last[key].values.tolist()
        elif size(length) <= max_bytes:
            last[key] = row(number, length)
            cache.put(key, last[key])
            found = last[key]
        else:
            continue
        if found is not None:
            recent = [other for other in recent if other != key] + [key]
        assert cache.used_bytes <= max_bytes
    # What is there is exactly the longest tail of recently used keys that fits.
    kept, used = [], 0
    while len(kept) < len(cache):
        kept.append(recent[-1 - len(kept)])
        used += size(len(last[kept[-1]].values))
    assert used == cache.used_bytes
    assert all(cache.get(key) is not None for key in kept)


def test_the_memory_it_really_takes_is_what_it_counts():
    batch = np.ones((8, 4), dtype=np.float32)
    tracemalloc.start()
    cache = RowCache(4_000_000)
    for number in range(50_000):
        cache.put(number.to_bytes(16, "little"), Row(batch[number % 8], truncated=False, tokens=3))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cache.used_bytes <= 4_000_000
    assert 0.8 * cache.used_bytes < taken < 1.1 * cache.used_bytes
