"""Installs a lock file and this project into .venv; a terminal shows the seconds, a log a line each half minute.

    python3 requirements/install.py runtime|dev|train

Uses nothing but the standard library: it runs before anything is installed.
"""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PIP = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
OLDEST, NEWEST = (3, 10), (3, 13)
TERMINAL_S, LOG_S = 1.0, 30.0  # from one sign of life to the next
LOG_TAIL = 2000


def main(lock: str) -> int:
    """Make .venv where there is none, then install; 0 when all went well."""
    if not (VENV / "bin" / "python").exists():
        if not OLDEST <= sys.version_info[:2] <= NEWEST:
            print(f"hybridrank needs Python 3.10 to 3.13, this is {sys.version.split()[0]}: make PYTHON=python3.12")
            return 1
        run(f"creating .venv with Python {sys.version.split()[0]}", [sys.executable, "-m", "venv", str(VENV)])
    requirements = ROOT / "requirements" / f"{lock}.lock"
    count = len(re.findall(r"^[a-z]", requirements.read_text(), flags=re.MULTILINE))
    run(
        f"installing up to {count} packages of requirements/{lock}.lock",
        [*PIP, "--require-hashes", "--no-deps", "--requirement", str(requirements)],
    )
    run("installing hybridrank itself", [*PIP, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    (VENV / f".{lock}").touch()
    return 0


def run(title: str, command: list) -> None:
    """Run a command, printing `title` and the time until it ends; when it fails, the end of what it said, and exit."""
    ended = threading.Event()
    ticker = threading.Thread(target=tick, args=(title, ended), daemon=True)
    ticker.start()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
    finally:
        ended.set()
        ticker.join()
    if done.returncode:
        sys.exit(f"{done.stdout[-LOG_TAIL:]}\n{title}: failed; the lines above say why")


def tick(title: str, ended: threading.Event) -> None:
    """Show that something is going on: one line that counts on a terminal, a line now and then elsewhere."""
    started = time.monotonic()
    is_terminal = sys.stdout.isatty()
    end, start = ("", "\r") if is_terminal else ("\n", "")
    print(f"{title} …", end=end, flush=True)
    while True:
        is_over = ended.wait(TERMINAL_S if is_terminal else LOG_S)
        print(f"{start}{title}: {time.monotonic() - started:.0f} s", end=end, flush=True)
        if is_over:
            if not end:
                print()
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
