"""Models change while calls go on: one step, nobody fails, a bad folder changes nothing."""

import asyncio
import gc
import shutil
import weakref

import grpc
import pytest
from grpc_health.v1 import health_pb2

from hybridrank.model_files import model_folder
from hybridrank.sidecar.errors import InvalidArgument, ModelNotFound, ModelRefused
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.models.loading import load
from hybridrank.sidecar.models.scan import scan
from hybridrank.sidecar.models.watch import ModelWatch
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from tests.golden.sidecar import FOLDER
from tests.sidecar.doubles import GatedReranker, loaded
from tests.sidecar.serving import rerank_request, serving

KINDS = ("tiny-encoder", "tiny-cross-encoder")


def write(root, version, kind="tiny-cross-encoder", **fields):
    """The folder root/KIND/VERSION with a real model of that version."""
    incoming = shutil.copytree(FOLDER / kind, root / f".incoming-{version}")
    model_folder.write(incoming, model_folder.read(incoming).toml.model_copy(update={"version": version, **fields}))
    (root / kind).mkdir(exist_ok=True)
    return incoming.rename(root / kind / version)


@pytest.fixture
def root(tmp_path):
    for kind in KINDS:
        write(tmp_path, "1", kind)
    return tmp_path


@pytest.fixture
def control(root):
    return ModelControl(load([root]), [root])


def versions(control):
    return {model.info.name: model.info.version for model in control.models}


async def test_a_loaded_version_takes_over_and_frees_the_one_before(root, control):
    old = weakref.ref(control.models.get("tiny-cross-encoder").reranker)
    gc.disable()  # reference counts alone must free it: a cycle would keep a session in memory for a while
    try:
        info = await control.load(write(root, "2"))
        assert old() is None
    finally:
        gc.enable()
    assert info.version == "2"
    assert versions(control) == {"tiny-encoder": "1", "tiny-cross-encoder": "2"}
    assert control.outcomes == {"loaded": 1, "unloaded": 1}


async def test_an_encoder_gives_its_memory_back_too(root, control):
    model = control.models.get("tiny-encoder")
    model.reranker.score(model.reranker.tokenize("a query", ["a passage"]))  # which it keeps at hand
    old = weakref.ref(model.encoder)
    del model
    gc.disable()
    try:
        await control.load(write(root, "2", "tiny-encoder"))
        assert old() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda folder: (folder / "model.onnx").write_bytes(b"half"), "files have digest"),
        (lambda folder: (folder / "model.toml").write_text("name = "), "cannot be read"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    ],
)
async def test_a_bad_folder_is_refused_and_what_served_still_does(root, control, damage, problem):
    damage(write(root, "2"))
    with pytest.raises(ModelRefused, match=problem):
        await control.load("tiny-cross-encoder/2")
    assert versions(control) == {"tiny-encoder": "1", "tiny-cross-encoder": "1"}
    assert control.outcomes == {"refused": 1}


async def test_an_alias_of_another_model_is_refused(root, control):
    write(root, "2", aliases=("tiny-encoder",))
    with pytest.raises(ModelRefused, match="two models answer to 'tiny-encoder'"):
        await control.load("tiny-cross-encoder/2")
    assert versions(control)["tiny-cross-encoder"] == "1"


@pytest.mark.parametrize("path", ["..", "/etc", "tiny-encoder/../..", "nowhere", "leads-out"])
async def test_only_folders_at_or_below_the_roots_are_read(root, control, path):
    (root / "leads-out").symlink_to(FOLDER / "tiny-encoder")
    with pytest.raises(InvalidArgument, match=r"path: .* is no folder at or below"):
        await control.load(path)


async def test_unloading_names_what_went(control):
    assert [info.name for info in await control.unload("tiny-encoder:1")] == ["tiny-encoder"]
    with pytest.raises(ModelNotFound, match="loaded are tiny-cross-encoder"):
        await control.unload("tiny-encoder")


async def test_loads_at_once_come_one_after_another(root, control):
    for version in "2345":
        write(root, version)
    await asyncio.gather(*(control.load(f"tiny-cross-encoder/{version}") for version in "2345"))
    assert versions(control)["tiny-cross-encoder"] == "5"
    assert control.outcomes == {"loaded": 4, "unloaded": 4}


