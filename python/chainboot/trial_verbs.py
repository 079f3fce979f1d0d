"""The verbs of a running system about trial boots: what they print, and their exit codes (docs/trials.md)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainboot.errors import ChainbootError, NotFoundError, RefusedError
from chainboot.settings import RUNTIME
from chainboot.sources import find
from chainboot.streams import print_json, talk
from chainboot.text import printable

if TYPE_CHECKING:
    import argparse

    from chainboot.boot.candidate import Candidate
    from chainboot.boot.volume import Configuration
    from chainboot.process import Runner
    from chainboot.trial.proof import Home
    from chainboot.trial.record import Record
    from chainboot.trial.words import Booted

EXIT_OK = 0


@dataclass(frozen=True, slots=True)
class Here:
    """The running system, as the verbs see it. `cmdline` is where the kernel's command line is read."""

    run: Runner
    cmdline: str = "/proc/cmdline"
    runtime: str = RUNTIME
    sleep: Callable[[float], None] = time.sleep

    def booted(self) -> Booted | None:
        """What this boot is, for a system that was booted. Raises `RefusedError` in the first stage."""
        from chainboot.trial.proof import read_booted

        if os.path.exists(f"{self.runtime}/first-stage"):
            raise RefusedError("this is the first stage: no entry has been booted yet")
        return read_booted(self.cmdline)


def bless(options: argparse.Namespace, here: Here) -> int:
    """`chainboot bless`: exit code 0 also where there is nothing to bless."""
    return _prove(options, here, required=False)


def confirm(options: argparse.Namespace, here: Here) -> int:
    """`chainboot confirm`."""
    if not options.by_login:
        return _prove(options, here, required=True)
    from chainboot.trial.logins import find_login

    who = find_login(here.run, options.besides, here.sleep)
    if who is None:
        talk("chainboot: nobody is logged in over SSH whose login counts: nothing was done")
        return EXIT_OK
    talk(f"chainboot: {who} is logged in over SSH")
    return _prove(options, here, required=False)


def _prove(options: argparse.Namespace, here: Here, *, required: bool) -> int:
    from chainboot.trial.deadline import STAY
    from chainboot.trial.proof import NOT_COUNTED, Life, State, find_home

    booted = here.booted()
    if booted is None:
        if required:
            raise RefusedError(f"there is nothing to confirm: {NOT_COUNTED}")
        talk(f"chainboot: nothing was done: {NOT_COUNTED}")
        return EXIT_OK
    left_out: list[str] = []
    try:
        found, among = find(options, left_out.append)
    except NotFoundError as error:
        hint = STAY if booted.trial else error.hint
        raise NotFoundError(f"nothing was written: {error.message}", hint=hint) from error
    home, life = find_home(found, among, booted.digest, whole=not left_out), Life(booted, here.runtime)
    said: tuple[str | None, ...] = ()
    try:
        said = life.bless(home)
    except ChainbootError:
        if not _is_good(home, booted.digest) or life.state is State.EXPIRED:
            raise
        # The record may not last, but the deadline finds it good, and the watchdog must not reset what it guards.
        _release(here, booted)
        raise
    said = (*said, *_release(here, booted))
    for sentence in filter(None, said):
        talk(f"chainboot: {printable(sentence)}")
    return EXIT_OK


def _release(here: Here, booted: Booted) -> tuple[str | None, ...]:
    """Nothing ends this boot any more; what is to be said of it."""
    from chainboot.trial import deadline, watchdog

    deadline.stop(here.run)
    return () if booted.watchdog is None else (watchdog.release(here.run, booted.watchdog),)


def _is_good(home: Home, digest: str) -> bool:
    from chainboot.trial import store

    record = store.read(home.configuration.volume, home.path).record
    known = record.find(digest) if record is not None else None
    return known is not None and known.good


