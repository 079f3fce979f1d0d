"""Carries out a BootPlan: the only place that acts.

The order is load, teardown, execute, each step checked. Whatever fails, nothing stays loaded: a loaded image
would turn a later `reboot` into a kexec (systemd#41211).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from chainboot.boot.plan import INITRD_ALIGNMENT, BootPlan, Concatenate, Step
from chainboot.errors import ChainbootError, RefusedError
from chainboot.process import Completed, Runner

LOADED = "/sys/kernel/kexec_loaded"


def perform(plan: BootPlan, run: Runner, say: Callable[[str], None]) -> None:
    """Boot. Returns only where the jump is left to others (`systemctl kexec`, a fake runner in tests).

    Raises `RefusedError` with the step that failed and why; the target kernel is unloaded again.
    """
    try:
        for step in plan.load:
            _take(step, run)
        for step in plan.teardown:
            # Only read-only mounts are taken down here: one that stays is worth a word, not the boot.
            try:
                _take(step, run)
            except ChainbootError as error:
                say(f"chainboot: {error.message}; going on")
        for step in plan.execute:
            _take(step, run)
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
    return run(["kexec", "-u"], check=False) if loaded else None


def is_loaded(path: str = LOADED) -> bool:
    """Whether a kernel is loaded and would be started by the next `kexec -e` or reboot."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def _take(step: Step, run: Runner) -> None:
    if isinstance(step, Concatenate):
        try:
            concatenate(step)
        except OSError as error:
            raise RefusedError(f"the initrds could not be joined in {step.target}: {error.strerror}") from error
    else:
        run(step.argv, check=True)


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
