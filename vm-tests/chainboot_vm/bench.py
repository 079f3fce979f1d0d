"""`make bench`: how long the first stage takes beside the least that could do the same.

The floor is an initrd of busybox and kexec that mounts the same disk and starts the same kernel, initrd and command
line (vm-tests/floor). Both are booted in turn in the same run, so that a busy machine slows both. All times count
from the kernel's `Run /init as init process`, under emulation; only the last one, from `ssh` to the menu, does not.
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
from chainboot_vm import access, additions, disks, first_stage, payload, qemu, sample
from chainboot_vm.additions import Additions
from chainboot_vm.architecture import ARCHITECTURES, architecture
from chainboot_vm.artifacts import BUILD, REPOSITORY
from chainboot_vm.disks import Disk
from chainboot_vm.first_stage import Variant
from chainboot_vm.machine import QemuMachine
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.qemu import Network
from chainboot_vm.steps import session_shows
from chainboot_vm.sysroot import Sysroot, fetch

ROUNDS = 5
FLOOR = Variant("floor", spec=REPOSITORY / "vm-tests" / "floor" / "image-spec.json")

_STARTED = "Run /init as init process"
_FLOOR_MOUNTED = "floor: mounted"
_AT_ONCE = -10
_FOR_EVER = 0

_SSH_ANSWERS = "first stage: SSH answers"
_SSH_MENU = "first stage: from ssh to the menu"


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

    def cell(self) -> str:
        """What stands in the table."""
        return f"{self.median:.2f} ({min(self.seconds):.2f} to {max(self.seconds):.2f})"


@dataclass(frozen=True, slots=True)
class Column:
    """What one machine took, and the images that it booted."""

    machine: str
    results: tuple[Result, ...]
    complete: Path
    floor: Path

    @property
    def ratios(self) -> tuple[float, float]:
        """The menu beside the floor's mount, and the payload beside the floor's: what does not depend on the host."""
        menu, mounted, payload_up, floor_up = self.results[:4]
        return menu.median / mounted.median, payload_up.median / floor_up.median


def main() -> None:
    """Measure the machines that are named, or all; print the table and write build/bench.json."""
    names = sys.argv[1:] or [row.name for row in ARCHITECTURES]
    columns = tuple(_measure(fetch(architecture(name), say=print)) for name in names)
    print()
    print(_table(columns))
    _write(BUILD / "bench.json", columns)


def _measure(sysroot: Sysroot) -> Column:
    machine = sysroot.architecture.name
    complete, floor = (first_stage.initrd(sysroot, variant, say=print) for variant in (first_stage.COMPLETE, FLOOR))
    waiting, at_once = (disks.image(_disk(timeout), sysroot) for timeout in (_FOR_EVER, _AT_ONCE))
    measures = (
        Measure("first stage: menu is ready", complete, waiting, re.escape(READY)),
        Measure("floor: disk is mounted", floor, waiting, re.escape(_FLOOR_MOUNTED)),
        Measure("first stage: payload speaks", complete, at_once, re.escape(payload.GENERATION)),
        Measure("floor: payload speaks", floor, waiting, re.escape(payload.GENERATION)),
    )
    taken: dict[str, list[float]] = {measure.name: [] for measure in measures}

    def note(turn: int, name: str, seconds: float) -> None:
        taken.setdefault(name, []).append(seconds)
        print(f"{machine}, round {turn} of {ROUNDS}: {name}: {seconds:.2f} s", flush=True)

    for turn in range(1, ROUNDS + 1):
        for measure in measures:
            note(turn, measure.name, _boot(measure, sysroot))
        for name, seconds in zip((_SSH_ANSWERS, _SSH_MENU), _boot_with_ssh(complete, waiting, sysroot), strict=True):
            note(turn, name, seconds)
    return Column(machine, tuple(Result(name, tuple(seconds)) for name, seconds in taken.items()), complete, floor)


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


def _command(image: Path, disk: Path, sysroot: Sysroot, networks: Sequence[Network] = ()) -> tuple[str, ...]:
    # Without `quiet`: the kernel's own line is where the clock starts.
    return qemu.command_line(
        sysroot.architecture,
        kernel=sysroot.kernel,
        initrd=image,
        append=f"{qemu.consoles(sysroot.architecture, 1)} panic=10",
        drives=[qemu.Drive(disk)],
        networks=networks,
    )


def _log(name: str) -> Path:
    return BUILD / "vm-logs" / f"bench-{name.replace(': ', '-').replace(' ', '-')}.log"


def _boot(measure: Measure, sysroot: Sysroot) -> float:
    command = _command(measure.image, measure.disk, sysroot)
    log = _log(measure.name)
    with QemuMachine(command, log=log) as machine:
        machine.start()
        machine.wait_for_console_text(measure.until)
        started, until = (machine.consoles[0].first(re.compile(text)) for text in (_STARTED, measure.until))
    if started is None or until is None:
        raise ChainbootError(f"{measure.name}: the kernel never said {_STARTED!r}; see {log}")
    return until.seconds - started.seconds


def _boot_with_ssh(image: Path, disk: Path, sysroot: Sysroot) -> tuple[float, float]:
    """From `Run /init` to the server's banner, and from starting a client to its menu."""
    keys, networks = access.keys(), (Network(),)
    with_keys = additions.append(Additions(keys=("admin",), host_key=True), image, keys)
    command = _command(with_keys, disk, sysroot, networks)
    with NetworkedQemuMachine(command, log=_log(_SSH_ANSWERS), networks=networks, access=keys) as machine:
        machine.start()
        answers = machine.ssh().wait_for_ssh()
        # The console has its menu at about the same time; drawing it is not part of what is measured.
        machine.wait_for_console_text(re.escape(READY))
        menu = session_shows(machine.ssh().open())
        started = machine.seconds_of(re.escape(_STARTED))
    if started is None:
        raise ChainbootError(f"{_SSH_ANSWERS}: the kernel never said {_STARTED!r}")
    return answers - started, menu


def _table(columns: Sequence[Column]) -> str:
    heads = "".join(f"{column.machine:>25}" for column in columns)
    lines = [
        f"Seconds after `Run /init`, under emulation (TCG): median, shortest and longest of {ROUNDS}",
        f"{'':<38}{heads}",
    ]
    for row in zip(*(column.results for column in columns), strict=True):
        lines.append(f"  {row[0].name:<36}" + "".join(f"{result.cell():>25}" for result in row))
    for place, name in enumerate(("menu / floor's mount", "payload / floor's payload")):
        lines.append(f"  {name:<36}" + "".join(f"{column.ratios[place]:>25.2f}" for column in columns))
    for name, images in (
        ("bytes of the first stage", [column.complete for column in columns]),
        ("bytes of the floor", [column.floor for column in columns]),
    ):
        lines.append(f"  {name:<36}" + "".join(f"{image.stat().st_size:>25}" for image in images))
    return "\n".join(lines)


def _write(path: Path, columns: Sequence[Column]) -> None:
    document = {
        column.machine: {
            "seconds": {result.name: list(result.seconds) for result in column.results},
            "median": {result.name: result.median for result in column.results},
            "bytes": {"first stage": column.complete.stat().st_size, "floor": column.floor.stat().st_size},
        }
        for column in columns
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except ChainbootError as problem:
        sys.exit(f"error: {problem}" + (f"\n(hint) {problem.hint}" if problem.hint else ""))
