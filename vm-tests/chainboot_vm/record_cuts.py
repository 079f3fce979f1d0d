"""`make cuts`: the record of trials and the default entry are written, and the power fails at every moment of it.

A first stage in QEMU runs chainboot's own code on an ext4 and on a FAT (vm-tests/record-cuts/work.py), mounted for
each write and mounted all the time, alone and beside somebody who syncs; QEMU records every write and every flush.
Each state that a power cut can leave (cut_states.py) is read as the menu reads it, without a look at the journal, and
once more after the repair that a booting system does. In each of them both files must be whole: as they were before
the step that was cut off, or as they are after it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from chainboot.boot.candidate import candidates
from chainboot.boot.change import default_change
from chainboot.boot.volume import Volume, read_configuration
from chainboot.errors import ChainbootError
from chainboot.process import run
from chainboot.session.console import SHELL
from chainboot.trial import slots, transition
from chainboot.trial.record import Record
from chainboot_vm import disks, first_stage, nixos, qemu, sample, vfat
from chainboot_vm.architecture import architecture
from chainboot_vm.artifacts import BUILD, REPOSITORY
from chainboot_vm.cut_readers import READERS, Reader, Seen
from chainboot_vm.cut_states import State, states, windows
from chainboot_vm.disks import Disk
from chainboot_vm.machine import QemuMachine
from chainboot_vm.qemu import Drive
from chainboot_vm.steps import menu_is_ready
from chainboot_vm.sysroot import Sysroot, fetch
from chainboot_vm.write_log import Write, read_log

DIRECTORY = BUILD / "record-cuts"
WORK = REPOSITORY / "vm-tests" / "record-cuts" / "work.py"

# Of the sets of writes, where there are too many for all of them.
SEED = 7

CONFIGURATION, RECORD = "extlinux/extlinux.conf", "chainboot/trials"
RECORD_STEPS, DEFAULT_STEPS = 20, 6

FILE_SYSTEMS = ("ext4", "fat32", "fat16")

# On FAT a temporary file takes the place of the first in the directory, in another sector than the configuration and
# before it: where both have the same clusters, a check of the file system takes them from the second.
_HOLE = "extlinux/a-file-that-leaves-a-hole-behind"
_BETWEEN = tuple(f"extlinux/b-file-that-is-in-between-{number}" for number in range(4))

# Examples of what is lost that are shown for each case.
_SHOWN = 8
# Clusters of one sector, so that every file has many, and of eight.
_SECTORS_PER_CLUSTER = {32: 1, 16: 8}
# Seconds.
_WORK_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Case:
    """One recording. `file_system` is one of `FILE_SYSTEMS`; `how` and `noise` are what work.py is told."""

    file_system: str
    how: str
    noise: str

    @property
    def name(self) -> str:
        return f"{self.file_system}-{self.how}-{self.noise}"


CASES = tuple(
    Case(file_system, how, noise)
    for file_system in FILE_SYSTEMS
    for how in ("first-stage", "running")
    for noise in ("quiet", "noisy")
)


@dataclass(frozen=True, slots=True)
class Truth:
    """What the files are after each step; the record of step 0 is that there is none."""

    configurations: tuple[bytes, ...]
    records: tuple[Record | None, ...]

    def loss(self, seen: Seen, state: State) -> str:
        """What is lost in a state in which a reader finds `seen`; "" where all is well."""
        configuration = seen.files.get(CONFIGURATION)
        least, most = state.least.get("default", 0), state.most.get("default", 0)
        if configuration not in self.configurations[least : most + 1]:
            return f"configuration {_which(configuration, self.configurations)}, not {least} to {most}"
        record = slots.decode(seen.files.get(RECORD, b"")).record
        least, most = state.least.get("record", 0), state.most.get("record", 0)
        if record not in self.records[least : most + 1]:
            return f"record {_which(record, self.records)}, not {least} to {most}"
        return ""


@dataclass(slots=True)
class Findings:
    """What came of one case: numbers, and the first few of what is lost."""

    writes: int = 0
    windows: int = 0
    cuts: int = 0
    torn: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def describe(self) -> str:
        """For a person; one line where nothing is lost."""
        counts = (
            f"{self.writes} writes between {self.windows} flushes, {self.cuts} cuts ({self.torn} with a torn write)"
        )
        lines = [f"{counts}, each read in 2 ways: {self.lost.total()} lost"]
        lines += [f"  {reader}: {count} lost" for reader, count in sorted(self.lost.items())]
        return "\n".join([*lines, *(f"  such as {example}" for example in self.examples)])


def check(case: Case, sysroot: Sysroot, say: Callable[[str], None]) -> Findings:
    """Record a case and cut it off everywhere. Raises `ChainbootError` for what goes wrong before the first cut."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    base, work, log = (DIRECTORY / f"{case.name}.{end}" for end in ("base.img", "img", "log"))
    mark_at = _make_base(case.file_system, base, sysroot)
    shutil.copyfile(base, work)
    log.write_bytes(b"")
    _record(case, sysroot, Drive(work, kept=True, recorded=log), mark_at)
    record = list(read_log(log))
    say(f"{len(record)} writes and flushes recorded")
    readers = READERS["ext4" if case.file_system == "ext4" else "fat"]
    # A file system with larger blocks than a sector takes them for whole; a record is whole without that, and FAT too.
    tears = _tears_records if case.file_system == "ext4" else _tears_everything
    return replay(base, record, mark_at, truth(), readers, tears, say)


