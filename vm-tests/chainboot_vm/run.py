"""Runs scenarios: makes what each needs, boots it, and says how it went.

Knows every other module here. `python -m chainboot_vm.run [NAME...]` runs the named ones, or all; pytest does the same
through vm-tests/test_scenarios.py. The list is the directory of scenarios in both cases.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chainboot.errors import ChainbootError
from chainboot.process import Runner, run
from chainboot_vm import access, additions, disks, first_stage, installer, qemu, scenario
from chainboot_vm.access import Access
from chainboot_vm.architecture import ARCHITECTURES, Architecture, architecture
from chainboot_vm.artifacts import BUILD
from chainboot_vm.disks import Disk
from chainboot_vm.emulator import EmulatorFactory, OwnQemu
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.scenario import Scenario
from chainboot_vm.sysroot import Sysroot, fetch, given

# Kernel messages would tear the menu; a panic ends a machine that may not reboot, and so the test.
PARAMETERS = "quiet panic=10"

# Emulation takes one core for each machine.
JOBS = 2

# Those that take minutes.
_SLOW = (
    *("trial_systemd", "ssh_verbs", "ssh_screens", "ssh_countdown", "zipl_story"),
    *("trial_next", "trial_next_ssh", "trial_confirm", "trial_volume_full"),
)

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Ready:
    """A scenario, the QEMU command line that starts its machine, and the keys with which it is called.

    `install` is what has to be done before, if anything.
    """

    scenario: Scenario
    architecture: str
    command: tuple[str, ...]
    log: Path
    access: Access
    consoles: tuple[tuple[str, ...], ...]
    install: installer.Installation | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario went. `failure` is None when it passed."""

    name: str
    seconds: float
    failure: str | None


def prepare(found: Scenario, sysroot: Sysroot, *, runner: Runner = run, say: Callable[[str], None]) -> Ready:
    """Make the image and the disks of a scenario. Raises `ChainbootError`."""
    arch = sysroot.architecture
    if arch.name not in found.architectures:
        raise ChainbootError(
            f"{found.name} is not for {arch.name}", hint=f"it is for: {', '.join(found.architectures)}"
        )
    keys = access.keys(runner=runner)
    initrd = additions.append(found.additions, first_stage.initrd(sysroot, found.image, runner=runner, say=say), keys)
    parameters = " ".join(filter(None, (_consoles(found, arch), PARAMETERS, found.parameters)))
    drives = [_drive(found, arch, disk, disks.image(disk, sysroot, runner=runner)) for disk in found.disks]
    log = BUILD / "vm-logs" / f"{found.name}-{arch.name}.log"
    install = None
    if found.install is not None:
        first_stage.initrd(sysroot, installer.IMAGE, runner=runner, say=say)
        given = " ".join(filter(None, (parameters, found.install)))
        told = log.with_name(f"{log.stem}-install.log")
        install = installer.Installation(initrd, given, drives[0], sysroot, told)
    command = qemu.command_line(
        arch,
        kernel=None if install else sysroot.kernel,
        initrd=initrd,
        append=parameters,
        drives=drives,
        networks=found.networks,
        hardware=_hardware(found, arch, log),
    )
    devices = qemu.console_devices(arch, found.consoles, line=found.line_console)
    return Ready(found, arch.name, command, log, keys, devices, install)


def _consoles(found: Scenario, arch: Architecture) -> str:
    """The kernel parameters for its consoles. The one that knows lines only is the kernel's own: there panics show."""
    line = arch.line_console.parameters if found.line_console and arch.line_console else ""
    return " ".join(filter(None, (qemu.consoles(arch, found.consoles), line)))


def _drive(found: Scenario, arch: Architecture, disk: Disk, image: Path) -> qemu.Drive:
    own = disks.copy(image, f"{found.name}-{arch.name}") if disk.kept else image
    return qemu.Drive(own, disk.attached, disk.kept, read_only=disk.read_only)


def _hardware(found: Scenario, arch: Architecture, log: Path) -> tuple[str, ...]:
    """Arguments for what few machines have."""
    given = qemu.clock(found.clock) if found.clock else ()
    given += qemu.watchdog(arch) if found.watchdog else ()
    if found.panic_store and arch.name == "x86_64":
        file = log.with_suffix(".erst")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        given += qemu.panic_store(file)
    return given


