"""Finds a Java that is new enough: both servers need 21, and the `java` on the PATH is often older than another one."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hybridrank.local_engines.account import Account
from hybridrank.local_engines.errors import JdkMissing

__all__ = ["Jdk", "find_jdk"]

OLDEST = 21
SETTINGS = ("JAVA_HOME", "OPENSEARCH_JAVA_HOME", "ES_JAVA_HOME")
USUAL_FOLDERS = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/*jdk*",
    "/opt/java/*",
    "/opt/homebrew/opt/openjdk*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
)


@dataclass(frozen=True)
class Jdk:
    """A Java installation: its folder and its feature version (21 for 21.0.2)."""

    home: Path
    version: int

    @property
    def java(self) -> Path:
        """The `java` program."""
        return self.home / "bin" / "java"


def find_jdk(
    environ: Mapping[str, str] = os.environ,
    usual_folders: Iterable[str] = USUAL_FOLDERS,
    account: Account | None = None,
) -> Jdk:
    """Returns the newest Java that is 21 or later and that `account`, if given, can read.

    Checks JAVA_HOME, OPENSEARCH_JAVA_HOME, ES_JAVA_HOME, the PATH and the usual folders of packages. Raises JdkMissing,
    which lists each place and why it was rejected.
    """
    seen: dict[Path, str] = {}
    fitting: list[Jdk] = []
    for source, home in _candidates(environ, usual_folders):
        resolved = home.resolve()
        if resolved in seen:
            continue
        version = _version(resolved)
        if version is None:
            seen[resolved] = f"{home} ({source}): no working bin/java"
        elif version < OLDEST:
            seen[resolved] = f"{home} ({source}): Java {version}"
        elif account and not account.can_read(resolved / "bin" / "java"):
            seen[resolved] = f"{home} ({source}): Java {version}, not readable by the user {account.name}"
        else:
            seen[resolved] = f"{home} ({source}): Java {version}, fits"
            fitting.append(Jdk(resolved, version))
    if not fitting:
        looked = "\n".join(f"  {line}" for line in seen.values()) or "  nothing found"
        raise JdkMissing(
            f"OpenSearch and Elasticsearch need a JDK {OLDEST} or newer. Looked at:\n{looked}\n"
            f"Install one (Debian, Ubuntu: apt install openjdk-{OLDEST}-jdk-headless; Fedora: dnf install "
            f"java-{OLDEST}-openjdk-devel; or Eclipse Temurin), or set JAVA_HOME to one that is already here.",
            seen=tuple(seen.values()),
        )
    return max(fitting, key=lambda jdk: jdk.version)


def _candidates(environ: Mapping[str, str], usual_folders: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for setting in SETTINGS:
        if environ.get(setting):
            yield setting, Path(environ[setting])
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        yield "PATH", Path(on_path).resolve().parent.parent
    for pattern in usual_folders:
        expanded = Path(pattern).expanduser()
        for folder in sorted(Path(expanded.anchor).glob(str(expanded.relative_to(expanded.anchor)))):
            if (folder / "bin" / "java").exists():
                yield "usual folder", folder


def _version(home: Path) -> int | None:
    """Reads the `release` file that every JDK has; runs `java -version` if it is missing."""
    java = home / "bin" / "java"
    if not java.is_file():
        return None
    release = home / "release"
    if release.is_file():
        stated = re.search(r'^JAVA_VERSION="([^"]+)"', release.read_text("utf-8", errors="replace"), re.MULTILINE)
        if stated:
            return _feature_version(stated[1])
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    stated = re.search(r'version "([^"]+)"', answer.stderr + answer.stdout)
    return _feature_version(stated[1]) if stated else None


def _feature_version(text: str) -> int | None:
    """Returns 21 for `21.0.2` or `21-ea`, and 8 for `1.8.0_402`, the version format up to Java 8."""
    numbers = re.match(r"(?:1\.)?(\d+)", text)
    return int(numbers[1]) if numbers else None
