"""Options of `hybridrank index` for text fields, and the index definition that they make."""

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
    str, typer.Option(help=f"Language of the texts: {', '.join(LANGUAGES)}, or a code such as de.")
]
SubfieldOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="exact|prefix",
        help="Match words without stemming (title.exact), or by prefix (title.prefix); may be repeated.",
    ),
]
BoostOption = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=FACTOR", help="Boost of a field in searches that name none; may be repeated."),
]
SynonymsOption = Annotated[
    Path | None, typer.Option(help="File of rules: `a, b` or `a, b => c` a line. Only for a new index.")
]
ObjectsOption = Annotated[
    Literal["flat", "fields"],
    typer.Option(help="Index an object as keywords, with any number of keys, or each key as a field."),
]


def text_definition(
    language: str,
    subfields: list[str] | None,
    boosts: list[str] | None,
    synonyms: Path | None,
    objects: Literal["flat", "fields"],
) -> IndexDefinition:
    """Returns the definition without dimensions. Raises BadParameter with the option, OSError for the file."""
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
