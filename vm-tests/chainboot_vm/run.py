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

from chainboot.errors import ChainbootError
from chainboot.process import Runner, run
from chainboot_vm import access, additions, disks, first_stage, qemu, scenario
from chainboot_vm.access import Access
from chainboot_vm.architecture import ARCHITECTURES, Architecture, architecture
from chainboot_vm.artifacts import BUILD
from chainboot_vm.disks import Disk
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.scenario import Scenario
from chainboot_vm.sysroot import Sysroot, fetch

# Kernel messages would tear the menu; a panic ends a machine that may not reboot, and so the test.
PARAMETERS = "quiet panic=10"

# Emulation takes one core for each machine.
JOBS = 2


@dataclass(frozen=True, slots=True)
class Ready:
    """A scenario, the QEMU command line that starts its machine, and the keys with which it is called."""

    scenario: Scenario
    command: tuple[str, ...]
    log: Path
    access: Access


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario went. `failure` is None when it passed."""

    name: str
    seconds: float
    failure: str | None


def prepare(found: Scenario, sysroot: Sysroot, *, runner: Runner = run, say: Callable[[str], None]) -> Ready:
    """Make the image and the disks of a scenario. Raises `ChainbootError`."""
    arch = sysroot.architecture
    keys = access.keys(runner=runner)
    initrd = first_stage.initrd(sysroot, found.image, runner=runner, say=say)
    parameters = " ".join(filter(None, (qemu.consoles(arch, found.consoles), PARAMETERS, found.parameters)))
    command = qemu.command_line(
        arch,
        kernel=sysroot.kernel,
        initrd=additions.append(found.additions, initrd, keys),
        append=parameters,
        drives=[_drive(found, arch, disk, disks.image(disk, sysroot, runner=runner)) for disk in found.disks],
        networks=found.networks,
    )
    return Ready(found, command, BUILD / "vm-logs" / f"{found.name}-{arch.name}.log", keys)


def _drive(found: Scenario, arch: Architecture, disk: Disk, image: Path) -> qemu.Drive:
    return qemu.Drive(disks.copy(image, f"{found.name}-{arch.name}") if disk.kept else image, disk.attached, disk.kept)


def perform(ready: Ready, say: Callable[[str], None]) -> Outcome:
    """Boot a machine and run the scenario on it. A failure is an outcome, not an exception."""
    began = time.monotonic()
    failure = None
    found = ready.scenario
    with NetworkedQemuMachine(
        ready.command,
        log=ready.log,
        networks=found.networks,
        access=ready.access,
        pinned=found.additions.host_key,
        say=say,
        consoles=found.consoles,
    ) as machine:
        try:
            found.run(machine)
        except (ChainbootError, AssertionError) as error:
            failure = f"{error}\nThe whole console: {ready.log}"
    return Outcome(found.name, time.monotonic() - began, failure)


class Session:
    """Scenarios in the background, a few at a time. What they share has been made before the first starts."""

    def __init__(self, arch: Architecture, names: Sequence[str], jobs: int, say: Callable[[str], None]) -> None:
        sysroot = fetch(arch, say=say)
        ready = [prepare(scenario.load(name), sysroot, say=say) for name in names]
        self._pool = ThreadPoolExecutor(max_workers=jobs)
        self.outcomes: dict[str, Future[Outcome]] = {
            one.scenario.name: self._pool.submit(perform, one, _prefixed(one.scenario.name, say)) for one in ready
        }

    def close(self) -> None:
        """Forget the scenarios that have not started, and wait for the others."""
        self._pool.shutdown(cancel_futures=True)


def _prefixed(name: str, say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda what: say(f"{name}: {what}")


def main() -> None:
    """`python -m chainboot_vm.run [--arch NAME] [--jobs N] [--quiet] [NAME...]`"""
    parser = argparse.ArgumentParser(prog="python -m chainboot_vm.run", description=__doc__)
    parser.add_argument("--arch", default="x86_64", choices=[row.name for row in ARCHITECTURES])
    parser.add_argument("--jobs", type=int, default=JOBS, help="machines at a time (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="only say how each scenario went")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(scenario.names())}")
    options = parser.parse_args()
    began = time.monotonic()

    def say(what: str) -> None:
        if not options.quiet:
            print(f"[{time.monotonic() - began:6.1f}] {what}", flush=True)

    failed = 0
    session = None
    try:
        session = Session(architecture(options.arch), options.names or scenario.names(), options.jobs, say)
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
