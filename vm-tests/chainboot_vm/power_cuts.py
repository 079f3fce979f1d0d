"""`make crash`: an install is cut off after each of its writes to the disk, and the machine must start all the same.

A first stage is installed, then another one, and every write of that second install is recorded. Each prefix of the
record is a disk as a power cut leaves it. Of each it is checked what the firmware would load: programs that are whole,
those of before or those of after, in blocks that the file system does not count as free once its journal is replayed.
Some of them are started, and an install on some of them must end well.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chainboot.errors import ChainbootError
from chainboot.process import run
from chainboot_vm import disks, first_stage, installer, payload, qemu, sample
from chainboot_vm.architecture import architecture
from chainboot_vm.artifacts import BUILD, program
from chainboot_vm.bootmap import BLOCK, BootMap, BootMapError, Program, read_boot_map
from chainboot_vm.contents import Kernel, payload_initrd
from chainboot_vm.machine import QemuMachine
from chainboot_vm.qemu import Drive
from chainboot_vm.sysroot import Sysroot, fetch
from chainboot_vm.write_log import Write, read_log

DIRECTORY = BUILD / "power-cuts"
LOGS = BUILD / "vm-logs"

# The numbers of zipl's menu.
DEFAULT, CHAINBOOT, PREVIOUS, SKIP = range(4)

_BEFORE = "the first stage of before"
_AFTER = "the first stage of after"

# How many of all cuts are started, and how many are installed on again; the last writes count most.
STARTED, REPEATED = 24, 4


@dataclass(frozen=True, slots=True)
class Cut:
    """The disk after the first `count` writes. `boots` is which first stage its boot block leads to."""

    count: int
    boots: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of it: how many writes were cut after, and which were started, by their numbers."""

    writes: int
    commit: int
    started: tuple[int, ...]
    repeated: tuple[int, ...]

    def describe(self) -> str:
        """For a person, in one line."""
        return (
            f"{self.writes} writes, cut off after each: {self.commit} times the old one, "
            f"{self.writes + 1 - self.commit} times the new one; {len(self.started)} of them started, "
            f"{len(self.repeated)} installed on again; none lost"
        )


