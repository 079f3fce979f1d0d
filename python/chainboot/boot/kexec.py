"""Carries out a BootPlan: the only place that acts.

The order is load, teardown, execute, each step checked. Whatever fails, nothing stays loaded: a loaded image
would turn a later `reboot` into a kexec (systemd#41211).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chainboot.boot import farewell
from chainboot.boot.plan import INITRD_ALIGNMENT, BootPlan, Command, Concatenate, EndSessions
from chainboot.errors import ChainbootError, RefusedError
from chainboot.process import Completed, Runner

LOADED = "/sys/kernel/kexec_loaded"

# A disk that dies meanwhile must not leave a machine that nobody can reach any more. Seconds: for one load, whose
# initrd may come over a slow link; for one umount; and for the jump, or a shutdown that `systemctl kexec` only begins.
_LOAD_S = 600.0
_TEARDOWN_S = 20.0
_EXECUTE_S = 60.0


def perform(plan: BootPlan, run: Runner, say: Callable[[str], None]) -> None:
    """Boot. Returns only where the jump is left to others (`systemctl kexec`, a fake runner in tests).

    Raises `RefusedError` with the step that failed and why; the target kernel is unloaded again.
    """
    load(plan, run)
    leave(plan, run, say)


def load(plan: BootPlan, run: Runner) -> None:
    """The first half of `perform`: after it the target kernel is loaded and nothing else has changed."""
    with _undone(plan, run):
        for step in plan.load:
            _take(step, run, _LOAD_S)


def leave(
    plan: BootPlan,
    run: Runner,
    say: Callable[[str], None],
    end_sessions: Callable[[EndSessions], None] = farewell.end_sessions,
) -> None:
    """The second half: take down and jump. Call it from a process that none of the sessions owns which it ends."""
    with _undone(plan, run):
        for step in plan.teardown:
            # Only sessions and read-only mounts are taken down here: one that stays is worth a word, not the boot.
            try:
                if isinstance(step, EndSessions):
                    end_sessions(step)
                else:
                    _take(step, run, _TEARDOWN_S)
            except ChainbootError as error:
                say(f"chainboot: {error.message}; going on")
        for step in plan.execute:
            _take(step, run, _EXECUTE_S)


@contextmanager
def _undone(plan: BootPlan, run: Runner) -> Iterator[None]:
    """Whatever fails inside, nothing stays loaded, and the reason names the entry."""
    try:
        yield
    except BaseException as error:
        with suppress(ChainbootError):  # what failed first is what the person must hear
            unload(run, loaded=True)
        _remove_joined(plan)
        if isinstance(error, ChainbootError):
            raise RefusedError(f"{plan.label} was not booted: {error.message}", hint=error.hint) from error
        raise


def unload(run: Runner, *, loaded: bool | None = None) -> Completed | None:
    """Forget a loaded kernel. Asks the running kernel whether there is one, unless `loaded` says so."""
    if loaded is None:
        loaded = is_loaded()
    return run(["kexec", "-u"], check=False, timeout=_TEARDOWN_S) if loaded else None


def is_loaded(path: str = LOADED) -> bool:
    """Whether a kernel is loaded and would be started by the next `kexec -e` or reboot."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def _take(step: Concatenate | Command | EndSessions, run: Runner, seconds: float) -> None:
    if isinstance(step, Concatenate):
        try:
            concatenate(step)
        except OSError as error:
            raise RefusedError(f"the initrds could not be joined in {step.target}: {error.strerror}") from error
    elif isinstance(step, Command):
        run(step.argv, check=True, timeout=seconds)


def concatenate(step: Concatenate) -> None:
    """Write the sources into the target; raises OSError. The kernel copies (sendfile), Python holds nothing."""
    os.makedirs(os.path.dirname(step.target), mode=0o700, exist_ok=True)
    with open(step.target, "wb", buffering=0) as target:
        for part in step.parts:
            with open(part.path, "rb", buffering=0) as file:
                offset = part.skip
                while sent := os.sendfile(target.fileno(), file.fileno(), offset, 1 << 24):
                    offset += sent
            target.write(bytes((part.skip - offset) % INITRD_ALIGNMENT))


def _remove_joined(plan: BootPlan) -> None:
    """A joined initrd may be as large as the memory that is left."""
    for step in plan.load:
        if isinstance(step, Concatenate):
            with suppress(OSError):
                os.unlink(step.target)
