"""The commands: the path of a file here is the command that it runs.

`index/swap.py` holds the function `swap`, which `hybridrank index swap` runs: its parameters are the options, its
docstring is the help. A folder is a group. Files are read for `--help`, and imported when their command runs; NEEDS in
a file names the extras that its command needs besides `cli`. `train_clicks.py` is `train-clicks`; a name that Python
has taken ends in an underscore (`import_.py`), and one that begins with it is no command.
"""

__all__ = ["FIRST"]

FIRST = (
    "demo",
    "search",
    "evaluate",
    "reproduce",
    "tune",
    "doctor",
    "serve",
    "index",
    "engine",
    "setup",
    "model",
    "ltr",
    "train",
    "colbert",
    "judgments",
)
"""The order of `hybridrank --help`; commands that are not here follow, in alphabetical order."""
