"""Log of features from live searches, so that training uses exactly the served values."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from hybridrank.common.atomic import append_lines
from hybridrank.common.errors import BadLine, log_bad_line
from hybridrank.common.user_file import UserFile
from hybridrank.connector.stages.features import FeatureRows
from hybridrank.connector.types import Hit
from hybridrank.ltr_features import FeatureQuery

__all__ = ["FeatureLog", "read_feature_log", "write_parquet"]

_ROW_GROUP = 50_000  # lines of a Parquet file that are in memory together


class LoggedRequest(Protocol):
    """The parts of a SearchRequest that a log has."""

    @property
    def index(self) -> str: ...

    @property
    def query_text(self) -> str: ...

    @property
    def query_id(self) -> str | None: ...


class FeatureLog:
    """JSON lines in a folder, one for each candidate and feature set of a search. Each process needs its own folder.

    `index` and `doc_id` of a line identify the document; `searched` is the request's index, possibly an alias.
    `query_id` is the request's, or the first 16 hexadecimal digits of the SHA-256 of its text. The digest hides a text
    from readers, but it can be guessed; the text itself is written only `with_text`. `features.jsonl` grows to
    `max_file_bytes` and becomes `features-000001.jsonl`, then `features-000002.jsonl`; the newest `max_files` are kept.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        with_text: bool = False,
        max_file_bytes: int = 64 * 1024 * 1024,
        max_files: int = 16,
    ) -> None:
        if max_files < 1 or max_file_bytes < 1:
            raise ValueError(f"max_files ({max_files}) and max_file_bytes ({max_file_bytes}) start at 1")
        self.folder = Path(folder).expanduser()
        self._with_text, self._max_file_bytes, self._max_files = with_text, max_file_bytes, max_files
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"

    def write(
        self, request: LoggedRequest, query: FeatureQuery, computed: Sequence[FeatureRows], hits: Sequence[Hit]
    ) -> None:
        """Appends the features of one search, with the ranks of `hits`: all of its lines, or none and an OSError."""
        text = {"query_text": request.query_text} if self._with_text else {}
        lines = [json.dumps(each | text) + "\n" for each in _records(request, query, computed, hits)]
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = self.folder / "features.jsonl"
            if file.exists() and file.stat().st_size >= self._max_file_bytes:
                self._rotate(file)
            append_lines(file, "".join(lines).encode())

    def _rotate(self, file: Path) -> None:
        closed = sorted(each for each in self.folder.glob("features-*.jsonl") if each.stem[9:].isdecimal())
        number = int(closed[-1].stem.partition("-")[2]) + 1 if closed else 1
        file.rename(closed_file := self.folder / f"features-{number:06}.jsonl")
        for old in [*closed, closed_file][: -(self._max_files - 1) or None]:
            old.unlink(missing_ok=True)


def read_feature_log(folder: str | Path, report: Callable[[BadLine], None] = log_bad_line) -> Iterator[dict[str, Any]]:
    """Yields every record of a log, oldest first; unknown features become NaN again.

    `report` gets each invalid line, such as one that a crash cut off; by default it is logged. Raises
    BadFile for a file that cannot be read.
    """
    for path in sorted(Path(folder).glob("features*.jsonl"), key=lambda each: (each.stem == "features", each.name)):
        file = UserFile(path, report=report)
        for number, record in file.objects():
            if problem := _record_problem(record):
                file.bad(number, problem)
                continue
            values = record["features"].items()
            yield record | {"features": {name: math.nan if v is None else v for name, v in values}}


def _record_problem(record: Mapping[str, Any]) -> str:
    """Returns the missing part of a record; empty if there is none."""
    features, about = record.get("features"), record.get("feature_set")
    if not isinstance(features, dict) or not all(type(each) in (int, float, type(None)) for each in features.values()):
        return "expected an object of numbers as features"
    if not isinstance(about, dict) or not isinstance(about.get("digest"), str):
        return "expected the digest of a feature set"
    missing = [name for name in ("query_id", "doc_id") if not isinstance(record.get(name), str)]
    return f"expected a string as {missing[0]}" if missing else ""


def write_parquet(folder: str | Path, target: str | Path) -> int:
    """Writes the lines of a log as one Parquet file; returns their number. `features` is a map from name to value.

    Needs pyarrow; raises ImportError with the install command.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install pyarrow") from error
    text = pa.string()
    set_type = pa.struct([("name", text), ("version", text), ("digest", text)])
    columns = dict.fromkeys(("timestamp", "query_id", "query_text", "searched", "index", "doc_id"), text)
    columns |= {"rank": pa.int32(), "feature_set": set_type, "features": pa.map_(text, pa.float64())}
    schema, records, count = pa.schema(list(columns.items())), read_feature_log(folder), 0
    with ParquetWriter(target, schema) as writer:
        while batch := list(islice(records, _ROW_GROUP)):
            rows = [each | {"features": list(each["features"].items())} for each in batch]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            count += len(batch)
    return count


def _records(
    request: LoggedRequest, query: FeatureQuery, computed: Sequence[FeatureRows], hits: Sequence[Hit]
) -> Iterator[dict[str, Any]]:
    ranks = {hit.key: hit.rank for hit in hits}
    query_id = request.query_id or hashlib.sha256(request.query_text.encode()).hexdigest()[:16]
    for rows in computed:
        about = rows.feature_set
        for key, features in rows.named().items():
            yield {
                "timestamp": query.now and query.now.isoformat(),
                "query_id": query_id,
                "searched": request.index,
                "index": key.index,
                "doc_id": key.doc_id,
                "rank": ranks[key],
                "feature_set": {"name": about.name, "version": about.version, "digest": about.digest},
                "features": {name: None if math.isnan(value) else value for name, value in features.items()},
            }
