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
from chainboot_vm.architecture import architecture
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

    def row(self) -> str:
        return f"  {self.name:<33} {self.median:7.2f} {min(self.seconds):9.2f} {max(self.seconds):7.2f}"


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
        for name, seconds in zip((_SSH_ANSWERS, _SSH_MENU), _boot_with_ssh(complete, waiting, sysroot), strict=True):
            taken.setdefault(name, []).append(seconds)
            print(f"round {round_number} of {ROUNDS}: {name}: {seconds:.2f} s", flush=True)
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


def _table(results: Sequence[Result], complete: Path, floor: Path) -> str:
    menu, mounted, payload_up, floor_up = results[:4]
    return "\n".join(
        (
            "Seconds after `Run /init`, x86_64 under emulation (TCG):",
            f"  {'':<33} {'median':>7} {'shortest':>9} {'longest':>7}",
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
