"""benchmarks/results/NAME.json: one section for each benchmark of a page, and NAME.md, which shows them all.

    update("overload", Section("Overload", environment, measured, paragraphs, table, aims))

A benchmark writes its own section and leaves the others as they are; the page is written anew from all of them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hybridrank.evaluation.report.tables import ReportTable, markdown

__all__ = ["PAGES", "Aim", "Page", "Section", "update"]


@dataclass(frozen=True, slots=True)
class Page:
    """A title, and the names of its sections, in order."""

    title: str
    sections: tuple[str, ...]


PAGES = {
    "sidecar": Page("The sidecar, measured", ("throughput", "quality", "windows", "overload", "soak")),
    "rerankers": Page("Rerankers, measured", ("lambdamart", "maxsim", "codecs", "nano", "large")),
    "engines": Page("Engines, measured", ("pipelines", "latency")),
}
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Aim:
    """A number that should be at least `bound`, or at most with `at_most`; whether it is met follows from the two."""

    what: str
    measured: float
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """NaN meets nothing."""
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound


@dataclass(frozen=True, slots=True)
class Section:
    """Results of one benchmark.

    `environment` says where (as `describe_environment`, and whatever else may change the numbers), `measured` holds the
    numbers themselves as JSON values; `paragraphs` and `table` are what the page shows of them.
    """

    title: str
    environment: Mapping[str, Any]
    measured: Mapping[str, Any]
    paragraphs: tuple[str, ...]
    table: ReportTable
    aims: tuple[Aim, ...] = ()


def update(name: str, section: Section, folder: Path = RESULTS) -> str:
    """Put `section` in the place of the one of that name; returns the page, which is written too."""
    file = next((each for each, page in PAGES.items() if name in page.sections), None)
    if file is None:
        known = ", ".join(each for page in PAGES.values() for each in page.sections)
        raise ValueError(f"no section is called {name!r}; it is one of {known}")
    path = folder / f"{file}.json"
    sections = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    sections[name] = asdict(section) | {"aims": [asdict(aim) | {"met": aim.met} for aim in section.aims]}
    sections = {name: sections[name] for name in PAGES[file].sections if name in sections}
    folder.mkdir(exist_ok=True)
    path.write_text(json.dumps(sections, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = "\n".join([f"# {PAGES[file].title}\n", *(_shown(each) for each in sections.values())])
    (folder / f"{file}.md").write_text(page, encoding="utf-8")
    return page


def _shown(section: Mapping[str, Any]) -> str:
    """A section as it was read from the file, as Markdown."""
    parts = [f"## {section['title']}\n", *(f"{text}\n" for text in section["paragraphs"]), _table(section["table"])]
    if section["aims"]:
        parts.append(markdown(ReportTable(("aim", "wanted", "measured", ""), tuple(map(_aim, section["aims"])))))
    return "\n".join(parts)


def _table(table: Mapping[str, Any]) -> str:
    return markdown(ReportTable(tuple(table["headers"]), tuple(map(tuple, table["rows"]))))


def _aim(aim: Mapping[str, Any]) -> tuple[str, str, str, str]:
    sign = "≤" if aim["at_most"] else "≥"
    return aim["what"], f"{sign} {aim['bound']:g}", f"{aim['measured']:.3g}", "met" if aim["met"] else "missed"
