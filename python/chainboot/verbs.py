"""Every verb of the command line on a running system: what it prints, and its exit code.

Results go to stdout, talk to stderr. README.md has the table of exit codes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from chainboot.errors import ChainbootError, RefusedError, Severity
from chainboot.settings import RUNTIME
from chainboot.sources import complain, find, report, root_of
from chainboot.streams import print_json, talk
from chainboot.text import counted, printable

if TYPE_CHECKING:
    import argparse

    from chainboot.boot.candidate import Candidate
    from chainboot.boot.host import Host
    from chainboot.boot.plan import BootPlan
    from chainboot.trial.own_start import OwnStart

EXIT_OK = 0
EXIT_FAILED = 1  # refused, or a step failed; `check`: warnings
EXIT_USAGE = 2  # argparse's own; `check`: errors
EXIT_NOT_FOUND = 3  # no such configuration or entry
EXIT_NOTHING_CHOSEN = 4  # the menu was left without a choice
# 5: this key may not do that (session/request.py)
FIRST_STAGE = f"{RUNTIME}/first-stage"

# The packages that the first stage is without, by the verbs that need them.
_WINGS = {"image": "image", "append-secrets": "image", "check-settings": "image", "install": "install"}


def look_for_wing(verb: str) -> None:
    """Raises `RefusedError` where the package of that verb was left out; the first stage has none of `_WINGS`."""
    from importlib import import_module

    if verb not in _WINGS:
        return
    try:
        import_module(f"chainboot.{_WINGS[verb]}")
    except ModuleNotFoundError as error:
        raise RefusedError(
            f"`chainboot {verb}` is not part of the first stage", hint="run it on the system that is to be installed"
        ) from error


def _list(options: argparse.Namespace) -> int:
    from chainboot.listing import list_json, list_text
    from chainboot.session.trial_status import read_standing

    found, among = find(options)
    standing = read_standing(found, among)
    if options.json:
        print_json(list_json(found, among, standing=standing))
        return EXIT_OK
    report(found)
    if not among:
        talk(f"chainboot: {', '.join(configuration.path for configuration in found)} has no boot entry")
    print(list_text(among, standing), end="")
    return EXIT_OK


def _show(options: argparse.Namespace) -> int:
    from chainboot.boot.candidate import choose
    from chainboot.boot.host import read_host
    from chainboot.boot.kernel import KernelImage
    from chainboot.boot.preflight import objections
    from chainboot.boot.volume import PathError
    from chainboot.listing import show_json, show_text

    candidate = choose(find(options)[1], options.entry)
    try:
        image = candidate.image()
    except PathError as error:
        image = KernelImage(None, "nothing", problem=error.message)
    against = objections(candidate, candidate.cmdline, read_host())
    if options.json:
        print_json(show_json(candidate, image, against))
    else:
        print(show_text(candidate, image, against), end="")
    return EXIT_OK


def _plan(options: argparse.Namespace) -> int:
    from chainboot.boot.preflight import objections
    from chainboot.listing import plan_json

    candidate, host, plan, _ = _decide(options)
    against = objections(candidate, plan.cmdline, host)
    if options.json:
        print_json(plan_json(plan, against))
        return EXIT_OK
    for objection in against:
        talk(f"chainboot: this boot would be refused: {printable(objection)}")
    print(plan.describe(), end="")
    return EXIT_OK


def _boot(options: argparse.Namespace) -> int:
    from chainboot.boot.kexec import is_loaded
    from chainboot.boot.preflight import host_objections, objections
    from chainboot.boot.turn import STOPPING, is_stopping, take_turn, unshaken
    from chainboot.process import run

    if os.path.exists(FIRST_STAGE) and not options.dry_run:
        # It would jump from under everybody's sessions, and from under whoever repairs a disk.
        raise RefusedError("what a directory holds is not booted here", hint="`chainboot boot ENTRY` boots an entry")
    candidate, host, plan, start = _decide(options)
    against = objections(candidate, plan.cmdline, host)
    unable = host_objections(host)
    refusal = against if options.dry_run else against + unable
    if refusal:
        raise RefusedError(f"{candidate.entry.label} was not booted: {'; '.join(refusal)}")
    if options.dry_run:
        for objection in unable:
            talk(f"chainboot: this machine would refuse: {objection}")
        print(plan.describe(), end="")
        return EXIT_OK
    from chainboot.remote.role import Role  # late: only who really boots needs the following
    from chainboot.session.visitor import read_account, read_person

    person = read_person(read_account(os.environ), Role.ADMIN, os.environ)
    with take_turn(person.name) as turn:
        if host.systemd and is_stopping(run):
            raise RefusedError(f"{candidate.entry.label} was not booted: {STOPPING}")
        try:
            turn.boot(plan, run, talk, is_loaded, lambda: _tell(start.write() if start is not None else ""))
        except BaseException:
            _tell(start.undo() if start is not None else "")
            raise
        if host.systemd:
            with unshaken():
                if not turn.hand_over(run) and start is not None:
                    _tell(start.undo())
    return EXIT_OK


def _tell(problem: str) -> None:
    if problem:
        talk(f"chainboot: {printable(problem)}")


def _decide(options: argparse.Namespace) -> tuple[Candidate, Host, BootPlan, OwnStart | None]:
    """The entry that the options name, this machine, the plan to boot the one on the other, and how that is counted."""
    from chainboot.boot.candidate import choose
    from chainboot.boot.cmdline import join
    from chainboot.boot.host import read_host
    from chainboot.boot.plan import make_plan
    from chainboot.trial.own_start import own_start

    candidate = choose(find(options)[1], options.entry)
    host = read_host()
    base = candidate.cmdline if options.cmdline is None else str(options.cmdline)
    cmdline = join(base, *options.append)
    own = cmdline == candidate.cmdline and options.root is None and options.config is None
    start = own_start(candidate, host) if own else None
    plan = make_plan(
        candidate,
        cmdline=cmdline,
        machine=host.machine,
        systemd=host.systemd,
        words=start.words if start is not None else "",
        record=start.steps if start is not None else (),
        remarks=start.remarks if start is not None else (),
    )
    return candidate, host, plan, start


def _check(options: argparse.Namespace) -> int:
    from chainboot.boot.host import read_host
    from chainboot.boot.inspection import findings
    from chainboot.listing import check_json, count

    configurations, among = find(options)
    found = findings(configurations, among, read_host().machine)
    errors, warnings, notes = (count(found, each) for each in (Severity.ERROR, Severity.WARNING, Severity.INFO))
    if options.json:
        print_json(check_json(found))
    else:
        shown = [finding for finding in found if options.all or finding.severity is not Severity.INFO]
        print("".join(f"{finding.format(root_of(configurations[0]))}\n" for finding in shown), end="", flush=True)
        told = [counted(errors, "error"), counted(warnings, "warning")]
        if notes:
            told.append(counted(notes, "note") + ("" if options.all else " (--all shows them)"))
        talk(f"chainboot: {', '.join(told)}")
    if errors:
        return EXIT_USAGE
    return EXIT_FAILED if warnings else EXIT_OK


def _menu(options: argparse.Namespace) -> int:
    from chainboot.session.picker import choose_on_this_terminal

    found, among = find(options)
    report(found)
    decision = choose_on_this_terminal(found, among)
    if decision is None:
        return EXIT_NOTHING_CHOSEN
    candidate, cmdline = decision
    options.entry, options.cmdline, options.append = str(candidate.index), cmdline, []
    options.dry_run = options.dry_run or os.geteuid() != 0
    return _boot(options)


def _fmt(options: argparse.Namespace) -> int:
    from chainboot.boot.change import canonical_change
    from chainboot.boot.source import configurations

    found = configurations(path=options.path, root=options.root, config=options.config, complain=complain)
    if len(found) > 1 and not (options.check or options.write):
        message = f"there are several configurations: {', '.join(configuration.path for configuration in found)}"
        raise ChainbootError(message, hint="name one with --config, or use --check or --write")
    changes = [canonical_change(configuration) for configuration in found]
    if options.check:
        print("".join(change.difference() for change in changes), end="")
        return EXIT_FAILED if any(change.needed for change in changes) else EXIT_OK
    if not options.write:
        _print_file(changes[0].after)
        return EXIT_OK
    for change in changes:
        if change.needed:
            change.write()
        talk(f"chainboot: {printable(change.place)} {'is now' if change.needed else 'was already'} in canonical form")
    return EXIT_OK


def _print_file(data: bytes) -> None:
    """A file as it is, or made harmless where a terminal would read it."""
    if sys.stdout.isatty():
        print("\n".join(printable(line) for line in data.decode("utf-8", "surrogateescape").split("\n")), end="")
    else:
        sys.stdout.buffer.write(data)


def _set_default(options: argparse.Namespace) -> int:
    from chainboot.boot.candidate import choose
    from chainboot.boot.change import default_change

    among = find(options)[1]
    candidate = choose(among, options.entry)
    change = default_change(among, candidate, force=options.force)
    label, place = printable(candidate.entry.label), printable(change.place)
    for note in change.notes:
        talk(f"chainboot: note: {printable(note)}")
    if not change.needed:
        talk(f"chainboot: {label} is already the default of {place}; nothing was written")
    elif options.dry_run:
        print(change.difference(), end="")
    else:
        change.write()
        talk(f"chainboot: {label} is now the default of {place}")
    if not options.dry_run:
        from chainboot.trial_verbs import after_set_default

        after_set_default(candidate)
    return EXIT_OK


def _on_trials(verb: str) -> Callable[[argparse.Namespace], int]:
    """A verb of `trial_verbs`, which is imported once it is asked for."""

    def do(options: argparse.Namespace) -> int:
        from chainboot.process import run
        from chainboot.trial_verbs import VERBS, Here

        return VERBS[verb](options, Here(run))

    return do


def _image(options: argparse.Namespace) -> int:
    from chainboot.image.command import run

    print(run(options, talk))
    return EXIT_OK


def _append_secrets(options: argparse.Namespace) -> int:
    from chainboot.image.command import append

    print(printable(append(options, talk)))
    return EXIT_OK


def _check_settings(options: argparse.Namespace) -> int:
    from chainboot.image.command import check_settings

    found = check_settings(options)
    print("".join(f"{finding.format()}\n" for finding in found), end="")
    talk(f"chainboot: {counted(len(found), 'error')}")
    return EXIT_USAGE if found else EXIT_OK


def _install(options: argparse.Namespace) -> int:
    from chainboot.install.command import run
    from chainboot.process import run as runner

    print(run(options, runner, talk), end="")
    return EXIT_OK


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "plan": _plan,
    "check": _check,
    "boot": _boot,
    "menu": _menu,
    "fmt": _fmt,
    "set-default": _set_default,
    "image": _image,
    "append-secrets": _append_secrets,
    "check-settings": _check_settings,
    "install": _install,
    **{verb: _on_trials(verb) for verb in ("bless", "confirm", "expire", "next", "rollback", "status")},
}
