"""Every folder and address in docs/remote-models.md can be loaded, and every API has an example or a row."""

import re
from pathlib import Path

from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.remote.apis import APIS

PAGE = (Path(__file__).parents[2] / "docs" / "remote-models.md").read_text()


def test_every_example_loads(tmp_path):
    remotes, *folders = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "remotes.toml").write_text(remotes)
    apis = set()
    for number, toml in enumerate(folders):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "model.toml").write_text(toml)
        model = load_model(folder, remotes=tmp_path / "remotes.toml")
        assert model.info.precision == "remote"
        apis |= set(re.findall(r'^api = "(\w+)"$', toml, flags=re.MULTILINE))
    assert apis == set(APIS)


def test_the_table_of_paths_is_that_of_the_apis():
    rows = re.findall(r"^\| `(\w+)` \|(?: `(/[\w/]+)`)? \| `(/[\w/]+)` \|$", PAGE, flags=re.MULTILINE)
    assert {name: (rerank, embed) for name, rerank, embed in rows} == {
        name: (api.rerank.path if api.rerank else "", api.embed.path if api.embed else "") for name, api in APIS.items()
    }