class TestWatch:
    @pytest.fixture
    def watch(self, root, control):
        return ModelWatch(control, [root], known=scan([root]), every_s=1)

    async def test_a_look_without_change_loads_nothing(self, control, watch):
        await watch.look()
        assert not control.outcomes

    async def test_the_first_scan_finds_models_written_during_loading(self, root):
        known = scan([root])
        control = ModelControl(load([root]), [root])
        write(root, "2")
        await ModelWatch(control, [root], known=known, every_s=1).look()
        assert versions(control)["tiny-cross-encoder"] == "2"

    async def test_removing_a_new_version_brings_back_the_one_before(self, root, control, watch):
        new = write(root, "10")
        await watch.look()
        assert versions(control)["tiny-cross-encoder"] == "10"
        shutil.rmtree(new)
        await watch.look()
        assert versions(control)["tiny-cross-encoder"] == "1"

    async def test_an_older_version_that_appears_does_not_take_over(self, root, control, watch):
        write(root, "0")
        await watch.look()
        assert versions(control)["tiny-cross-encoder"] == "1"

    async def test_removing_the_last_folder_of_a_model_unloads_it(self, root, control, watch):
        shutil.rmtree(root / "tiny-encoder")
        write(root, "1", "tiny-encoder", name="another")
        await watch.look()
        assert set(versions(control)) == {"tiny-cross-encoder", "another"}

    async def test_a_bad_folder_is_tried_once_until_it_is_written_again(self, root, control, watch):
        new = write(root, "2")
        whole = (new / "model.onnx").read_bytes()
        (new / "model.onnx").write_bytes(whole[: len(whole) // 2])  # somebody is still copying
        await watch.look()
        await watch.look()
        assert versions(control)["tiny-cross-encoder"] == "1"
        assert control.outcomes == {"refused": 1}
        (new / "model.onnx").write_bytes(whole)
        await watch.look()
        assert versions(control)["tiny-cross-encoder"] == "2"

    async def test_roots_that_cannot_be_read_take_nothing_away(self, root, control, watch):
        moved = root.rename(root.with_name("moved"))
        await watch.look()
        assert set(versions(control)) == set(KINDS)
        moved.rename(root)
        await watch.look()
        assert not control.outcomes

    async def test_a_model_loaded_by_call_stays_until_a_folder_changes(self, root, control, watch):
        write(root, "2")
        await watch.look()
        await control.load("tiny-cross-encoder/1")
        await watch.look()
        assert versions(control)["tiny-cross-encoder"] == "1"

    async def test_the_watch_keeps_the_wanted_number_of_versions(self, root):
        control = ModelControl(load([root], keep_versions=2), [root])
        watch = ModelWatch(control, [root], known=scan([root]), every_s=1, keep_versions=2)
        write(root, "2")
        write(root, "3")
        await watch.look()
        found = [model.info.version for model in control.models if model.info.name == "tiny-cross-encoder"]
        assert found == ["3", "2"]
        shutil.rmtree(root / "tiny-cross-encoder" / "3")
        await watch.look()
        found = [model.info.version for model in control.models if model.info.name == "tiny-cross-encoder"]
        assert found == ["2", "1"]


class TestOverTheWire:
    async def test_a_call_under_way_ends_with_the_model_it_began_with(self, root):
        gated = GatedReranker()
        control = ModelControl(Models([loaded(gated)]), [root])
        async with serving(control.models, control=control) as client:
            running = asyncio.ensure_future(client.reranker.Rerank(rerank_request("gated", "a", "a b c")))
            await asyncio.to_thread(gated.started.wait, 30)
            new = await client.models.Load(pb.LoadModelRequest(path=str(write(root, "2", name="gated"))))
            gone = await client.models.Unload(pb.UnloadModelRequest(model="gated"))
            assert [model.digest for model in gone.models] == [new.digest]
            gated.gate.set()
            reply = await running
            assert reply.model.digest == gated.info.digest != new.digest

    async def test_health_follows_the_models(self, root):
        control = ModelControl(load([root]), [root])
        async with serving(control.models, control=control) as client:
            request = health_pb2.HealthCheckRequest(service="tiny-encoder")
            assert (await client.health.Check(request)).status == health_pb2.HealthCheckResponse.SERVING
            await client.models.Unload(pb.UnloadModelRequest(model="tiny-encoder"))
            assert (await client.health.Check(request)).status == health_pb2.HealthCheckResponse.NOT_SERVING
            await client.models.Load(pb.LoadModelRequest(path="tiny-encoder/1"))
            assert (await client.health.Check(request)).status == health_pb2.HealthCheckResponse.SERVING

    async def test_errors_have_their_codes(self, root):
        control = ModelControl(load([root]), [root])
        (write(root, "2") / "model.onnx").write_bytes(b"")
        cases = {
            "FAILED_PRECONDITION": lambda stub: stub.Load(pb.LoadModelRequest(path="tiny-cross-encoder/2")),
            "INVALID_ARGUMENT": lambda stub: stub.Load(pb.LoadModelRequest(path="/etc")),
            "NOT_FOUND": lambda stub: stub.Unload(pb.UnloadModelRequest(model="bert")),
        }
        async with serving(control.models, control=control) as client:
            for code, call in cases.items():
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call(client.models)
                assert refused.value.code().name == code

    async def test_nothing_changes_unless_the_settings_allow_it(self, root):
        async with serving(load([root])) as client:
            for call, request in (
                (client.models.Load, pb.LoadModelRequest(path="tiny-cross-encoder/1")),
                (client.models.Unload, pb.UnloadModelRequest(model="tiny-encoder")),
            ):
                with pytest.raises(grpc.aio.AioRpcError, match="start the sidecar with model_control on") as refused:
                    await call(request)
                assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
