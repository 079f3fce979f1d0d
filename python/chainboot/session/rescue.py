"""The verb `chroot`: a person inside the system of an entry, and nobody who boots meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chainboot.boot.candidate import candidates, choose
from chainboot.boot.discovery import Discovery
from chainboot.boot.enter import Interact, enter, read_devices
from chainboot.boot.enter_plan import EnterPlan, Step, make_plan
from chainboot.boot.kexec import is_loaded
from chainboot.boot.root import find_root
from chainboot.errors import RefusedError
from chainboot.process import Runner
from chainboot.session.log import Log
from chainboot.session.person import Person
from chainboot.session.presence import Presence
from chainboot.session.request import Request
from chainboot.text import printable

if TYPE_CHECKING:
    from chainboot.listing import Json


def plan(asked: Request, discovery: Discovery, run: Runner) -> EnterPlan:
    """What entering would run. Raises `NotFoundError`, `RefusedError`."""
    candidate = choose(candidates(discovery.configurations), asked.entry)
    devices = read_devices(run)
    root = find_root(candidate, discovery.volumes, devices, device=asked.device, subvol=asked.subvol)
    return make_plan(
        root, discovery.volumes, devices, loaded=is_loaded(), command=asked.command, activate=asked.activate
    )


def plan_json(decided: EnterPlan) -> Json:
    """The object that `chroot --dry-run --json` prints: every step, in the order in which it would run."""
    return {
        "label": decided.label,
        "target": decided.target,
        "up": [_step_json(step) for step in decided.up],
        "environment": [{"name": name, "value": value} for name, value in decided.environment],
        "inside": [{"argv": list(argv)} for argv in (decided.activate, decided.command) if argv],
        "down": [{"argv": list(step.argv)} for step in (*decided.unmount, *decided.restore)],
        "remarks": list(decided.remarks),
    }


def _step_json(step: Step) -> Json:
    return {
        "argv": list(step.argv),
        "mounts": step.mounts or None,
        "create": step.create,
        "after": step.after or None,
        "needed": step.needed,
    }


def enter_system(
    decided: EnterPlan,
    run: Runner,
    interact: Interact,
    *,
    person: Person,
    presence: Presence,
    log: Log,
    look_again: Callable[[], object],
    say: Callable[[str], None],
) -> int:
    """Enter and come back with everything unmounted. Returns the exit code of the shell or the command."""
    # Whoever repairs a disk must not have it taken away under their hands; the claim also keeps two from entering.
    busy = presence.claim_boot(f"{person.name} is inside the system of {decided.label}")
    if busy is not None:
        raise RefusedError(f"Not now: {busy}.")
    presence.attach()
    log.write(person.name, f"enters the system of {decided.label}")
    try:
        for remark in decided.remarks:
            say(f"chainboot: {printable(remark)}")
        return enter(decided, run, interact, say)
    finally:
        log.write(person.name, f"left the system of {decided.label}")
        presence.release_boot()
        look_again()
