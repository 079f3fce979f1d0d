"""`chainboot install`: from the options to an install plan, which is printed or carried out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainboot.boot.cmdline import values
from chainboot.boot.lock import try_lock
from chainboot.boot.mounts import MOUNTINFO
from chainboot.errors import RefusedError, reason
from chainboot.install.disk import SYSFS, Disk, find_disk
from chainboot.install.first_stage import BOOT, Kernel, SourceFile, read_initrd, read_kernel
from chainboot.install.initrd import check_initrd
from chainboot.install.layout import Layout, unmarked
from chainboot.install.online import offline_notes
from chainboot.install.panic import DIRECTORIES, find_panic_rule
from chainboot.install.perform import perform
from chainboot.install.plan import InstallPlan, NewStage, make_plan
from chainboot.install.skip import find_skip
from chainboot.install.system import SYSTEM, System
from chainboot.install.target import Target, is_intact, read_target, size_of
from chainboot.install.zipl_conf import check_path
from chainboot.process import Runner
from chainboot.text import printable

if TYPE_CHECKING:
    import argparse

Say = Callable[[str], None]

CMDLINE = "/proc/cmdline"
ZIPL_CONF = "/etc/zipl.conf"


@dataclass(frozen=True, slots=True)
class Request:
    """What the options ask for: paths, and the parameters of the first stage (None: those that it has)."""

    target: str
    kernel: str
    initrd: str
    parameters: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """What the installer reads of the running system."""

    mounts: str = MOUNTINFO
    cmdline: str = CMDLINE
    tmpfiles: tuple[str, ...] = DIRECTORIES
    sysfs: str = SYSFS
    boot: str = BOOT
    zipl_conf: str = ZIPL_CONF


def run(options: argparse.Namespace, runner: Runner, talk: Say) -> str:
    """The verb: what is for stdout. Raises `ChainbootError`."""
    if os.geteuid() != 0 and not options.dry_run:
        raise RefusedError("only root may install", hint="--dry-run needs no root")
    request = Request(options.target, options.kernel, options.initrd, options.parameters, options.dry_run)
    return install(request, runner, lambda text: talk(f"chainboot: {printable(text)}"))


def install(
    request: Request, runner: Runner, say: Say, *, system: System = SYSTEM, machine: Machine | None = None
) -> str:
    """Install, or with `dry_run` the text of the plan, which changes nothing. Raises `ChainbootError`."""
    machine = machine or Machine()
    kernel = read_kernel(request.kernel, machine.boot)
    initrd = read_initrd(request.initrd)
    notes = (*_kexec_notes(kernel), *check_initrd(initrd.path, kernel.image.version, runner), *_zipl_notes(machine))
    disk = find_disk(request.target, mounts=machine.mounts, sysfs=machine.sysfs)
    check_path(disk.directory)
    layout = Layout(disk.directory)
    if request.dry_run:
        return _plan(request, kernel, initrd, disk, read_target(layout), say, machine, notes).describe()
    read_target(layout)  # what stands in our way is found before anything is made
    with _locked(layout):
        plan = _plan(request, kernel, initrd, disk, read_target(layout), say, machine, notes)
        for note in plan.notes:
            say(note)
        perform(plan, runner, say, system)
    for line in plan.result:
        say(line)
    return ""


def _plan(
    request: Request,
    kernel: Kernel,
    initrd: SourceFile,
    disk: Disk,
    target: Target,
    say: Say,
    machine: Machine,
    notes: tuple[str, ...],
) -> InstallPlan:
    parameters = _parameters(request, target, say, machine)
    new = NewStage(kernel.file, initrd, parameters, kernel.image.command_line_limit)
    same = next((stage for stage in target.first_stages if stage.name == new.name), None)
    return make_plan(
        new,
        disk,
        target,
        previous=target.previous(new.name, lambda stage: is_intact(target.layout, stage)),
        damaged=same is not None and not is_intact(target.layout, same),
        skip=find_skip(disk.directory, say),
        free=disk.free + sum(size_of(path) for path in target.unreachable),
        panic=find_panic_rule(machine.tmpfiles),
        notes=(*notes, *offline_notes(disk.number, parameters, machine.sysfs)),
    )


def _parameters(request: Request, target: Target, say: Say, machine: Machine) -> str:
    """Those that were asked for, else those of the first stage that is there, else the consoles of this system."""
    if request.parameters is not None:
        if request.parameters.count('"') % 2:  # the kernel would take all that follows for one word
            raise RefusedError("the parameters end within quotes", hint='--parameters needs another "')
        return unmarked(request.parameters)
    current = target.current
    if current is not None and current.parameters is not None:
        say(f"parameters of the first stage that is there, {current.name}: {current.parameters or '(none)'}")
        return current.parameters
    try:
        with open(machine.cmdline, encoding="utf-8", errors="surrogateescape") as file:
            running = file.read()
    except OSError:
        running = ""
    found = unmarked([f"console={value}" for value in values(running, "console")])
    say(f"parameters from the running system: {found or '(none: it names no console)'}")
    return found


def _zipl_notes(machine: Machine) -> tuple[str, ...]:
    if not os.path.lexists(machine.zipl_conf):
        return ()
    return (
        f"Debian's kernel hooks run zipl with {machine.zipl_conf} after each update, which would take chainboot off "
        "this disk again: remove or rename it",
    )


def _kexec_notes(kernel: Kernel) -> tuple[str, ...]:
    """Raises `RefusedError` where the kernel surely has no kexec; says where that is not known."""
    from chainboot.boot.kernel_config import kexec_missing

    if not kernel.config:
        return ("whether this kernel has kexec could not be checked: there is no config-VERSION beside it",)
    missing = kexec_missing(kernel.config)
    if missing:
        raise RefusedError(f"{kernel.file.path} cannot be installed: {missing}")
    return ()


@contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    """One install at a time; raises `RefusedError` while there is another."""
    try:
        os.makedirs(layout.own, mode=0o700, exist_ok=True)
        above = os.open(os.path.dirname(layout.own), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(above)
        finally:
            os.close(above)
        descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise RefusedError(f"{layout.own} cannot be written: {reason(error)}") from error
    try:
        if not try_lock(descriptor, fcntl.LOCK_EX):
            raise RefusedError("another install is at work on this volume", hint="wait until it has ended")
        yield
    finally:
        os.close(descriptor)
