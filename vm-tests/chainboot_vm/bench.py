"""`make bench`: how long the first stage takes beside the least that could do the same.

The floor is an initrd of busybox and kexec that mounts the same disk and starts the same kernel, initrd and command
line (vm-tests/floor). Both are booted in turn in the same run, so that a busy machine slows both. All times count
from the kernel's `Run /init as init process`, under emulation.
"""

from __future__ import annotations

import json
import re
import shlex
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.session.state import READY
from chainboot_vm import disks, first_stage, payload, qemu, sample
from chainboot_vm.architecture import architecture
from chainboot_vm.artifacts import BUILD, REPOSITORY
from chainboot_vm.disks import Disk
from chainboot_vm.first_stage import Variant
from chainboot_vm.machine import QemuMachine
from chainboot_vm.sysroot import Sysroot, fetch

ROUNDS = 5
FLOOR = Variant("floor", spec=REPOSITORY / "vm-tests" / "floor" / "image-spec.json")

_STARTED = "Run /init as init process"
_FLOOR_MOUNTED = "floor: mounted"
_AT_ONCE = -10
_FOR_EVER = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table: what is booted, and the line whose arrival is timed."""

    name: str
    image: Path
    disk: Path
    until: str


@dataclass(frozen=True, slots=True)
class Result:
    """The seconds of each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def row(self) -> str:
        return f"  {self.name:<30} {self.median:7.2f} {min(self.seconds):9.2f} {max(self.seconds):7.2f}"


def main() -> None:
    """Measure, print the table and write build/bench.json."""
    arch = architecture("x86_64")
    sysroot = fetch(arch, say=print)
    complete, floor = (first_stage.initrd(sysroot, variant, say=print) for variant in (first_stage.COMPLETE, FLOOR))
    waiting, at_once = (disks.image(_disk(timeout), sysroot) for timeout in (_FOR_EVER, _AT_ONCE))
    measures = (
        Measure("first stage: menu is ready", complete, waiting, re.escape(READY)),
        Measure("floor: disk is mounted", floor, waiting, re.escape(_FLOOR_MOUNTED)),
        Measure("first stage: payload speaks", complete, at_once, re.escape(payload.GENERATION)),
        Measure("floor: payload speaks", floor, waiting, re.escape(payload.GENERATION)),
    )
    taken: dict[str, list[float]] = {measure.name: [] for measure in measures}
    for round_number in range(1, ROUNDS + 1):
        for measure in measures:
            seconds = _boot(measure, sysroot)
            taken[measure.name].append(seconds)
            print(f"round {round_number} of {ROUNDS}: {measure.name}: {seconds:.2f} s", flush=True)
    results = tuple(Result(name, tuple(seconds)) for name, seconds in taken.items())
    print()
    print(_table(results, complete, floor))
    _write(BUILD / "bench.json", results, complete, floor)


def _disk(timeout: int) -> Disk:
    """The sample disk, and the same boot in words that the floor's shell reads."""
    made = sample.disk(f"bench{timeout}", timeout)
    assignments = {
        "kernel": f"/mnt/boot/nixos/{sample.NEWEST.kernel_file}",
        "initrd": f"/mnt/boot/nixos/{sample.NEWEST.initrd_file}",
        "command_line": sample.NEWEST.command_line(),
    }
    script = "".join(f"{name}={shlex.quote(value)}\n" for name, value in assignments.items())
    return replace(made, files={**made.files, "floor/boot": script})


def _boot(measure: Measure, sysroot: Sysroot) -> float:
    # Without `quiet`: the kernel's own line is where the clock starts.
    command = qemu.command_line(
        sysroot.architecture,
        kernel=sysroot.kernel,
        initrd=measure.image,
        append=f"{qemu.consoles(sysroot.architecture, 1)} panic=10",
        drives=[qemu.Drive(measure.disk)],
    )
    log = BUILD / "vm-logs" / f"bench-{measure.name.replace(': ', '-').replace(' ', '-')}.log"
    with QemuMachine(command, log=log) as machine:
        machine.start()
        machine.wait_for_console_text(measure.until)
        started, until = (machine.consoles[0].first(re.compile(text)) for text in (_STARTED, measure.until))
    if started is None or until is None:
        raise ChainbootError(f"{measure.name}: the kernel never said {_STARTED!r}; see {log}")
    return until.seconds - started.seconds


def _table(results: Sequence[Result], complete: Path, floor: Path) -> str:
    menu, mounted, payload_up, floor_up = results
    return "\n".join(
        (
            "Seconds after `Run /init`, x86_64 under emulation (TCG):",
            f"  {'':<30} {'median':>7} {'shortest':>9} {'longest':>7}",
            *(result.row() for result in results),
            f"  menu / floor's mount: {menu.median / mounted.median:.2f}",
            f"  payload / floor's payload: {payload_up.median / floor_up.median:.2f}",
            f"Bytes: first stage {complete.stat().st_size}, floor {floor.stat().st_size}",
        )
    )


def _write(path: Path, results: Sequence[Result], complete: Path, floor: Path) -> None:
    document = {
        "seconds": {result.name: list(result.seconds) for result in results},
        "median": {result.name: result.median for result in results},
        "bytes": {"first stage": complete.stat().st_size, "floor": floor.stat().st_size},
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except ChainbootError as problem:
        sys.exit(f"error: {problem}" + (f"\n(hint) {problem.hint}" if problem.hint else ""))