def replay(
    base: Path,
    record: Sequence[Write],
    mark_at: int,
    expected: Truth,
    readers: Mapping[str, Reader],
    tears: Callable[[Write], bool],
    say: Callable[[str], None],
) -> Findings:
    """Every state that a power cut can leave of `record`, which began on the image `base`, read by every reader."""
    source, found = random.Random(SEED), Findings()
    image = base.with_suffix(".state")
    shutil.copyfile(base, image)
    with image.open("r+b", buffering=0) as disk:
        for number, window in enumerate(windows(record, mark_at)):
            found.windows += 1
            found.writes += len(window.writes)
            for state in states(window, source, tears):
                found.cuts += 1
                found.torn += state.torn is not None
                there = [window.writes[kept] for kept in state.kept]
                with _written(disk, [*there, state.torn] if state.torn else there):
                    for name, reader in readers.items():
                        seen = reader(image, (CONFIGURATION, RECORD))
                        loss = expected.loss(seen, state)
                        if loss:
                            found.lost[f"{name}, {loss.partition(' ')[0]}"] += 1
                            if len(found.examples) < _SHOWN:
                                torn = " and a part" if state.torn else ""
                                part = f"writes {list(state.kept)}{torn} of {len(window.writes)} after flush {number}"
                                found.examples.append(f"{part}, {name}: {loss} {seen.trouble}".strip())
            for write in window.writes:
                _write(disk, write)
            if number % 50 == 0:
                say(f"{found.cuts} cuts after {number} flushes, {found.lost.total()} lost")
    return found


def truth() -> Truth:
    """What work.py writes, worked out here by the same code."""
    records: list[Record | None] = [None]
    record = Record()
    for step in range(1, RECORD_STEPS + 1):
        digest, now = f"{step:016x}", 1800000000 + step
        record = transition.start(record, digest, 2, now)
        if step % 2:
            record = transition.bless(record, digest, now)
        record = replace(slots.tidy(record), sequence=step)
        records.append(record)
    with tempfile.TemporaryDirectory() as root:
        for path, data in _files().items():
            Path(root, path).parent.mkdir(exist_ok=True)
            Path(root, path).write_text(data)
        place = Path(root, CONFIGURATION)
        configurations = [place.read_bytes()]
        for step in range(1, DEFAULT_STEPS + 1):
            found = candidates([read_configuration(Volume(root, "cuts"), f"/{CONFIGURATION}")])
            configurations.append(default_change(found, found[step % 2 + 1], force=True).after)
            place.write_bytes(configurations[-1])
    return Truth(tuple(configurations), tuple(records))


def _tears_records(write: Write) -> bool:
    return write.data.startswith(b"chainboot-trials ")


def _tears_everything(_: Write) -> bool:
    return True


