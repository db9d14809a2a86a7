"""`hybridrank model import` writes a folder that a sidecar serves, or says in one sentence why not."""

import subprocess
import sys

from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.model_files import model_folder
from tests.training.onnx_sources import archive, files, folder


def test_a_folder_is_imported_with_the_settings_of_its_options(tmp_path):
    source = folder(tmp_path / "tiny", files())
    out = tmp_path / "models" / "mine"
    run = CliRunner().invoke(
        app,
        [
            *("model", "import", str(source), "--kind", "encoder", "--out", str(out), "--pooling", "mean"),
            *("--query-prefix", "query: ", "--max-tokens", "40", "--name", "mine", "--licence", "MIT"),
            *("--language", "en", "--language", "de"),
        ],
        catch_exceptions=False,
    )
    toml = model_folder.read(out).toml
    assert run.output == f"{out}: encoder mine, fp32, 40 tokens, digest {toml.digest}\n"
    assert (toml.name, toml.licence, toml.languages) == ("mine", "MIT", ("en", "de"))
    assert (toml.pooling, toml.query_prefix, toml.max_tokens) == ("mean", "query: ", 40)


def test_a_refusal_is_one_sentence(tmp_path):
    source = archive(tmp_path / "tiny.zip", {**files(), "onnx/model_fp16.onnx": b""})
    command = [sys.executable, "-m", "hybridrank.cli", "model", "import", source, "--kind", "encoder"]
    run = subprocess.run([*command, "--out", tmp_path / "out"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        f"error: {source}: there are several ONNX files in it, choose one with --file:"
        " onnx/model.onnx, onnx/model_fp16.onnx\n"
    )


def test_quantize_without_its_extra_says_what_to_install(tmp_path):
    source = folder(tmp_path / "tiny", files())
    code = "import sys; sys.modules['onnx'] = None; from hybridrank.cli.__main__ import main; main()"
    command = [sys.executable, "-c", code, "model", "import", source, "--kind", "encoder", "--quantize"]
    run = subprocess.run([*command, "--out", tmp_path / "out"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == (
        "error: --quantize needs packages that are not installed: pip install 'hybridrank[quantize]'\n"
    )
    assert not (tmp_path / "out").exists()