def expire(options: argparse.Namespace, here: Here) -> int:
    """`chainboot expire`: with --reboot, and where this boot is over, it ends with the machine."""
    from chainboot.trial import deadline
    from chainboot.trial.proof import Life, find_home

    booted = here.booted()
    if booted is None:
        talk("chainboot: this boot is no trial: it goes on")
        return EXIT_OK
    home: Home | None = None
    try:
        found, among = find(options)
        home = find_home(found, among, booted.digest)
    except (ChainbootError, OSError) as error:
        # Whatever is wrong with /boot: a trial that has not proved itself must not stay.
        talk(f"chainboot: {printable(str(error))}")
    life = Life(booted, here.runtime)
    why = f"{printable(options.why)} within {round(life.uptime())} s of its start"
    failed = deadline.failed_units(here.run) if booted.trial is not None else ()
    over, said = life.expire(home, f"{why}; failed: {', '.join(map(printable, failed))}" if failed else why)
    for sentence in said:
        talk(f"chainboot: {printable(sentence)}")
    if over and options.reboot:
        deadline.restart(here.run)
    return EXIT_OK


def ask_next(options: argparse.Namespace, here: Here) -> int:
    """`chainboot next`."""
    from chainboot.boot.candidate import choose
    from chainboot.trial import transition
    from chainboot.trial.proof import home_of

    if options.clear == (options.entry is not None) or (options.clear and options.once):
        raise ChainbootError("`next` takes an ENTRY, with or without --once, or --clear", hint="chainboot next --help")
    found, among = find(options)
    if options.clear:
        # Each configuration may have a record of its own.
        homes = {(home.root, home.path): home for home in (home_of(each, among) for each in found)}
        asked = [home for home in homes.values() if (before := _reading(home)) is not None and before.request]
        if not asked:
            return _said(options, "nothing was asked for; nothing was written", None, once=False)
        for home in asked:
            _update(home, transition.clear_request)
        return _said(options, "nothing is asked for any more: the default boots", None, once=False)
    candidate = choose(among, options.entry)
    home = home_of(candidate.configuration, among)
    return _ask(options, here, home, candidate, once=options.once)


def rollback(options: argparse.Namespace, here: Here) -> int:
    """`chainboot rollback`."""
    from chainboot.session.trials import plausible
    from chainboot.trial.assessment import newest_good
    from chainboot.trial.entry_id import entry_id
    from chainboot.trial.proof import find_home, home_of, read_booted

    found, among = find(options)
    booted = read_booted(here.cmdline)
    home = find_home(found, among, booted.digest) if booted is not None else home_of(found[0], among)
    record = _reading(home)
    own = [each for each in home.among if each.configuration is home.configuration]
    # A system that does not know which entry it is takes the default for it.
    running = booted.digest if booted is not None else entry_id(home.own_default.entry) if home.own_default else ""
    known = plausible(own, lambda each: "; ".join(each.reasons))
    good = newest_good(known, record, (running,)) if record is not None else None
    candidate = next((each for each in own if good is not None and each.index == good.index), None)
    if candidate is None:
        raise NotFoundError(
            "there is no other entry that is known to be good", hint="`chainboot next ENTRY` takes any entry"
        )
    return _ask(options, here, home, candidate, once=False)


def _ask(options: argparse.Namespace, here: Here, home: Home, candidate: Candidate, *, once: bool) -> int:
    from chainboot.settings import Settings
    from chainboot.trial import store, transition
    from chainboot.trial.entry_id import entry_id
    from chainboot.trial.proof import NOT_COUNTED, Life, read_booted
    from chainboot.trial.record import Request

    label = candidate.entry.label
    if candidate.reasons:
        raise RefusedError(f"{label} cannot be booted: {'; '.join(candidate.reasons)}")
    default = home.own_default
    instead_of = entry_id(default.entry) if default is not None and not once else ""
    request = Request(entry_id(candidate.entry), once, instead_of, _who(options), int(time.time()))

    def change(record: Record) -> Record:
        return transition.ask(record, request, Settings().tries)

    booted = read_booted(here.cmdline)
    if not store.read(home.configuration.volume, home.path).missing:
        _update(home, change)
    elif booted is None or not home.named(booted.digest):
        why = NOT_COUNTED if booted is None else "the running entry is none of those that it would be for"
        raise RefusedError(
            f"nothing was asked for: there is no record of trials, and {why}",
            hint="`chainboot bless`, in a system that such a first stage has booted, makes the record",
        )
    else:
        # With the record trials begin. Whoever asks is here, and proves as much as a blessing by hand: without a good
        # entry each of them would be on trial, this one too, and nothing might be there to bless it.
        said = Life(booted, here.runtime).bless(home, change, again=True)
        for sentence in filter(None, (*said, *_release(here, booted))):
            talk(f"chainboot: {printable(sentence)}")
    if booted is None:
        talk(f"chainboot: note: {NOT_COUNTED}; one that keeps no record will not do what was asked for")
    how = "boots next, once" if once else "boots from now on, until the default of the configuration changes"
    return _said(options, f"{label} {how}", candidate, once=once)


