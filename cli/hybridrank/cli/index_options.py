"""The options of `hybridrank index` that say what becomes of text, and the definition that they come to."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from hybridrank.common.user_file import UserFile
from hybridrank.index_templates import DEFAULT_BOOSTS, IndexDefinition
from hybridrank.index_templates.analysis import Subfield, synonym_rules
from hybridrank.index_templates.languages import LANGUAGES, language_named

__all__ = [
    "BoostOption",
    "LanguageOption",
    "ObjectsOption",
    "SubfieldOption",
    "SynonymsOption",
    "text_definition",
]

LanguageOption = Annotated[
    str, typer.Option(help=f"What texts are written in: {', '.join(LANGUAGES)}, or a code such as de.")
]
SubfieldOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="exact|prefix",
        help="Search words as they stand (title.exact), or by their beginnings (title.prefix); may be repeated.",
    ),
]
BoostOption = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=FACTOR", help="What a field counts in searches that name none; may be repeated."),
]
SynonymsOption = Annotated[
    Path | None, typer.Option(help="File of rules: `a, b` or `a, b => c` a line. For an index that is yet to be made.")
]
ObjectsOption = Annotated[
    Literal["flat", "fields"],
    typer.Option(help="Keep objects as words, with any number of keys, or make each key a field."),
]


def text_definition(
    language: str,
    subfields: list[str] | None,
    boosts: list[str] | None,
    synonyms: Path | None,
    objects: Literal["flat", "fields"],
) -> IndexDefinition:
    """The definition, its dimensions left open. Raises BadParameter naming the option, OSError for the file."""
    try:
        found = language_named(language)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--language") from error
    made = tuple(dict.fromkeys(map(_subfield, subfields or ())))
    factors = dict(map(_boost, boosts)) if boosts else None
    paths = IndexDefinition(subfields=made).subfield_paths
    if unknown := [field for field in factors or () if field not in (*DEFAULT_BOOSTS, *paths)]:
        known = ", ".join((*DEFAULT_BOOSTS, *paths))
        raise typer.BadParameter(f"there will be no text field {unknown[0]!r}, but {known}", param_hint="--boost")
    rules = synonym_rules(UserFile(synonyms).text()) if synonyms else {}
    return IndexDefinition(
        language=found, subfields=made, boosts=factors, synonyms=tuple(rules.values()), objects=objects
    )


def _subfield(text: str) -> Subfield:
    known: tuple[Subfield, ...] = get_args(Subfield)
    for each in known:
        if text == each:
            return each
    raise typer.BadParameter(f"{text!r} is none of {', '.join(known)}", param_hint="--subfield")


def _boost(text: str) -> tuple[str, float]:
    field, _, factor = text.partition("=")
    try:
        if field and (number := float(factor)) > 0:
            return field, number
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not FIELD=FACTOR, such as title=2", param_hint="--boost")
