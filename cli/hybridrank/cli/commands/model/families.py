"""`hybridrank model families`: the checkpoints that can be exported, and those that are refused."""

import json
from dataclasses import asdict

from rich.console import Console

from hybridrank.cli.options.shared import JsonOption

__all__ = ["families"]

out = Console(highlight=False)


def families(as_json: JsonOption = False) -> None:
    """List the families of checkpoints that `model export` serves or refuses, as its tests measured them.

    fp32: the bound of the difference from the checkpoint's own library. int8: that of the correlation with fp32.

    Example: hybridrank model families
    """
    from rich import box
    from rich.table import Table

    from hybridrank.training.onnx.families.matrix import matrix

    rows = matrix()
    if as_json:
        print(json.dumps({"families": [asdict(row) for row in rows]}, indent=1))
        return
    table = Table("family", "becomes", "fp32", "int8", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for row in rows:
        bounds = (f"{row.within:g}", f"{row.spearman:g}") if row.becomes else ("", "")
        table.add_row(row.family, row.becomes or f"refused: {row.because}", *bounds)
    out.print(table)