def status(options: argparse.Namespace, here: Here) -> int:
    """`chainboot status`."""
    from chainboot.boot.host import read_host
    from chainboot.boot.preflight import host_objections, host_remarks
    from chainboot.remote.role import Role
    from chainboot.session import running
    from chainboot.session.trial_status import Look, read_status
    from chainboot.session.visitor import read_account, read_person

    booted = here.booted()
    missing = ""
    found: tuple[Configuration, ...] = ()
    among: tuple[Candidate, ...] = ()
    try:
        found, among = find(options)
    except NotFoundError as error:
        if booted is None:
            raise
        missing = error.message  # what this boot is and how long is left is known all the same
    host = read_host()
    told = running.Running(
        read_person(read_account(os.environ), Role.ADMIN, os.environ),
        among,
        *running.read_running(here.cmdline),
        (*host_objections(host), *host_remarks(host)),
        read_status(Look(booted, here.run, here.runtime), found, among, missing),
    )
    if options.json:
        print_json(running.running_json(told))
    else:
        print(running.running_text(told), end="")
    return EXIT_OK


def after_set_default(candidate: Candidate) -> None:
    """What `set-default` means for the record: what was asked for is over, and a bad entry gets fresh tries.

    Nothing is done where there is no record; one that cannot be written is a sentence, for the default is set.
    """
    from chainboot.settings import Settings
    from chainboot.trial import transition
    from chainboot.trial.entry_id import entry_id
    from chainboot.trial.proof import home_of

    home, digest = home_of(candidate.configuration, (candidate,)), entry_id(candidate.entry)

    def change(record: Record) -> Record:
        return transition.forgive(transition.clear_request(record), digest, Settings().tries)

    before = _reading(home)
    if before is None or change(before) == before:
        return
    try:
        _update(home, change)
    except ChainbootError as error:
        talk(f"chainboot: note: {printable(error.message)}; what was asked for before still counts")


def _said(options: argparse.Namespace, sentence: str, candidate: Candidate | None, *, once: bool) -> int:
    if options.json:
        print_json({"next": candidate.entry.label if candidate is not None else None, "once": once})
    else:
        talk(f"chainboot: {printable(sentence)}")
    return EXIT_OK


def _reading(home: Home) -> Record | None:
    from chainboot.trial import store

    reading = store.read(home.configuration.volume, home.path)
    for problem in reading.problems:
        talk(f"chainboot: {printable(problem)}")
    return reading.record


def _update(home: Home, change: Callable[[Record], Record]) -> None:
    from chainboot.trial import store

    store.update(home.root, home.path, change)


def _who(options: argparse.Namespace) -> str:
    """Who asks: whom the login shell says, else who runs this."""
    told: object = getattr(options, "who", None)
    if isinstance(told, str):
        return told
    from chainboot.remote.role import Role
    from chainboot.session.visitor import read_account, read_person

    return read_person(read_account(os.environ), Role.ADMIN, os.environ).name


VERBS: dict[str, Callable[[argparse.Namespace, Here], int]] = {
    "bless": bless,
    "confirm": confirm,
    "expire": expire,
    "next": ask_next,
    "rollback": rollback,
    "status": status,
}
