"""Synonyms of an index in use: checked first, then written to its settings while it is closed."""

from collections.abc import Mapping, Sequence
from typing import Any

from hybridrank.connector.engines.base import RestApi
from hybridrank.connector.engines.rest.paths import index_path, url_path
from hybridrank.connector.errors import EngineError
from hybridrank.index_templates import noted, template_name
from hybridrank.index_templates.analysis import search_analysis, searched_with_synonyms, stored_synonyms, trial
from hybridrank.index_templates.languages import Language

__all__ = ["check_synonyms", "replace_synonyms"]


async def check_synonyms(engine: RestApi, index: str, rules: Mapping[int, str]) -> dict[str, Any]:
    """Returns the server's description of the indices of `index` if it accepts the rules (line number → rule).

    Raises EngineError with the first line that the server refuses, IndexMissing if there is no such index.
    """
    found = await engine.described(index)
    if "synonyms" not in (await engine.info()).capabilities:
        raise EngineError(f"{engine.name} at {engine.url} has no filter for synonyms", reason="unsupported")
    for concrete in found.values():
        language = _language(concrete)
        if not rules or await _takes(engine, language, list(rules.values())):
            continue
        for number, rule in rules.items():
            if not await _takes(engine, language, [rule]):
                raise EngineError(
                    f"line {number}: {rule!r} is not a rule that {engine.name} takes; write `a, b` or `a, b => c`",
                    reason="bad_synonyms",
                )
    return found


async def replace_synonyms(engine: RestApi, index: str, rules: Mapping[int, str]) -> tuple[str, ...]:
    """Replaces the synonyms for searches of `index`, which may be an alias.

    No document is rewritten. Each index is closed and reopened, and a search during that time fails. The index template
    of `hybridrank index` also gets the rules. Returns the names of the indices. Raises EngineError; the index is then
    unchanged.
    """
    found = await check_synonyms(engine, index, rules)
    for name, concrete in found.items():
        wanted = search_analysis(_language(concrete), list(rules.values()))
        before = search_analysis(_language(concrete), stored_synonyms(concrete["settings"]))
        await engine.request("POST", index_path(name, "_close"))
        try:
            await engine.request("PUT", index_path(name, "_settings"), {"analysis": wanted})
            await engine.request("POST", index_path(name, "_open"))
        except EngineError:
            await engine.request("PUT", index_path(name, "_settings"), {"analysis": before})
            await engine.request("POST", index_path(name, "_open"))
            raise
        searched = searched_with_synonyms(concrete["mappings"].get("properties", {}))
        if searched:
            await engine.request("PUT", index_path(name, "_mapping"), {"properties": searched})
        await _note(engine, name, wanted, searched)
    return tuple(found)


async def _note(engine: RestApi, name: str, analysis: Mapping[str, Any], searched: Mapping[str, Any]) -> None:
    """Writes the rules into the index's template, so that a recreated index has them."""
    template = await engine.template(name)
    if template is None:
        return
    body = template["template"]
    stored = body["settings"]["index"].setdefault("analysis", {})
    for kind, each in analysis.items():
        stored[kind] = stored.get(kind, {}) | each
    body["mappings"]["properties"] |= searched
    await engine.request("PUT", url_path("_index_template", template_name(name)), template)


async def _takes(engine: RestApi, language: Language, rules: Sequence[str]) -> bool:
    try:
        await engine.request("POST", "/_analyze", trial(language, rules))
    except EngineError as error:
        if error.status != 400:
            raise
        return False
    return True


def _language(concrete: Mapping[str, Any]) -> Language:
    """Returns the language of the index; an index of an earlier release has no note and is English if it has stems."""
    analyzers = concrete["settings"]["index"].get("analysis", {}).get("analyzer", {})
    language: Language = noted(concrete["mappings"]).get(
        "language", "english" if "passage" in analyzers else "standard"
    )
    return language
