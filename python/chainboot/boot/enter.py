"""Entering the system of an entry: mount it writable, run a shell in it, take everything down again.

Carries out an EnterPlan. The disk is not trusted: what is mounted inside it goes onto real directories only, never
through a link. What is taken down is what the kernel says is mounted, so nothing stays that the person, or a session
that was killed, left behind.
"""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Protocol

from chainboot.boot.discovery import block_devices, probe
from chainboot.boot.enter_plan import EnterPlan, Step, deepest_first
from chainboot.boot.fstab import Device, as_device
from chainboot.boot.mounts import Mounted, read_mounts
from chainboot.boot.volume import file_type
from chainboot.errors import ChainbootError, RefusedError, reason
from chainboot.process import Runner
from chainboot.text import printable

# Lines that tests and log readers wait for.
ENTERED = "chainboot: in the system of"
LEFT = "chainboot: left, and everything is unmounted"

# Seconds for one mount or umount: replaying a journal and writing everything back may take their time.
_PATIENCE = 120.0

# Tenths of a second: how long what runs inside may take to end, and a busy mount to become free.
_ENDING_DS = 20


class Interact(Protocol):
    """Runs a program on this terminal and returns its exit code; `process.interact`."""

    def __call__(self, argv: Sequence[str], *, extra_env: dict[str, str] | None = None) -> int: ...


class System:
    """What this module asks the kernel, one method for each question, so that a test can answer it."""

    def mounts(self) -> tuple[Mounted, ...]:
        """Every mount, in the kernel's order."""
        return read_mounts()

    def writable(self, path: str) -> bool:
        """Whether what is mounted there can be written to: mount(8) falls back to read-only by itself."""
        return not os.statvfs(path).f_flag & os.ST_RDONLY

    def directory(self, base: str, place: str, create: bool) -> None:
        """Make sure that every part of `place` below `base` is a real directory. Raises `RefusedError`, OSError."""
        here = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        done = ""
        try:
            for part in place.strip("/").split("/"):
                done += f"/{part}"
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o755, dir_fd=here)
                mode = os.stat(part, dir_fd=here, follow_symlinks=False).st_mode
                if not stat.S_ISDIR(mode):
                    what = "a symbolic link" if stat.S_ISLNK(mode) else file_type(mode)
                    raise RefusedError(f"{done} is {what}, not a directory, and nothing is mounted through it")
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
                os.close(here)
                here = below
        finally:
            os.close(here)

    def inside(self, root: str) -> tuple[int, ...]:
        """The processes whose root directory is `root` or below it."""
        found = []
        for name in os.listdir("/proc"):
            with suppress(OSError):  # it has ended, or is a kernel thread
                if name.isdigit() and f"{os.readlink(f'/proc/{name}/root')}/".startswith(f"{root}/"):
                    found.append(int(name))
        return tuple(found)

    def kill(self, process: int, number: int) -> None:
        """kill(2)."""
        with suppress(ProcessLookupError):
            os.kill(process, number)

    def sync(self) -> None:
        """sync(2)."""
        os.sync()

    def wait(self) -> None:
        """A tenth of a second."""
        time.sleep(0.1)


def enter(
    plan: EnterPlan, run: Runner, interact: Interact, say: Callable[[str], None], system: System | None = None
) -> int:
    """Carry out the plan and come back with everything unmounted. Returns the exit code of the shell (or command).

    Raises `RefusedError` where the system could not be entered; what was mounted until then is unmounted again. The
    caller holds the lock that keeps two sessions from booting or entering at once. A signal that ends this process
    (a lost SSH link) does so only after everything was taken down.
    """
    system = system or System()
    with _Signals() as signals:
        try:
            _take_down(plan, run, system, say)  # what a session left that was killed
            _bring_up(plan, run, system, say)
            _tell(say, f"{ENTERED} {printable(plan.label)}; `exit` leaves it and unmounts it")
            environment = dict(plan.environment)
            if plan.activate:
                code = interact(plan.activate, extra_env={**environment, "IN_NIXOS_ENTER": "1"})
                if code:
                    _tell(say, f"chainboot: the activation ended with {code}; going on")
            code = interact(plan.command, extra_env=environment)
        except (ChainbootError, OSError) as error:
            hint = error.hint if isinstance(error, ChainbootError) else None
            raise RefusedError(f"the system of {plan.label} was not entered: {reason(error)}", hint=hint) from error
        except _Ended as ended:
            code = 128 + ended.number
        finally:
            signals.hold()
            clean = _take_down(plan, run, system, say)
    _tell(say, LEFT if clean else "chainboot: left, but not everything could be unmounted")
    return code if clean else code or 1


