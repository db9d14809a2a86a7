"""Addresses and keys come from the operator's file alone; certificates are checked, and no key is shown."""

import asyncio
import re
import ssl

import pytest

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.endpoints import read_endpoints
from hybridrank.sidecar.errors import RemoteFailed
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.types import RerankPassage, RerankRequest, TextKind
from tests.sidecar.certificates import Authority
from tests.sidecar.remote.providers import KEY, endpoints, model_folder, provider
from tests.sidecar.serving import serving

NAME = "cohere-reranker"


def scored(model):
    reranker = model.reranker
    return reranker.score(reranker.tokenize("green tea", ["tea", "green tea"])).tolist()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"url": "http://api.example.com"}, "url: http is for this machine alone"),
        ({"url": "http://api.localhost"}, "url: http is for this machine alone"),
        ({"url": "http://127.0.0.1.example.com"}, "url: http is for this machine alone"),
        ({"url": "https://user:pass@api.example.com"}, "url: write https://HOST"),
        ({"url": "https://api.example.com?key=1"}, "url: write https://HOST"),
        ({"url": "file:///etc/passwd"}, "url: write https://HOST"),
        ({"url": "https://api.example.com:port"}, "url: "),
        ({"timeout": 3}, "timeout: Extra inputs are not permitted"),
        ({"concurrency": 0}, "concurrency: "),
        ({"key": f"{KEY} {KEY}"}, "key: a key is ASCII without spaces"),
        ({"ca": "nowhere.pem"}, "ca: "),
    ],
)
def test_a_wrong_endpoint_is_named(fields, problem, tmp_path):
    values = {"url": "https://api.example.com", "key": KEY, **fields}
    path = endpoints(tmp_path, values.pop("url"), NAME, key=values.pop("key"), **values)
    with pytest.raises(ValueError, match=re.escape(f"{NAME}") + r".*" + re.escape(problem)) as caught:
        read_endpoints(path)
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value.__cause__)


def test_a_file_that_is_not_toml_shows_none_of_it(tmp_path):
    path = tmp_path / "remotes.toml"
    path.write_text(f"[x]\nkey = {KEY}\n")
    with pytest.raises(ValueError, match="is not TOML") as caught:
        read_endpoints(path)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_key_is_in_no_repr(tmp_path):
    folder = model_folder(tmp_path, "remote-reranker", "cohere")
    path = endpoints(tmp_path, "https://api.example.com", NAME)
    model = load_model(folder, remotes=path)
    for each in (read_endpoints(path), model, model.remote.client, model.reranker, vars(model.remote)):
        assert KEY not in repr(each)


def test_only_the_operators_table_gets_the_key(tmp_path):
    with provider() as theirs, provider() as other:
        folder = model_folder(tmp_path, "remote-reranker", "cohere", remote="shared")
        path = endpoints(tmp_path, theirs.url, "shared")
        assert scored(load_model(folder, remotes=path)) == [0.5, 1.0]
        assert [each["Authorization"] for each in theirs.headers] == [f"Bearer {KEY}"]
        for name, value in (("url", other.url), ("key", "x")):
            more = folder / "model.toml"
            more.write_text(f'{more.read_text()}\n{name} = "{value}"')
            with pytest.raises(BadModelFolder, match=f"{name}: Extra inputs"):
                load_model(folder, remotes=path)
        assert other.paths == []


def test_certificates_are_checked(tmp_path):
    authority, stranger = Authority("ours"), Authority("stranger")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server").write(tmp_path / "server"))
    (tmp_path / "ours.pem").write_bytes(authority.certificate)
    (tmp_path / "stranger.pem").write_bytes(stranger.certificate)
    folder = model_folder(tmp_path, "remote-reranker", "cohere")
    with provider(context) as served:
        for ca in ({}, {"ca": "stranger.pem"}):
            with pytest.raises(RemoteFailed, match="certificate that is not trusted"):
                scored(load_model(folder, remotes=endpoints(tmp_path, served.url, NAME, **ca)))
        assert served.paths == []
        trusted = endpoints(tmp_path, served.url, NAME, ca="ours.pem")
        assert scored(load_model(folder, remotes=trusted)) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("kind", "api", "fields", "problem"),
    [
        ("remote-reranker", "jina", {}, "api is 'jina'; it must be one of cohere, openai"),
        ("remote-reranker", "openai", {}, "api 'openai' does not rerank"),
        ("remote-encoder", "openai", {"query_input_type": "query"}, "has no input types; write prefixes"),
        ("remote-encoder", "cohere", {"dimensions": 0}, "dimensions: "),
        ("remote-encoder", "cohere", {"query_prefix": "ask " * 200}, "a prefix takes more than half of max_tokens"),
        ("remote-reranker", "cohere", {"digest": "abc"}, "correct or drop its digest"),
        ("remote-reranker", "cohere", {"remote": "elsewhere"}, "no address for the remote 'elsewhere'; add a table"),
    ],
)
def test_a_wrong_folder_is_refused(kind, api, fields, problem, tmp_path):
    folder = model_folder(tmp_path, kind, api, **fields)
    path = endpoints(tmp_path, "https://api.example.com", folder.name)
    with pytest.raises(BadModelFolder, match=re.escape(problem)):
        load_model(folder, remotes=path)


