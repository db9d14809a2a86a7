"""An exported forest as the LTR plugins' own library scores it: RankyMcRankFace, which both use for `model/ranklib`."""

import os
import subprocess

import numpy as np
import pytest

from hybridrank import local_engines
from hybridrank.common.cache_folder import cache_folder
from hybridrank.local_engines.artifacts import Artifact, fetch
from hybridrank.local_engines.jdk import find_jdk
from hybridrank.training.ltr.exports import export
from hybridrank.training.ltr.train import TrainingOptions, train
from tests.training.ltr.data import NAMES, made_up

LIBRARY = Artifact(
    "com.o19s:RankyMcRankFace:0.1.1:jar",
    "lib",
    "50a55ef02ead9a9f1c0dd69dd324ca935fcb854c28cfdb857dcdd9e3575ae9b5",
    182529,
)
SCORE = """
import ciir.umass.edu.learning.*;
import java.nio.file.*;

public class Score {
  public static void main(String[] files) throws Exception {
    Ranker ranker = new RankerFactory().loadRankerFromString(Files.readString(Path.of(files[0])));
    for (String row : Files.readAllLines(Path.of(files[1])))
      System.out.println("score " + ranker.eval(new DenseDataPoint(row)));
  }
}
"""


@pytest.fixture(scope="module")
def java():
    """The command that runs a Java file with the library."""
    try:
        cache = cache_folder() / "artifacts"
        cache.mkdir(parents=True, exist_ok=True)
        fetch([LIBRARY], cache)
        return [str(find_jdk().java), "-cp", str(LIBRARY.path_in(cache))]
    except (local_engines.JdkMissing, local_engines.DownloadFailed) as error:
        if os.environ.get("REQUIRE_ENGINES") == "1":
            raise
        pytest.skip(f"no RankyMcRankFace here: {error}")


def test_the_plugins_library_scores_as_lightgbm_does(java, tmp_path):
    """Rows as they were trained on, and on both sides of each threshold."""
    data = made_up()
    forest = train(data, NAMES, TrainingOptions(max_trees=40, min_data_in_leaf=5, threads=1, missing_as_zero=True))
    trees = forest.dump_model()["tree_info"]
    thresholds = np.float32([tree["tree_structure"]["threshold"] for tree in trees])
    edges = np.random.default_rng(1).choice(thresholds, size=(100, len(NAMES)))
    rows = np.concatenate([np.float32(np.nan_to_num(data.rows)), edges, np.nextafter(edges, np.float32(np.inf))])

    (tmp_path / "Score.java").write_text(SCORE)
    (tmp_path / "forest.txt").write_text(export(forest, "ranklib"))
    lines = (" ".join(f"{number}:{value!r}" for number, value in enumerate(map(float, row), 1)) for row in rows)
    (tmp_path / "rows.txt").write_text("".join(f"0 qid:1 {line}\n" for line in lines))
    files = [str(tmp_path / name) for name in ("Score.java", "forest.txt", "rows.txt")]
    done = subprocess.run([*java, *files], capture_output=True, text=True, check=True)
    scores = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("score ")]
    assert len(set(scores)) > 100
    np.testing.assert_allclose(scores, forest.predict(rows.astype(np.float64)), rtol=1e-5, atol=1e-6)