def _which(found: bytes | Record | None, among: Sequence[bytes | Record | None]) -> str:
    if found in among:
        return f"{among.index(found)}"
    return "is not there" if found is None else "is none that was ever written"


def _make_base(file_system: str, target: Path, sysroot: Sysroot) -> int:
    """The disk before the first step. Returns the size of its file system in bytes, behind which marks may stand."""
    files = _files()
    if file_system == "ext4":
        disks.write(Disk("cuts", files, size_mib=12), target, sysroot, run)
    else:
        bits = int(file_system.removeprefix("fat"))
        content = {path: data.encode() for path, data in files.items()}
        vfat.make(
            target,
            content,
            label="cuts",
            size_mib=36,
            sectors_per_cluster=_SECTORS_PER_CLUSTER[bits],
            bits=bits,
            run=run,
        )
    size = target.stat().st_size
    with target.open("r+b") as disk:
        disk.truncate(size + 4096)
    return size


def _files() -> dict[str, str]:
    """A /boot of NixOS, whose kernels nobody starts here."""
    boot = nixos.nixos_boot(sample.GENERATIONS, timeout=0, directory="")
    files = {path: node if isinstance(node, str) else f"{path}\n" for path, node in boot.items()}
    return {**files, _HOLE: "work.py removes it\n", **dict.fromkeys(_BETWEEN, "")}


def _record(case: Case, sysroot: Sysroot, drive: Drive, mark_at: int) -> None:
    script = disks.image(Disk("work", {"work.py": WORK.read_text()}, size_mib=8), sysroot)
    command = qemu.command_line(
        sysroot.architecture,
        kernel=sysroot.kernel,
        initrd=first_stage.initrd(sysroot, say=lambda _: None),
        # On a busy machine the emulated timer fails the kernel's test of it.
        append=f"{qemu.consoles(sysroot.architecture, 1)} quiet panic=10 no_timer_check",
        drives=[drive, Drive(script)],
    )
    with QemuMachine(command, log=BUILD / "vm-logs" / f"record-cuts-{case.name}.log") as machine:
        machine.start()
        menu_is_ready(machine)
        machine.send_console("s")
        machine.wait_for_console_text(SHELL)
        work = f"/run/chainboot/volumes/vd?/work.py {case.how} {case.noise} {mark_at}"
        machine.send_console(f"python3 -P -s -S {work} && poweroff -f\n")
        machine.wait_for_console_text("work: done", timeout=_WORK_LIMIT)
        machine.wait_for_shutdown()


@contextmanager
def _written(disk: BinaryIO, writes: Sequence[Write]) -> Iterator[None]:
    """The disk with these writes, and without them again."""
    before: list[Write] = []
    for write in writes:
        disk.seek(write.offset)
        before.append(Write(write.offset, disk.read(len(write.data)), flush=False))
        _write(disk, write)
    try:
        yield
    finally:
        for write in reversed(before):
            _write(disk, write)


def _write(disk: BinaryIO, write: Write) -> None:
    disk.seek(write.offset)
    disk.write(write.data)


def main() -> None:
    """`python -m chainboot_vm.record_cuts [CASE ...]`, such as fat32-running-noisy or only fat32"""
    parser = argparse.ArgumentParser(prog="python -m chainboot_vm.record_cuts", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"one of: {', '.join(case.name for case in CASES)}")
    wanted = parser.parse_args().cases
    chosen = [case for case in CASES if not wanted or any(case.name.startswith(name) for name in wanted)]
    began = time.monotonic()
    total, lost = 0, 0
    try:
        sysroot = fetch(architecture("x86_64"), say=print)
        first_stage.initrd(sysroot, say=print)
        for case in chosen:
            name = case.name

            def say(what: str, name: str = name) -> None:
                print(f"[{time.monotonic() - began:6.1f}] {name}: {what}", flush=True)

            found = check(case, sysroot, say)
            say(found.describe())
            total, lost = total + found.cuts, lost + found.lost.total()
    except ChainbootError as error:
        sys.exit(f"error: {error}" + (f"\n(hint) {error.hint}" if error.hint else ""))
    print(f"{total} cuts in {len(chosen)} recordings, seed {SEED}: {lost} lost")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