def perform(ready: Ready, say: Callable[[str], None], *, emulator: EmulatorFactory = OwnQemu) -> Outcome:
    """Boot a machine and run the scenario on it. A failure is an outcome, not an exception."""
    began = time.monotonic()
    failure = None
    found = ready.scenario
    if ready.install is not None:
        try:
            ready.install.perform(run, say)
        except ChainbootError as error:
            return Outcome(found.name, time.monotonic() - began, f"installing: {error}")
    with NetworkedQemuMachine(
        ready.command,
        log=ready.log,
        networks=found.networks,
        access=ready.access,
        pinned=found.additions.host_key,
        say=say,
        consoles=ready.consoles,
        emulator=emulator,
    ) as machine:
        try:
            found.run(machine)
        except (ChainbootError, AssertionError) as error:
            failure = f"{error}\nThe whole console: {ready.log}"
    return Outcome(found.name, time.monotonic() - began, failure)


class Session:
    """Scenarios in the background, a few at a time. What they share has been made before the first starts.

    `wanted` are names, and the architecture of each; so are the keys of `outcomes`. `find` gives the sysroot of an
    architecture.
    """

    def __init__(
        self,
        wanted: Sequence[tuple[str, str]],
        jobs: int,
        say: Callable[[str], None],
        find: Callable[[Architecture], Sysroot] | None = None,
    ) -> None:
        self._pool = ThreadPoolExecutor(max_workers=jobs)
        access.keys()  # which all of them share
        # One after the other: Python 3.11's `ast`, by which an image's imports are found, is not safe in threads.
        ready = [
            one
            for arch in dict.fromkeys(arch for _, arch in wanted)
            for one in _prepare_all(
                [name for name, other in wanted if other == arch],
                fetch(architecture(arch), say=say) if find is None else find(architecture(arch)),
                say,
            )
        ]
        # What takes minutes comes first, so that it is not what everybody waits for at the end.
        ready.sort(key=lambda one: one.scenario.name not in _SLOW)
        self.outcomes: dict[tuple[str, str], Future[Outcome]] = {
            (one.scenario.name, one.architecture): self._pool.submit(perform, one, _prefixed(one.scenario.name, say))
            for one in ready
        }

    def submit(self, work: Callable[[], _R]) -> Future[_R]:
        """Something else that takes a core, in turn with the scenarios."""
        return self._pool.submit(work)

    def close(self) -> None:
        """Forget the scenarios that have not started, and wait for the others."""
        self._pool.shutdown(cancel_futures=True)


def _prepare_all(names: Sequence[str], sysroot: Sysroot, say: Callable[[str], None]) -> list[Ready]:
    return [prepare(scenario.load(name), sysroot, say=say) for name in names]


def _prefixed(name: str, say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda what: say(f"{name}: {what}")


def main() -> None:
    """`python -m chainboot_vm.run [--arch NAME] [--jobs N] [--quiet] [--sysroot DIRECTORY ...] [NAME...]`"""
    parser = argparse.ArgumentParser(prog="python -m chainboot_vm.run", description=__doc__)
    parser.add_argument("--arch", default="x86_64", choices=[row.name for row in ARCHITECTURES])
    parser.add_argument("--jobs", type=int, default=JOBS, help="machines at a time (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="only say how each scenario went")
    parser.add_argument("--sysroot", type=Path, metavar="DIRECTORY", help="one that was made elsewhere, such as by Nix")
    parser.add_argument("--store", type=Path, metavar="DIRECTORY", help="where links of that sysroot may lead to")
    parser.add_argument("--initrd", type=Path, metavar="FILE", help="the first stage that was made from that sysroot")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(scenario.names())}")
    options = parser.parse_args()
    if options.sysroot is None and (options.store or options.initrd):
        parser.error("--store and --initrd are about a --sysroot")
    began = time.monotonic()

    def say(what: str) -> None:
        if not options.quiet:
            print(f"[{time.monotonic() - began:6.1f}] {what}", flush=True)

    failed = 0
    session = None
    try:
        names = options.names or scenario.names_for(options.arch)
        find = None
        if options.sysroot is not None:
            made = given(architecture(options.arch), options.sysroot, store=options.store, complete=options.initrd)
            find = lambda _: made  # noqa: E731
        session = Session([(name, options.arch) for name in names], options.jobs, say, find)
        for future in as_completed(session.outcomes.values()):
            outcome = future.result()
            how = "ok" if outcome.failure is None else f"FAILED: {outcome.failure}"
            print(f"[{time.monotonic() - began:6.1f}] {outcome.name} ({outcome.seconds:.1f} s): {how}", flush=True)
            failed += outcome.failure is not None
    except ChainbootError as error:
        sys.exit(f"error: {error}" + (f"\n(hint) {error.hint}" if error.hint else ""))
    finally:
        if session is not None:
            session.close()
    total = len(session.outcomes)
    print(f"{total - failed} of {total} scenarios passed in {time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
