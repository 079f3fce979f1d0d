"""How fast a configuration is read, as ratios to a loop that only splits the same file into lines: `python parse.py`.

Ratios, because a machine that is slow or busy is so for both. What matters is that the ratio and the time for one
entry stay the same while the file grows: reading is linear. Also measured: what it costs to import what reading needs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests")]

from nixos import extlinux_conf, generation, label  # noqa: E402

from chainboot.extlinux.evaluation import resolve  # noqa: E402
from chainboot.extlinux.parser import parse  # noqa: E402

GENERATIONS = (10, 100, 1_000, 10_000)
ROUNDS = 3
IMPORTS = ("chainboot", "chainboot.extlinux.evaluation", "chainboot.cli")


def split_lines(data: bytes) -> int:
    """The plain loop: every line, its first word in upper case, and the rest."""
    words = 0
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        keyword, _, value = line.strip().partition(" ")
        words += bool(keyword.upper() and value.strip())
    return words


def best(action: Callable[[bytes], object], data: bytes) -> float:
    """Seconds of processor time that `action` takes on `data`, the least of some rounds."""
    times: list[float] = []
    for _ in range(ROUNDS):
        start = time.process_time()
        repeats = max(1, 200_000 // len(data))
        for _ in range(repeats):
            action(data)
        times.append((time.process_time() - start) / repeats)
    return min(times)


def measure(generations: int) -> str:
    """A line of the table."""
    blocks = (generation(number) for number in range(generations, 0, -1))
    data = extlinux_conf(label("nixos-default", "NixOS - Default"), *blocks).encode()
    document = parse(data, "f")
    assert len(resolve(document).entries) == generations + 1
    plain, parsing, resolving = best(split_lines, data), best(lambda text: parse(text, "f"), data), 0.0
    resolving = best(lambda _text: resolve(document), data)
    whole = parsing + resolving
    return (
        f"{generations:11,}{len(data) / 1024:10.0f}{plain * 1000:10.2f}{parsing / plain:10.1f}{resolving / plain:10.1f}"
        f"{whole / plain:10.1f}{whole / (generations + 1) * 1e6:12.1f}{(generations + 1) / whole:12,.0f}"
    )


def import_time(module: str) -> float:
    """Seconds of a new interpreter that imports a module, less those of one that does not; the least of some."""

    def run(code: str) -> float:
        times: list[float] = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
            times.append(time.perf_counter() - start)
        return min(times)

    path = f"import sys; sys.path[:0] = {[str(ROOT / 'python'), *sys.path]!r}; "
    return run(f"{path}import {module}") - run(path)


def main() -> None:
    """The tables."""
    print("Reading NixOS's extlinux.conf; `split` is the plain loop, the next three are how many times that it takes")
    print(
        f"{'generations':>11}{'KiB':>10}{'split ms':>10}{'parse':>10}{'resolve':>10}{'both':>10}{'us/entry':>12}"
        f"{'entries/s':>12}"
    )
    for generations in GENERATIONS:
        print(measure(generations), flush=True)
    print("\nImporting, in ms beyond an empty interpreter")
    for module in IMPORTS:
        print(f"{module:32}{import_time(module) * 1000:8.1f}")
    first = "chainboot.extlinux.parser; chainboot.extlinux.parser.parse(b'LABEL a', 'f')"
    print(f"{'and the first parse (lark)':32}{import_time(first) * 1000:8.1f}")


if __name__ == "__main__":
    main()
