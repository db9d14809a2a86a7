"""Reader of files that users write: JSON lines, tables, lines of words, and settings.

It accepts UTF-8 with or without a byte order mark, LF or CRLF, blank lines, and gzip. Line numbers count every line of
the file. Everything else is refused with the name of the file and what to do; memory use is bounded for any content.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from hybridrank.common import json_values
from hybridrank.common.errors import BadFile, BadLine

__all__ = ["UserFile"]

_MIB = 1 << 20
_BLANKS = " \t\r\n\v\f"
_UTF8_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_NOT_UTF8 = {  # first bytes of a file → its format, and what to do
    b"\xff\xfe": "is UTF-16; save it as UTF-8 (Excel: CSV UTF-8), or: iconv -f UTF-16 -t UTF-8 FILE > NEW",
    b"\xfe\xff": "is UTF-16; save it as UTF-8 (Excel: CSV UTF-8), or: iconv -f UTF-16 -t UTF-8 FILE > NEW",
    b"PK\x03\x04": "is a zip archive or a workbook; unpack it, or export the sheet as CSV UTF-8",
}


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file; it is unzipped if its name ends in .gz or its content is gzip.

    `report` gets each line that cannot be used, and reading continues; without `report` the first such line raises.
    `error` is the class that is raised, both for a line and for the whole file.
    """

    path: Path
    error: Callable[[str], Exception] = BadFile
    report: Callable[[BadLine], None] | None = None
    max_line_bytes: int = 64 * _MIB  # engines accept no request above 100 MB by default
    max_file_bytes: int = 64 * _MIB  # for a file that is read as a whole

    def bad(self, number: int, reason: str) -> None:
        """Reports a line that cannot be used, or raises `error`."""
        line = BadLine(self.path, number, reason)
        if self.report is None:
            raise self.error(str(line))
        self.report(line)

    def text(self) -> str:
        """Returns the whole file, with LF line ends."""
        with self._opened() as file:
            raw = file.read(self.max_file_bytes + 1)
        if len(raw) > self.max_file_bytes:
            raise self.error(f"{self.path}: is larger than {self.max_file_bytes // _MIB} MiB; is it the right file?")
        try:
            return raw.removeprefix(_UTF8_MARK).decode().replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            number = raw.count(b"\n", 0, error.start) + 1
            raise self.error(f"{self.path}:{number}: {_not_utf8(raw[error.start])}") from None

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yields the lines that are not blank, without line ends, numbered from 1."""
        with self._opened() as file:
            yield from ((number, line) for number, line in self._decoded(file) if line.strip(_BLANKS))

    def objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields the JSON objects of a file with one object per line; every engine can hold their values."""
        for number, line in self.lines():
            try:
                value = json_values.parse(line)
            except ValueError as error:
                hint = "; one object a line is expected, which jq -c makes" if line.strip() in "[{" else ""
                self.bad(number, f"{error}{hint}")
                continue
            if isinstance(value, dict):
                yield number, value
            else:
                self.bad(number, "expected a JSON object, {…}, on one line")

    def table(self, columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, dict[str, str]]]:
        """Yields the rows of a CSV file with a header: column → cell, without surrounding spaces.

        `columns` are the wanted columns, each with its alternative names. The separator is the comma, semicolon or tab
        that the header uses; a quoted cell may contain line ends. The number of a row is the number of its first line.
        """
        with self._opened() as file:
            lines = self._decoded(file, ends=True)
            number, header = next(((number, line) for number, line in lines if line.strip(_BLANKS)), (1, ""))
            delimiter = max(",;\t", key=header.count)
            try:
                names = [each.strip().lower() for each in next(csv.reader([header], delimiter=delimiter), [])]
                places = {name: _place(names, (name, *others)) for name, others in columns.items()}
            except (ValueError, csv.Error) as error:
                raise self.error(f"{self.path}:{number}: {error}") from None
            for number, cells in self._rows(lines, delimiter):
                if len(cells) == len(names):
                    yield number, {name: cells[place] for name, place in places.items()}
                else:
                    self.bad(
                        number,
                        f"{len(cells)} cells, but the header has {len(names)}; quote cells that hold {delimiter!r}",
                    )

    def _rows(self, lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
        numbered = _Numbered(lines)
        rows = csv.reader(numbered, delimiter=delimiter, strict=True)
        while True:
            numbered.first = 0
            try:
                cells = [each.strip() for each in next(rows)]
            except StopIteration:
                return
            except csv.Error as error:
                self.bad(numbered.first, f"not CSV: {error}; is a quote not closed?")
                continue
            if any(cells):
                yield numbered.first, cells

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Yields the unzipped bytes. Raises `error` if it is not a file, not UTF-8 text, or a damaged archive."""
        try:
            with self.path.open("rb") as plain:
                zipped = self.path.suffix == ".gz" or plain.peek(2)[:2] == _GZIP
                with gzip.open(plain) if zipped else nullcontext(plain) as file:
                    head = file.peek(4)[:4]
                    if found := next((what for mark, what in _NOT_UTF8.items() if head.startswith(mark)), ""):
                        raise self.error(f"{self.path}: {found}")
                    if b"\0" in head:
                        raise self.error(f"{self.path}: is no text, or UTF-16 without a mark; save it as UTF-8")
                    yield cast("BinaryIO", file)
        except FileNotFoundError:
            raise self.error(f"{self.path}: there is no such file") from None
        except IsADirectoryError:
            raise self.error(f"{self.path}: cannot be read: it is a folder; name a file") from None
        except PermissionError:
            raise self.error(f"{self.path}: cannot be read: permission denied; ask its owner, or chmod +r") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.error(f"{self.path}: cannot be read: damaged archive ({error}); write it again") from None
        except OSError as error:
            raise self.error(f"{self.path}: cannot be read: {error.strerror or error}") from None

    def _decoded(self, file: BinaryIO, *, ends: bool = False) -> Iterator[tuple[int, str]]:
        """Yields every line with its number; reports lines that are too long, not UTF-8 or end in CR alone."""
        number = 0
        while raw := file.readline(self.max_line_bytes + 1):
            number += 1
            if len(raw) > self.max_line_bytes:
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(_MIB)
                self.bad(number, f"longer than {self.max_line_bytes / _MIB:g} MiB; split the document, or leave it out")
                continue
            try:
                line = (raw.removeprefix(_UTF8_MARK) if number == 1 else raw).decode()
            except UnicodeDecodeError as error:
                self.bad(number, _not_utf8(raw[error.start]))
                continue
            if ends:
                yield number, line
            elif "\r" in (line := line.rstrip("\r\n")):
                self.bad(number, "has a carriage return inside; end lines with LF or CRLF")
            else:
                yield number, line


class _Numbered:
    """Lines for the csv module; `first` is the number of the first line read since it was set to 0."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self.first = 0

    def __iter__(self) -> "_Numbered":
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        self.first = self.first or number
        return line


def _place(header: Sequence[str], names: Sequence[str]) -> int:
    places = [place for place, name in enumerate(header) if name in names]
    if len(places) != 1:
        problem = "no column" if not places else "more than one column"
        raise ValueError(f"there is {problem} {' or '.join(names)} in the header {', '.join(header)[:200]!r}")
    return places[0]


def _not_utf8(byte: int) -> str:
    return (
        f"not UTF-8 (byte {byte:#04x}); save the file as UTF-8, or, from Latin-1: iconv -f LATIN1 -t UTF-8 FILE > NEW"
    )