def check(sysroot: Sysroot, *, started: int, repeated: int, say: Callable[[str], None]) -> Findings:
    """Record an install and cut it off everywhere. Raises `ChainbootError` for the first machine that is lost."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    base, log = DIRECTORY / "base.img", DIRECTORY / "writes.log"
    say("installing the first stage of before")
    disk = sample.boot_disk("power-cut")
    shutil.copyfile(disks.image(disk, sysroot), base)
    _install(sysroot, _BEFORE, Drive(base, kept=True), "before", say)
    after = DIRECTORY / "after.img"
    shutil.copyfile(base, after)
    log.write_bytes(b"")
    say("installing the first stage of after; every write is recorded")
    _install(sysroot, _AFTER, Drive(after, kept=True, recorded=log), "after", say)
    record = list(read_log(log))
    _check_flushes(record)
    writes = [write for write in record if write.data]
    cuts = list(_cuts(base, writes, sysroot, say))
    commit = next((cut.count for cut in cuts if cut.boots == _AFTER), None)
    if commit is None:
        raise ChainbootError("the install said that it was done, and the disk still starts the old first stage")
    _compare(after, DIRECTORY / "cut.img")
    chosen = _chosen(len(writes), commit, started)
    by_count = {cut.count: cut for cut in cuts}
    for number in chosen:
        say(f"starting the machine as it is after write {number} of {len(writes)}")
        image = _state(base, writes, number)
        boots = by_count[number].boots
        _start(sysroot, image, CHAINBOOT, boots, number)
        _start(sysroot, image, SKIP, "5", number)
        if boots == _AFTER:
            _start(sysroot, image, PREVIOUS, _BEFORE, number)
    # Where an install was cut off half done: around its commit, then in its middle.
    again = [commit - 1, commit, commit // 2, len(writes) - 1][:repeated]
    for number in again:
        say(f"installing again on the disk as it is after write {number}")
        image = _state(base, writes, number)
        _check_file_system(image)
        _install(sysroot, _AFTER, Drive(image, kept=True), f"again-{number}", say)
        with image.open("rb") as opened:
            _verify(read_boot_map(opened), _Expected.of(sysroot), {_AFTER})
    return Findings(len(writes), commit, tuple(chosen), tuple(again))


@dataclass(frozen=True, slots=True)
class _Expected:
    """What each program must consist of."""

    kernel: bytes
    stages: dict[str, bytes]
    skip: bytes

    @classmethod
    def of(cls, sysroot: Sysroot) -> _Expected:
        stages = {name: disks.read(payload_initrd(name), sysroot) for name in (_BEFORE, _AFTER)}
        return cls(sysroot.kernel.read_bytes(), stages, disks.read(payload_initrd("5"), sysroot))


def _install(sysroot: Sysroot, stage: str, drive: Drive, name: str, say: Callable[[str], None]) -> None:
    files = ("--kernel", f"{installer.SOURCE}/kernel", "--initrd", f"{installer.SOURCE}/initrd")
    script = installer.install_command(*files, "--parameters", f"{sample.PARAMETERS} stage={stage.split()[-1]}")
    installer.run_script(
        script + "\n",
        drive,
        {"kernel": Kernel(), "initrd": payload_initrd(stage)},
        sysroot,
        log=LOGS / f"power-cuts-{name}.log",
        runner=run,
        say=lambda _: None,
    )
    say(f"installed {stage}")


def _cuts(base: Path, writes: Sequence[Write], sysroot: Sysroot, say: Callable[[str], None]) -> Iterator[Cut]:
    """Each prefix, verified. The disk is read again only where a write has touched a block that matters."""
    expected = _Expected.of(sysroot)
    image = DIRECTORY / "cut.img"
    shutil.copyfile(base, image)
    with image.open("r+b") as disk:
        found, boots = _read(disk, expected, 0)
        yield Cut(0, boots)
        for count, write in enumerate(writes, 1):
            disk.seek(write.offset)
            disk.write(write.data)
            first, last = write.offset // BLOCK, (write.offset + len(write.data) - 1) // BLOCK
            if not found.blocks.isdisjoint(range(first, last + 1)):
                disk.flush()
                found, boots = _read(disk, expected, count)
            if count % 100 == 0:
                say(f"{count} of {len(writes)} writes replayed")
            yield Cut(count, boots)
        disk.flush()
    # Every block that is loaded must belong to a file after the journal was replayed, whenever the cut came.
    for count in _corners(writes):
        state = _state(base, writes, count)
        _check_file_system(state)
        with state.open("rb") as disk:
            _check_allocation(state, _read(disk, expected, count)[0], count)


def _check_flushes(record: Sequence[Write]) -> None:
    """The boot block is written by itself: all before it is on the disk, and it is before anything that follows.

    A disk may write what it has not flushed in any order, so a cut loses any part of it; the cuts here are prefixes.
    """
    at = [number for number, write in enumerate(record) if write.data and write.offset == 0]
    if not at:
        raise ChainbootError("the boot block was never written")
    for number in at:
        if not (record[number - 1].flush and record[number + 1].flush):
            raise ChainbootError(f"record {number}: there is no flush right before and right after the boot block")


def _corners(writes: Sequence[Write]) -> list[int]:
    """The cuts at which the file system is replayed: around each write to the boot block, and some others."""
    at = [number for number, write in enumerate(writes, 1) if write.offset == 0]
    near = {number + shift for number in at for shift in range(-3, 8)}
    spread = set(range(0, len(writes) + 1, max(1, len(writes) // 40)))
    return sorted(number for number in near | spread | {len(writes)} if 0 <= number <= len(writes))


def _read(disk: BinaryIO, expected: _Expected, count: int) -> tuple[BootMap, str]:
    try:
        found = read_boot_map(disk)
        return found, _verify(found, expected, {_BEFORE, _AFTER})
    except BootMapError as error:
        raise ChainbootError(f"lost after write {count}: {error.message}") from error


def _verify(found: BootMap, expected: _Expected, allowed: set[str]) -> str:
    """Which first stage the default starts. Raises `BootMapError` where a program is not what it should be."""
    default = found.programs[DEFAULT]
    stage = next((name for name in allowed if _is(default, expected.kernel, expected.stages[name])), None)
    if stage is None:
        raise BootMapError("the default is not a first stage that was installed")
    if f"stage={stage.split()[-1]}" not in default.parameters:
        raise BootMapError(f"{stage} has the parameters of another: {default.parameters}")
    if SKIP not in found.programs or not _is(found.programs[SKIP], expected.kernel, expected.skip):
        raise BootMapError("entry 3 is not the default entry of the configuration")
    if stage == _AFTER and not (
        PREVIOUS in found.programs and _is(found.programs[PREVIOUS], expected.kernel, expected.stages[_BEFORE])
    ):
        raise BootMapError("entry 2 is not the first stage of before")
    return stage


def _is(found: Program, kernel: bytes, initrd: bytes) -> bool:
    return _padded(kernel, found.kernel) and _padded(initrd, found.initrd)


def _padded(data: bytes, loaded: bytes) -> bool:
    return loaded[: len(data)] == data and len(loaded) - len(data) < 8 * BLOCK


def _state(base: Path, writes: Sequence[Write], count: int) -> Path:
    """A disk as it is after the first `count` writes."""
    image = DIRECTORY / "state.img"
    shutil.copyfile(base, image)
    with image.open("r+b") as disk:
        for write in writes[:count]:
            disk.seek(write.offset)
            disk.write(write.data)
    return image


def _check_file_system(image: Path) -> None:
    """Replay the journal, as a mount does. Raises `ChainbootError` where anything else is wrong."""
    done = run((program("e2fsck"), "-p", str(image)), check=False, timeout=60)
    if done.returncode > 1:
        raise ChainbootError(f"the file system of {image} is damaged: {done.stdout.strip()}")


def _check_allocation(image: Path, found: BootMap, count: int) -> None:
    """What is loaded lies in files: a block that counts as free is overwritten one day."""
    shown = run((program("dumpe2fs"), str(image)), check=True, timeout=60).stdout
    size = int(_field(shown, r"Block size:\s+(\d+)"))
    free: set[int] = set()
    for line in re.findall(r"(?m)^  Free blocks: (.*)$", shown):
        for part in filter(None, (word.strip() for word in line.split(","))):
            first, _, last = part.partition("-")
            free.update(range(int(first), int(last or first) + 1))
    lost = sorted({block * BLOCK // size for block in found.blocks if block} & free)
    if lost:
        raise ChainbootError(
            f"lost after write {count}: {len(lost)} blocks that the firmware loads count as free, such as {lost[0]}"
        )


def _field(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ChainbootError(f"dumpe2fs said nothing that matches {pattern}")
    return found[1]


def _compare(one: Path, other: Path) -> None:
    if one.read_bytes() != other.read_bytes():
        raise ChainbootError("the recorded writes, replayed, do not give the disk that the guest left")


def _chosen(total: int, commit: int, most: int) -> list[int]:
    """Which cuts are started: around the commit, the end, and the others evenly."""
    if most <= 0:
        return []
    near = [commit - 1, commit, total, 0, commit + 1, commit - 2]
    step = max(1, total // max(1, most - len(near)))
    wanted = dict.fromkeys([*near, *range(step, total, step)])
    return sorted(number for number in list(wanted)[:most] if 0 <= number <= total)


def _start(sysroot: Sysroot, image: Path, entry: int, expected: str, number: int) -> None:
    command = qemu.command_line(sysroot.architecture, kernel=None, drives=[Drive(image)])
    with QemuMachine(command, log=LOGS / f"power-cuts-start-{number}-{entry}.log") as machine:
        machine.start(allow_reboot=True)
        if entry != CHAINBOOT:
            for line in qemu.load_parameter(str(entry)):
                machine.send_monitor_command(line)
        machine.wait_for_console_text(re.escape(f"{payload.GENERATION}{expected}\n"))


def main() -> None:
    """`python -m chainboot_vm.power_cuts [--started N] [--repeated N]`"""
    parser = argparse.ArgumentParser(prog="python -m chainboot_vm.power_cuts", description=__doc__)
    parser.add_argument("--started", type=int, default=STARTED, help="cuts that are started (default: %(default)s)")
    parser.add_argument("--repeated", type=int, default=REPEATED, help="and installed on (default: %(default)s)")
    options = parser.parse_args()
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:6.1f}] {what}", flush=True)

    try:
        sysroot = fetch(architecture("s390x"), say=say)
        first_stage.initrd(sysroot, installer.IMAGE, say=say)
        found = check(sysroot, started=options.started, repeated=options.repeated, say=say)
    except ChainbootError as error:
        sys.exit(f"error: {error}" + (f"\n(hint) {error.hint}" if error.hint else ""))
    print(found.describe())


if __name__ == "__main__":
    main()
