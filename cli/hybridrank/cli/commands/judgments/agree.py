"""`hybridrank judgments agree`: agreement of judges beyond chance."""

import json

import typer
from rich.console import Console

from hybridrank.cli.options.judgments import FilesArgument, ScaleOption
from hybridrank.cli.options.shared import JsonOption
from hybridrank.common.counts import counted

__all__ = ["agree"]

NEEDS = ("eval",)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def agree(files: FilesArgument, scale: ScaleOption = "0-3", as_json: JsonOption = False) -> None:
    """Measure agreement of judges beyond chance: Cohen's kappa of each pair, Krippendorff's alpha of all.

    Lines without a grade are left out. The judge of a line is its `judge`, or else the name of the file.

    Examples:
    hybridrank judgments agree ann.jsonl bob.jsonl
    hybridrank judgments agree ann.jsonl bob.jsonl model.jsonl --scale 0-2 --json
    """
    from hybridrank.cli.actions.judgments import scale_of, show_lines
    from hybridrank.cli.console import tables
    from hybridrank.evaluation.collections.beir import CollectionError
    from hybridrank.evaluation.judging.agreement_report import (
        CAVEAT,
        agreement_json,
        all_agree,
        confusion_table,
        pair_table,
        pairs_agree,
        shown,
    )
    from hybridrank.evaluation.judging.judgments import by_judge, read_judgments

    grades = scale_of(scale)
    sheet = read_judgments(files, grades)
    show_lines("wrong", sheet.wrong)
    if sheet.wrong:
        err.print(f"error: {counted(len(sheet.wrong), 'wrong line')}", markup=False)
        raise typer.Exit(1)
    judged = by_judge(sheet.judgments)
    pairs = pairs_agree(judged, grades)
    if not pairs:
        names = ", ".join(judged) or "none"
        raise CollectionError(f"no document was judged by two judges; there are {len(judged)}: {names}")
    of_all = all_agree(judged, grades)
    if as_json:
        print(json.dumps(agreement_json(pairs, of_all, grades)))
        return
    console = tables.wide_enough(out)
    console.print(tables.listing(pair_table(pairs)))
    if len(pairs) == 1:
        console.print(tables.listing(confusion_table(pairs[0], grades)))
    console.print(
        f"Krippendorff's alpha of {len(judged)} judges: {shown(of_all['ordinal'])} with the order of grades,"
        f" {shown(of_all['nominal'])} without.",
        markup=False,
    )
    console.print(CAVEAT, style="dim", markup=False)
