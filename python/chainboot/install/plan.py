"""An install as data: what is written, in which order, and what is removed after it. Pure; perform.py does it.

The boot record on the disk is one block, and zipl's last step writes it: that is the moment when the new first stage
counts. The record leads to blocks of files. So everything that it leads to is on the disk before that block, and what
the record before it led to stays as it is until the new one is on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.boot.plan import Concatenate
from chainboot.errors import RefusedError
from chainboot.install import layout as names
from chainboot.install.disk import Disk
from chainboot.install.first_stage import SourceFile
from chainboot.install.layout import Layout
from chainboot.install.panic import TEXT, PanicRule
from chainboot.install.skip import Skip
from chainboot.install.step import (
    READABLE,
    Command,
    Copy,
    Join,
    Link,
    MakeDirectory,
    Remove,
    Rename,
    Step,
    Sync,
    SyncAll,
    Write,
    WriteThrough,
    size_text,
)
from chainboot.install.target import FirstStage, Target
from chainboot.install.zipl_conf import Section, parameters_problem, zipl_conf
from chainboot.text import printable


@dataclass(frozen=True, slots=True)
class NewStage:
    """The first stage to install. `parameters` are without the mark; `limit` is what its kernel takes, in bytes."""

    kernel: SourceFile
    initrd: SourceFile
    parameters: str
    limit: int | None = None

    @property
    def name(self) -> str:
        """Its id."""
        return names.identifier(self.kernel.digest, self.initrd.digest, self.parameters)


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What one install does, in this order.

    `check` sees that zipl is there, and `clean_up` removes what nothing leads to. What `prepare` makes is removed again
    where it or `rehearse` fails. `commit` writes the boot record. `record` notes that it is there, and `tidy` removes
    what it does not lead to any more. `panic` lets the machine come back when the booted system dies. `result` says
    what the machine has then, `notes` what is left out.
    """

    title: str
    notes: tuple[str, ...]
    check: tuple[Command, ...]
    clean_up: tuple[Remove, ...]
    prepare: tuple[Step, ...]
    rehearse: tuple[Command, ...]
    commit: tuple[Step, ...]
    record: tuple[Step, ...]
    tidy: tuple[Remove, ...]
    panic: tuple[Step, ...]
    result: tuple[str, ...]

    def phases(self) -> tuple[tuple[str, tuple[Step, ...]], ...]:
        """The phases by their headings, in the order in which they run."""
        return (
            ("see that zipl is there", self.check),
            ("remove what nothing leads to", self.clean_up),
            ("prepare; the machine boots as before", self.prepare),
            ("rehearse; the machine boots as before", self.rehearse),
            ("write the boot record", self.commit),
            ("note that it is there", self.record),
            ("remove what the disk leads to no more", self.tidy),
            ("let a panic of the booted system end in a boot", self.panic),
        )

    def describe(self) -> str:
        """Exactly what would be done, for a person: the output of `--dry-run`. Ends in a line feed."""
        lines = [self.title, *(f"  note: {note}" for note in self.notes)]
        for heading, steps in self.phases():
            lines += [f"  {heading}:"] if steps else []
            for step in steps:
                lines.append(f"    {step.describe()}")
                lines += (
                    [f"      {line}".rstrip() for line in step.text.splitlines()] if isinstance(step, Write) else []
                )
        lines += ["  then:", *(f"    {line}" for line in self.result)]
        return "".join(f"{printable(line)}\n" for line in lines)


def make_plan(
    new: NewStage,
    disk: Disk,
    target: Target,
    *,
    previous: FirstStage | None,
    damaged: bool,
    skip: Skip | str,
    free: int,
    panic: PanicRule,
    notes: tuple[str, ...] = (),
) -> InstallPlan:
    """The plan; raises `RefusedError` for what zipl would not take, and where there is not enough room.

    `previous` is the first stage to keep. `damaged`: the volume has the new one, but not as it was made. `skip` is a
    sentence where there is none. `panic` is what this system needs. `free` are the bytes that the disk has once
    `clean_up` is done. `notes` are what the administrator is told beside the plan's own.
    """
    layout = target.layout
    name, number = new.name, target.next_number
    parameters = names.marked(new.parameters, name)
    problem = parameters_problem(parameters, new.limit)
    if problem:
        raise RefusedError(problem, hint="shorten them with --parameters; settings of ours can go into the initrd")
    unreachable = target.unreachable
    home, place = layout.first_stage(name), layout.install(number)
    there = home not in unreachable and any(stage.name == name for stage in target.first_stages)
    sections = _sections(layout, place, name, previous, skip)
    prepare: list[Step] = []
    for path, above in ((layout.own, layout.root), (layout.first_stages, layout.own), (layout.installs, layout.own)):
        if path not in target.present:
            prepare += [MakeDirectory(path), Sync(above)]
    aside = (f"{home}.damaged-{number}",) if there and damaged else ()
    prepare += [Rename(home, path) for path in aside]
    if not there or damaged:
        prepare += _stage(new, parameters, home, layout)
    prepare += [MakeDirectory(place), *_skip_files(skip, place, disk)]
    prepare.append(Write(f"{place}/{names.FIRST_STAGE}", f"{name}\n"))
    if previous is not None:
        prepare.append(Write(f"{place}/{names.PREVIOUS}", f"{previous.name}\n"))
    conf = f"{place}/{names.ZIPL_CONF}"
    prepare += [Write(conf, zipl_conf(place, sections)), Sync(place), Sync(layout.installs), WriteThrough(place)]
    _check_room(prepare, skip, disk, free)
    # --blsdir: else zipl also reads /boot/loader/entries, and what is wrong there stops it (job.c, scan_bls).
    command = ("zipl", "--noninteractive", f"--config={conf}", "--blsdir=/dev/null")
    return InstallPlan(
        title=f"install first stage {name} with zipl on {disk.directory} ({disk.kind}, {disk.source}), number {number}",
        notes=tuple(filter(None, (*notes, f"skip is left out: {skip}" if isinstance(skip, str) else "", panic.note))),
        check=(Command(("zipl", "--version")),),
        clean_up=tuple(Remove(path) for path in unreachable),
        prepare=tuple(prepare),
        rehearse=(Command((*command, "--dry-run")),),
        commit=(Command(command), SyncAll()),
        record=(Write(f"{home}/{names.COMMITTED}", f"{number}\n"), Sync(home)),
        tidy=tuple(Remove(path) for path in (*_obsolete(target, {name, previous.name if previous else name}), *aside)),
        panic=(Write(panic.path, TEXT, READABLE), Sync(panic.path.rpartition("/")[0])) if panic.path else (),
        result=_result(name, previous, skip),
    )


