"""Configurations that are made to hurt: `python hostile.py` prints what each costs, `python hostile.py NAME` runs one.

Each is some 4 MiB, is read in a process with limits on memory and time, and ends as the JSON of `chainboot list`.
INCLUDE is served as the case says, whatever the name.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

SIZE = 4 * 1024 * 1024
MEMORY = 1536 * 1024 * 1024
SECONDS = 300  # of the processor: far more than any case takes, far less than for ever
CONF = "/boot/extlinux/extlinux.conf"


def fill(line: bytes, head: bytes = b"") -> bytes:
    """`head`, then `line` again and again."""
    return head + line * (SIZE // len(line))


# Name: the configuration, and what every INCLUDE finds (None: the configuration itself).
CASES: dict[str, Callable[[], tuple[bytes, bytes | None]]] = {
    "menu-begin": lambda: (fill(b"MENU BEGIN\n"), None),
    "menus-with-entries": lambda: (fill(b"MENU BEGIN\nLABEL a\n", b"MENU BEGIN " + b"x" * 100_000 + b"\n"), None),
    "include-self": lambda: (fill(b"INCLUDE extlinux.conf\n"), None),
    "include-many-files": lambda: (b"".join(b"INCLUDE %d\n" % number for number in range(SIZE // 15)), None),
    "include-long-name": lambda: (fill(b"INCLUDE a\n"), b"INCLUDE " + b"x" * SIZE + b"\n"),
    "include-long-label": lambda: (fill(b"INCLUDE a\n"), b"LABEL " + b"x" * SIZE + b"\n"),
    "one-line": lambda: (b"a" * SIZE, None),
    "one-append": lambda: (fill(b"initrd=a ", b"LABEL a\nAPPEND "), None),
    "one-variable": lambda: (fill(b"${", b"LABEL a\nAPPEND "), None),
    "one-initrd": lambda: (fill(b"a,", b"LABEL a\nLINUX k\nINITRD "), None),
    "labels": lambda: (fill(b"LABEL a\n"), None),
    "labels-share-append": lambda: (fill(b"LABEL a\n", b"APPEND " + b"x" * (SIZE // 2) + b"\n"), None),
    "labels-with-append": lambda: (fill(b"LABEL x\nAPPEND\n"), None),
    "labels-with-initrds": lambda: (fill(b"LABEL a\nLINUX k\nINITRD " + b"a," * 30 + b"\n"), None),
    "initrds": lambda: (fill(b"INITRD a\n", b"LABEL a\n"), None),
    "carets": lambda: (fill(b"^", b"LABEL a\nMENU LABEL "), None),
    "help": lambda: (fill(b"TEXT HELP\nENDTEXT\n", b"LABEL a\n"), None),
    "help-of-a-menu": lambda: (fill(b"TEXT HELP\na\nENDTEXT\n", b"MENU BEGIN\n"), None),
    "help-without-end": lambda: (fill(b"TEXT HELP\n"), None),
    "blanks": lambda: (fill(b" " * 1000 + b"\0\n"), None),
    "nul": lambda: (b"\0" * SIZE, None),
    "junk": lambda: (fill(b"(\n"), None),
}


def run(name: str) -> str:
    """Read the case in this process, and say what came of it and what it cost."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    from chainboot.boot.candidate import candidates
    from chainboot.boot.volume import Configuration, Volume
    from chainboot.extlinux.evaluation import resolve
    from chainboot.extlinux.parser import parse
    from chainboot.listing import list_json

    data, included = CASES[name]()
    start = time.process_time()
    menu = resolve(parse(data, CONF), lambda wanted: parse(data if included is None else included, wanted))
    read = time.process_time()
    configuration = Configuration(Volume("/nonexistent", "disk"), CONF, menu)
    text = json.dumps(list_json([configuration], candidates([configuration])))
    listed = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return (
        f"{name:22}{read - start:8.2f}{listed - read:8.2f}{peak:8}{len(menu.entries):9}{len(menu.menus):8}"
        f"{len(menu.diagnostics):9}{len(text) >> 10:9}"
    )


def main() -> None:
    """The table."""
    print(f"{'case':22}{'read s':>8}{'list s':>8}{'MiB':>8}{'entries':>9}{'menus':>8}{'findings':>9}{'KiB JSON':>9}")
    for name in CASES:
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else print(run(sys.argv[1]), flush=True)
