"""Files of a folder, or of a jar or zip, whose table of contents is checked before anything is unpacked."""

import json
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from hybridrank.model_files import model_folder
from hybridrank.training.onnx.importing.errors import ImportRefused

__all__ = ["Source", "open_source"]

MAX_FILES = 10_000
LONGEST_END = (22 + 0xFFFF) + 20 + 56  # of a zip: its last record with a comment, and both of zip64
IN_ZIP64 = 0xFFFFFFFF  # the value of a size that only the record of zip64 gives
MAX_TABLE_BYTES = 4 << 20  # of an archive's table of contents, which zipfile reads as a whole
MAX_BYTES = 16 << 30  # of a file with weights, and of everything in an archive
MAX_GRAPH_BYTES = (2 << 30) - 1  # the limit of protobuf, in which ONNX is written
MAX_TOKENIZER_BYTES = 256 << 20
MAX_JSON_BYTES = 16 << 20
MAX_RATIO = 200  # unpacked to packed; weights reach 2, JSON 20
SMALL_BYTES = 1 << 20  # a file up to this size may be packed to any ratio
BOUNDS = ((".onnx", MAX_GRAPH_BYTES), ("tokenizer.json", MAX_TOKENIZER_BYTES), (".json", MAX_JSON_BYTES))


@dataclass(frozen=True)
class Source:
    """Sizes in bytes by relative path, whose separator is "/"; `name` is for messages."""

    name: str
    sizes: Mapping[str, int]
    open: Callable[[str], IO[bytes]]

    def copy(self, path: str, to: Path) -> None:
        """Writes the content of `path` to the file `to`; raises ImportRefused if it is too large or damaged."""
        self._check_size(path)
        with self._readable(path) as file, to.open("wb") as written:
            shutil.copyfileobj(file, written, 1 << 20)

    def read(self, path: str) -> bytes:
        """Returns the content of `path`; raises ImportRefused if it is too large or damaged."""
        self._check_size(path)
        with self._readable(path) as file:
            return file.read()

    def json(self, path: str) -> Any:
        """Returns a JSON file; raises ImportRefused if it is none, too large or damaged."""
        try:
            return json.loads(self.read(path))
        except (ValueError, RecursionError) as error:
            raise ImportRefused(f"{path} is no JSON: {error}") from error

    @contextmanager
    def _readable(self, path: str) -> Iterator[IO[bytes]]:
        try:
            with self.open(path) as file:
                yield file
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise ImportRefused(f"{path} is damaged: {error}") from error

    def _check_size(self, path: str) -> None:
        most = next((limit for ending, limit in BOUNDS if path.endswith(ending)), MAX_BYTES)
        if self.sizes[path] > most:
            raise ImportRefused(f"{path} has {self.sizes[path]:,} bytes; the limit is {most:,}")


@contextmanager
def open_source(path: Path, sha256: str | None = None) -> Iterator[Source]:
    """Yields the files of a folder, or of a jar or zip; raises ImportRefused if it is neither, or unsafe to unpack."""
    if path.is_dir():
        if sha256 is not None:
            raise ImportRefused(f"{path} is a folder, and a SHA-256 is that of one file; leave --sha256 out")
        yield Source(str(path), _sizes_in(path), lambda name: (path / name).open("rb"))
        return
    if not path.is_file():
        raise ImportRefused(f"{path}: there is no such folder or file")
    if sha256 is not None and (found := model_folder.sha256(path).hex()) != sha256.lower():
        raise ImportRefused(f"{path} has SHA-256 {found}, expected was {sha256.lower()}")
    if (size := _table_bytes(path)) > MAX_TABLE_BYTES:
        raise ImportRefused(f"{path} has a table of contents of {size:,} bytes; the limit is {MAX_TABLE_BYTES:,}")
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ImportRefused(f"{path} is neither a folder nor a jar or zip: {error}") from error
    with archive:
        yield Source(str(path), _checked(path, archive), archive.open)


def _sizes_in(folder: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            if (file := Path(root, name)).is_file():
                sizes[file.relative_to(folder).as_posix()] = file.stat().st_size
        if len(sizes) > MAX_FILES:
            raise ImportRefused(f"{folder} holds more than {MAX_FILES:,} files; name the folder of the model alone")
    return sizes


def _table_bytes(path: Path) -> int:
    """Returns the largest size of the table of contents that the end of a zip gives; 0 if it gives none.

    The formats are APPNOTE.TXT 4.3.16 and, for zip64, 4.3.14: a signature, and the size 12 and 40 bytes after it.
    """
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, LONGEST_END), os.SEEK_END)
        end = file.read()
    found = [0]
    for signature, place, form in ((b"PK\x05\x06", 12, "<I"), (b"PK\x06\x06", 40, "<Q")):
        starts = (each.start() + place for each in re.finditer(re.escape(signature), end))
        sizes = [struct.unpack_from(form, end, at)[0] for at in starts if at + struct.calcsize(form) <= len(end)]
        found += [each for each in sizes if form == "<Q" or each != IN_ZIP64]
    return max(found)


def _checked(path: Path, archive: zipfile.ZipFile) -> dict[str, int]:
    """Returns the sizes that the table of contents gives; reading a file never returns more."""
    entries = [each for each in archive.infolist() if not each.is_dir()]
    sizes = {each.filename: each.file_size for each in entries}
    if len(entries) > MAX_FILES:
        raise ImportRefused(f"{path} holds {len(entries):,} files; the limit is {MAX_FILES:,}")
    if len(sizes) < len(entries):
        raise ImportRefused(f"{path} holds two files of the same name")
    if sum(sizes.values()) > MAX_BYTES:
        raise ImportRefused(f"{path} unpacks to {sum(sizes.values()):,} bytes; the limit is {MAX_BYTES:,}")
    for entry in entries:
        if problem := _problem(entry):
            raise ImportRefused(f"{path}: {entry.filename} {problem}; nothing was unpacked")
    return sizes


def _problem(entry: zipfile.ZipInfo) -> str:
    name = PurePosixPath(entry.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in name.parts[0]:
        return "leads out of the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.file_size > max(SMALL_BYTES, MAX_RATIO * entry.compress_size):
        return f"would unpack to {entry.file_size:,} bytes from {entry.compress_size:,}, like a zip bomb"
    return ""
