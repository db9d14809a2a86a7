"""A process that has searched forks, and both sides go on searching. Each test is a program of its own."""

import subprocess
import sys
import textwrap

import pytest

HEAD = """
import asyncio, multiprocessing, os, signal, sys, threading, time
from hybridrank.connector import *
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition

ENGINE, SIDECAR = "embedded:" + sys.argv[1], sys.argv[2]
LONG = dict(rescore=Rescore(model="cross-encoder", timeout_s=20), encode_timeout_s=20)

def asked(text, **changes):
    return SearchRequest(index="menu", query_text=text, **LONG | changes)

def answered(response):
    assert [hit.doc_id for hit in response.hits] == ["tea"], response
    assert response.degraded == (), response.degraded
    return True

def in_child(work):
    # Exit code of a forked child that has run `work`; 99 where it hangs.
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, lambda *_: os._exit(99))
            signal.alarm(30)
            code = 0 if work() else 2
        except BaseException as error:
            print("child:", type(error).__name__, error, flush=True)
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
FILL = """
async def fill():
    engine = EmbeddedEngine(sys.argv[1])
    async with SidecarClient(SIDECAR) as client:
        (encoding,) = await client.encode(["tea"], model="encoder", kind="document", timeout_s=60)
    await engine.create_index("menu", IndexDefinition(len(encoding.vector)))
    await engine.index_documents("menu", [Document("tea", {"title": "Tea", "text": "hot"}, encoding.vector)])
    await engine.refresh("menu")

asyncio.run(fill())
"""
NAMES_OF_THREADS = """
import os
from pathlib import Path

at_forks = []

def note():
    names = set()
    for each in Path("/proc/self/task").glob("*/comm"):
        try:
            names.add(each.read_text().strip())
        except OSError:  # the thread has ended
            pass
    at_forks.append(names)

