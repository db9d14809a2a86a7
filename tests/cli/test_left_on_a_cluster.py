"""Measuring commands name what they leave on a cluster, with the line that deletes it."""

import asyncio
import io
import shlex
from urllib.request import Request, urlopen

from rich.console import Console

from hybridrank.cli.bench import open_bench
from hybridrank.cli.console.progress import ConsoleProgress
from tests.cli.standing_cluster import standing_cluster


async def left(cluster, sidecar_address, **options):
    """The message about the index `menu-1` that a command has made there."""
    console = Console(file=io.StringIO(), soft_wrap=True)
    url = cluster.url.replace("://", "://someone:secret@")
    async with open_bench(url, sidecar_address, [], ConsoleProgress(console), **options) as bench:
        bench.created.append("menu-1")
    return console.file.getvalue()


async def test_the_line_that_deletes_what_stays_is_told_and_does_it(sidecar_address):
    with standing_cluster(lambda *_: (200, {})) as cluster:
        said = await left(cluster, sidecar_address)
        assert "note: index menu-1 and its index template" in said
        assert "secret" not in said
        assert cluster.writes == []
        curl, method, verb, *addresses = shlex.split(said.splitlines()[-1])
        assert (curl, method, verb) == ("curl", "-X", "DELETE")
        for each in addresses:
            await asyncio.to_thread(lambda url: urlopen(Request(url, method="DELETE")).close(), each)
        deleted = {path for method, path, _ in cluster.writes}
        assert deleted == {"/menu-1", "/_index_template/hybridrank-menu-1"}


async def test_delete_index_deletes_the_index_and_its_template(sidecar_address):
    with standing_cluster(lambda *_: (200, {})) as cluster:
        assert "deleted index menu-1" in await left(cluster, sidecar_address, delete_index=True)
        assert {(method, path) for method, path, _ in cluster.writes} == {
            ("DELETE", "/menu-1"),
            ("DELETE", "/_index_template/hybridrank-menu-1"),
        }