def _bring_up(plan: EnterPlan, run: Runner, system: System, say: Callable[[str], None]) -> None:
    mounted: set[str] = set()
    for step in plan.up:
        if step.after and step.after not in mounted:
            continue
        try:
            _take(plan, step, run, system)
        except (ChainbootError, OSError) as error:
            if step.needed:
                raise
            _tell(say, f"chainboot: {printable(step.mounts or step.argv[-1])} is left out: {printable(reason(error))}")
        else:
            mounted.add(step.mounts)


def _take(plan: EnterPlan, step: Step, run: Runner, system: System) -> None:
    if step.mounts not in ("", "/"):
        system.directory(plan.target, step.mounts, step.create)
    if step.argv[0] == "umount":
        _unmount_patiently(step.argv, run, system)
        return
    run(step.argv, check=True, timeout=_PATIENCE)
    if step.mounts == "/" and not system.writable(plan.target):
        raise RefusedError("its root can only be mounted read-only", hint="dmesg says why")


def _take_down(plan: EnterPlan, run: Runner, system: System, say: Callable[[str], None]) -> bool:
    """Unmount everything and mount the read-only views again. Whether nothing stayed."""
    mine = _ours(plan, system)
    clean = True
    if mine:
        _end_inside(plan.target, system)
        system.sync()
        for path in mine:
            clean = _unmount(path, run, system, say) and clean
    there = {each.path for each in system.mounts()}
    for command in plan.restore:
        if command.argv[-1] in there:
            continue
        try:
            run(command.argv, check=True, timeout=_PATIENCE)
        except ChainbootError as error:
            _tell(say, f"chainboot: {command.argv[-2]} is not in view again: {error.message}")
    return clean


def _ours(plan: EnterPlan, system: System) -> list[str]:
    """What is mounted at the target or below it, and the volumes that show the same file systems; first things first.

    Discovery's own mount of a file system and ours cannot be there at the same time: one is read-only.
    """
    mounts = system.mounts()
    inside = [each for each in mounts if f"{each.path}/".startswith(f"{plan.target}/")]
    numbers = {each.number for each in inside}
    views = [each.path for each in mounts if each.path in plan.volumes and each.number in numbers]
    return views + deepest_first(each.path for each in inside)


def _end_inside(target: str, system: System) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in system.inside(target):
            system.kill(process, number)
        for _ in range(_ENDING_DS):
            if not system.inside(target):
                return
            system.wait()


def _unmount(path: str, run: Runner, system: System, say: Callable[[str], None]) -> bool:
    """Unmount one; what stays busy is detached, and told, and returns False."""
    try:
        _unmount_patiently(("umount", path), run, system)
        return True
    except ChainbootError as error:
        _tell(say, f"chainboot: {printable(path)} is still in use and is detached: {error.message}")
    try:
        run(("umount", "-l", path), check=True, timeout=_PATIENCE)
    except ChainbootError as error:
        _tell(say, f"chainboot: {printable(path)} stays mounted: {error.message}")
    return False


def _unmount_patiently(argv: Sequence[str], run: Runner, system: System) -> None:
    """Another session that just reads a file keeps a mount busy for a moment only."""
    for _ in range(_ENDING_DS):
        with suppress(ChainbootError):
            run(argv, check=True, timeout=_PATIENCE)
            return
        system.wait()
    run(argv, check=True, timeout=_PATIENCE)


def _tell(say: Callable[[str], None], text: str) -> None:
    """To a terminal that may be gone: what is left to do is done all the same."""
    with suppress(OSError, ValueError):
        say(text)


class _Ended(BaseException):
    """A signal that ends this process came while something is mounted."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Signals:
    """SIGHUP and SIGTERM end this process after everything is taken down; SIGINT is for what runs inside.

    They are caught, not ignored: what is ignored would stay so in the shell.
    """

    def __init__(self) -> None:
        self._came: int | None = None
        self._held = False
        self._before: dict[int, _Handler] = {}

    def __enter__(self) -> _Signals:
        with suppress(ValueError):  # not in the main thread, where Python takes no handlers
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._catch)
        return self

    def hold(self) -> None:
        """From here on they wait."""
        self._held = True

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            return
        self._came = number
        if not self._held:
            self._held = True
            raise _Ended(number)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._came is not None:
            os.kill(os.getpid(), self._came)


_Handler = Callable[[int, FrameType | None], object] | int | None


def read_devices(run: Runner, sys_block: str = "/sys/class/block") -> tuple[Device, ...]:
    """What the block devices of this machine hold; one that cannot be probed is there without any name."""
    found = []
    for name in block_devices(sys_block):
        facts: dict[str, str] = {}
        with suppress(ChainbootError):
            facts = probe(name, run)
        found.append(as_device(f"/dev/{name}", facts))
    return tuple(found)