os.register_at_fork(before=note)
"""


@pytest.fixture
def run(tmp_path, sidecar_address):
    def run(program: str, *, first: str = "", fill: str = FILL) -> str:
        code = first + HEAD + fill + textwrap.dedent(program)
        command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "indices"), sidecar_address]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
        return done.stdout

    return run


def test_a_child_searches_with_what_the_parent_has_used(run):
    run(
        """
        search = SyncHybridSearch(ENGINE, SIDECAR)
        answered(search.search(asked("tea")))
        for number in range(3):
            assert in_child(lambda: answered(search.search(asked(f"tea {number}")))) == 0
            answered(search.search(asked(f"hot tea {number}")))
        search.close()
        """
    )


def test_a_child_searches_with_what_was_made_and_never_used(run):
    run(
        """
        search = SyncHybridSearch(ENGINE, SIDECAR)
        assert in_child(lambda: answered(search.search(asked("tea")))) == 0
        search.close()
        """
    )


def test_a_child_makes_a_search_of_its_own(run):
    run(
        """
        search = SyncHybridSearch(ENGINE, SIDECAR)
        answered(search.search(asked("tea")))

        def fresh():
            with SyncHybridSearch(ENGINE, SIDECAR) as own:
                return answered(own.search(asked("hot tea")))

        assert in_child(fresh) == 0
        answered(search.search(asked("more tea")))
        search.close()
        """
    )


def test_a_child_uses_asynchronous_objects_of_the_parent(run):
    run(
        """
        async def make():
            return HybridSearch(await connect_engine(ENGINE), SidecarClient(SIDECAR))

        search = asyncio.run(make())
        answered(asyncio.run(search.search(asked("tea"))))
        assert in_child(lambda: answered(asyncio.run(search.search(asked("hot tea"))))) == 0
        answered(asyncio.run(search.search(asked("more tea"))))

        async def forking():  # between two calls, inside a running loop
            answered(await search.search(asked("green tea")))
            assert in_child(lambda: answered(asyncio.run(search.search(asked("black tea"))))) == 0
            answered(await search.search(asked("white tea")))

        asyncio.run(forking())
        """
    )


def test_a_pool_of_forked_processes_searches(run):
    run(
        """
        search = SyncHybridSearch(ENGINE, SIDECAR)
        answered(search.search(asked("tea")))

        def one(number):
            return answered(search.search(asked(f"tea {number}")))

        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert all(pool.map_async(one, range(6)).get(60))
        search.close()
        """
    )


def test_calls_of_the_parent_that_are_under_way_are_answered(run):
    run(
        """
        search = SyncHybridSearch(ENGINE, SIDECAR)
        answered(search.search(asked("tea")))
        kept, stop = [], threading.Event()

        def searching(thread):
            number = 0
            while not stop.is_set():
                number += 1
                kept.append(answered(search.search(asked(f"tea {thread} {number} " + "leaf " * 100))))

        threads = [threading.Thread(target=searching, args=(each,)) for each in range(4)]
        for each in threads:
            each.start()
        for number in range(5):
            time.sleep(0.2)
            assert in_child(lambda: answered(search.search(asked(f"hot tea {number}")))) == 0
        stop.set()
        for each in threads:
            each.join(60)
        assert len(kept) >= 4 and all(kept)
        search.close()
        """
    )


def test_a_call_goes_on_after_three_forks(run):
    run(
        """
        from hybridrank.common.loop_thread import LoopThread

        TEXTS = [f"tea {number} " + "leaf " * 100 for number in range(300)]
        thread, client, kept = LoopThread(), SidecarClient(SIDECAR, no_cache=True), []
        call = client.encode(TEXTS, model="encoder", kind="document", timeout_s=100)
        calling = threading.Thread(target=lambda: kept.extend(thread.run(call)))
        calling.start()
        for _ in range(3):
            time.sleep(0.3)
            assert calling.is_alive()
            assert in_child(lambda: True) == 0
        calling.join(100)
        assert len(kept) == len(TEXTS)
        thread.run(client.close())
        thread.stop()
        """,
        fill="",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the names of threads are read from /proc")
def test_no_thread_of_grpc_runs_at_a_fork(run):
    """gRPC ends in threads of its own, whose locks a child would inherit. Fork hooks run in reverse order."""
    run(
        """
        search = SyncHybridSearch(ENGINE, SIDECAR)
        kept, stop = [], threading.Event()

        def searching(thread):
            while not stop.is_set():
                kept.append(answered(search.search(asked(f"tea {thread} {len(kept)} " + "leaf " * 100))))

        threads = [threading.Thread(target=searching, args=(each,)) for each in range(4)]
        for each in threads:
            each.start()
        for _ in range(20):
            time.sleep(0.1)
            assert in_child(lambda: True) == 0
        stop.set()
        for each in threads:
            each.join(60)
        assert kept
        assert len(at_forks) == 20
        assert not {"grpc_shutdown", "grpc_global_tim", "event_engine", "lifeguard"}.intersection(*at_forks), at_forks
        search.close()
        """,
        first=NAMES_OF_THREADS,
    )


def test_a_child_that_cannot_use_grpc_is_refused_at_once(run):
    """The fork happens inside the loop whose calls are under way, which cannot be waited for.

    gRPC's threads start again in such a child and sometimes end it (SIGABRT); it never hangs.
    """
    told = run(
        """
        TEXTS = [f"tea {number} " + "leaf " * 100 for number in range(300)]

        async def main():
            client = SidecarClient(SIDECAR, no_cache=True)
            await client.models()
            call = asyncio.ensure_future(
                client.encode(TEXTS, model="encoder", kind="document", timeout_s=60)
            )
            await asyncio.sleep(0.1)
            assert not call.done()
            started_at = time.monotonic()

            def child():
                try:
                    asyncio.run(SidecarClient(SIDECAR).models())
                except SidecarUnreachable as error:
                    print(error, flush=True)
                return time.monotonic() - started_at < 10

            code = in_child(child)
            assert code in (0, -signal.SIGABRT), code
            if code:
                print("ended by gRPC")
            assert len(await call) == len(TEXTS)  # the parent's call is not disturbed
            await client.close()

        asyncio.run(main())
        """,
        fill="",
    )
    assert "spawn or forkserver" in told or "ended by gRPC" in told


@pytest.mark.parametrize("product", ["OpenSearch", "Elasticsearch"])
def test_parent_and_forked_child_use_one_engine_over_http(run, product):
    run(
        f"""
        from hybridrank.connector.engines.{product.lower()} import {product}Engine
        from tests.connector.fake_engine import {product.lower()}, fake_engine

        async def version(engine):
            return (await engine.request("GET", "/_nodes/_local"))["nodes"]["n"]["version"]

        with fake_engine({product.lower()}) as server:
            engine = {product}Engine(server.url)
            assert asyncio.run(version(engine))
            assert in_child(lambda: asyncio.run(version(engine))) == 0
            assert asyncio.run(version(engine))
        """,
        fill="",
    )