@pytest.mark.parametrize(("api", "start"), [("openai", "/v1"), ("cohere", "/v2"), ("tei", "/embed")])
def test_a_url_that_repeats_the_path_is_refused(api, start, tmp_path):
    folder = model_folder(tmp_path, "remote-encoder", api)
    for url, problem in ((f"https://api.example.com{start}/", f"ends in {start}"), ("https://api.example.com/x", None)):
        path = endpoints(tmp_path, url, folder.name)
        if problem:
            with pytest.raises(BadModelFolder, match=problem):
                load_model(folder, remotes=path)
        else:
            assert load_model(folder, remotes=path).info.dimensions == 64


def test_a_remote_without_settings_says_what_to_set(tmp_path):
    folder = model_folder(tmp_path, "remote-reranker", "cohere")
    with pytest.raises(BadModelFolder, match=f"no address for the remote '{NAME}'; set remotes to a file"):
        load_model(folder)
    (folder / "selftest.json").write_text("[]")
    with pytest.raises(BadModelFolder, match="is for models that are computed here"):
        load_model(folder)


def test_the_digest_is_of_what_decides_the_output(tmp_path):
    def digest(place, **fields):
        folder = model_folder(tmp_path / place, "remote-encoder", "cohere", **fields)
        return load_model(folder, remotes=endpoints(tmp_path, "https://api.example.com", folder.name)).info.digest

    same = {digest("a"), digest("b", max_batch=5, answers_as="x"), digest("c", name="other", aliases=["encoder"])}
    assert len(same) == 1
    others = [{"model": "new"}, {"version": "2"}, {"dimensions": 32}, {"query_prefix": "q: "}, {"max_tokens": 99}]
    assert len({digest(f"x{number}", **fields) for number, fields in enumerate(others)} | same) == 6


def test_a_remote_reranker_may_recommend_a_weight(tmp_path):
    def info(place, **fields):
        folder = model_folder(tmp_path / place, "remote-reranker", "cohere", **fields)
        return load_model(folder, remotes=endpoints(tmp_path, "https://api.example.com", folder.name)).info

    silent, recommending = info("a"), info("b", blend_weight=0.4)
    assert (silent.blend_weight, recommending.blend_weight) == (None, 0.4)
    assert silent.digest == recommending.digest


def test_a_remote_that_is_down_loads_and_its_calls_fail(tmp_path):
    model = load_model(
        model_folder(tmp_path, "remote-reranker", "cohere"), remotes=endpoints(tmp_path, "http://127.0.0.1:1", NAME)
    )
    with pytest.raises(RemoteFailed, match="cannot be reached"):
        scored(model)


async def test_an_unloaded_model_finishes_its_calls_and_closes(tmp_path):
    with provider() as served:
        path = endpoints(tmp_path, served.url, NAME)
        model = load_model(model_folder(tmp_path, "remote-reranker", "cohere"), remotes=path)
        control = ModelControl(Models([model]), [tmp_path])

        async with serving(control.models, control=control) as client:
            running = asyncio.ensure_future(
                client.service.rerank(RerankRequest(NAME, "tea", (RerankPassage("0", "tea"),)))
            )
            await asyncio.sleep(0.01)
            await control.unload(NAME)
            assert len((await running).scores) == 1
            assert model.remote.client._session is None


async def test_a_remote_encoder_makes_no_token_vectors(tmp_path):
    folder = model_folder(tmp_path, "remote-encoder", "tei")
    encoder = load_model(folder, remotes=endpoints(tmp_path, "https://api.example.com", "tei-encoder")).encoder
    with pytest.raises(Exception, match="makes no token vectors"):
        encoder.embed_with_tokens(encoder.tokenize_texts(["tea"], TextKind.QUERY))