def _sections(
    layout: Layout, place: str, name: str, previous: FirstStage | None, skip: Skip | str
) -> tuple[Section, ...]:
    """The menu. Numbers stay the same where an entry is missing: LOADPARM 3 is always `skip`."""
    found = [_first_stage_section(1, "chainboot", layout.first_stage(name))]
    if previous is not None:
        found.append(_first_stage_section(2, "chainboot-previous", layout.first_stage(previous.name)))
    if isinstance(skip, Skip):
        initrd = f"{place}/{names.SKIP_INITRD}" if skip.initrd else ""
        parameters = f"{place}/{names.SKIP_PARAMETERS}" if skip.parameters else ""
        found.append(Section(3, "skip", f"{place}/{names.SKIP_KERNEL}", initrd, parameters))
    return tuple(found)


def _first_stage_section(number: int, name: str, home: str) -> Section:
    return Section(number, name, *(f"{home}/{file}" for file in (names.KERNEL, names.INITRD, names.PARAMETERS)))


def _stage(new: NewStage, parameters: str, home: str, layout: Layout) -> tuple[Step, ...]:
    made = f"{home}.new"
    return (
        MakeDirectory(made),
        Copy(new.kernel.path, f"{made}/{names.KERNEL}", new.kernel.size, new.kernel.digest),
        Copy(new.initrd.path, f"{made}/{names.INITRD}", new.initrd.size, new.initrd.digest),
        # No line feed at the end: zipl makes it a blank.
        Write(f"{made}/{names.PARAMETERS}", parameters),
        Sync(made),
        Rename(made, home),
        Sync(layout.first_stages),
    )


def _skip_files(skip: Skip | str, place: str, disk: Disk) -> tuple[Step, ...]:
    if isinstance(skip, str):
        return ()
    steps: list[Step] = [_second(skip.kernel, f"{place}/{names.SKIP_KERNEL}", skip.kernel_size, disk)]
    target = f"{place}/{names.SKIP_INITRD}"
    if skip.joined:
        steps.append(Join(Concatenate(skip.initrd, target), skip.initrd_size))
    elif skip.initrd:
        steps.append(_second(skip.initrd[0].path, target, skip.initrd_size, disk))
    if skip.parameters:
        steps.append(Write(f"{place}/{names.SKIP_PARAMETERS}", skip.parameters))
    return tuple(steps)


def _second(source: str, target: str, size: int, disk: Disk) -> Copy | Link:
    return Link(source, target, size) if disk.links else Copy(source, target, size)


# What zipl's bootmap takes beside its tables, in bytes: a loader for each entry, with room to spare.
_LOADERS = 1 << 20
# Its tables have 16 bytes for each block of the files, and blocks have 512 bytes at least (bootmap.c).
_TABLES = 32


def _check_room(steps: list[Step], skip: Skip | str, disk: Disk, free: int) -> None:
    """Raises `RefusedError` where the disk has not the room for all that is written before the boot record."""
    written = sum(step.size + disk.block for step in steps if isinstance(step, Copy | Join))
    written += sum(disk.block for step in steps if isinstance(step, Write | MakeDirectory))
    mapped = written + (skip.kernel_size + skip.initrd_size if isinstance(skip, Skip) else 0)
    needed = written + 2 * mapped // _TABLES + _LOADERS
    if needed > free:
        raise RefusedError(
            f"{disk.directory} has {size_text(free)} free, and {size_text(needed)} are needed",
            hint="the first stage that is there must stay until the new one counts; remove old generations",
        )


def _obsolete(target: Target, kept: set[str]) -> tuple[str, ...]:
    """What is not needed once the new boot record is on the disk."""
    gone = set(target.unreachable)
    paths = [target.layout.install(install.number) for install in target.installs]
    paths += [target.layout.first_stage(stage.name) for stage in target.first_stages if stage.name not in kept]
    return tuple(path for path in (*paths, *target.damaged) if path not in gone)


def _result(name: str, previous: FirstStage | None, skip: Skip | str) -> tuple[str, ...]:
    if previous is None:
        second = "LOADPARM 2: nothing, there is no other first stage"
    else:
        worth = "which has loaded an entry here" if previous.proved else "of which it is not known whether it works"
        second = f"LOADPARM 2 (chainboot-previous): first stage {previous.name}, {worth}"
    third = f"LOADPARM 3 (skip): {skip.label}, without chainboot" if isinstance(skip, Skip) else "LOADPARM 3: nothing"
    return (f"default, LOADPARM 1 (chainboot): first stage {name}", second, third)
