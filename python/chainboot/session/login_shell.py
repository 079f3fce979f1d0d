"""The login shell of a running system: its boot menu, or one verb, for a user who has nothing else.

The system's own SSH server starts it as the shell of that user, as root behind one rule of sudo; docs/login-shell.md
has the whole arrangement. What a client sends is read as a request and reaches no shell; of the environment nothing is
handed on. Services are stopped before the jump: systemd does it (`systemctl kexec`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainboot.boot.candidate import Candidate, candidates, choose
from chainboot.boot.cmdline import join
from chainboot.boot.host import Host, read_host
from chainboot.boot.plan import BootPlan, make_plan
from chainboot.boot.preflight import host_objections, host_remarks, objections
from chainboot.boot.source import configurations
from chainboot.boot.sysappend import read_system
from chainboot.boot.turn import STOPPING, is_stopping, take_turn, unshaken
from chainboot.boot.volume import Configuration
from chainboot.errors import ChainbootError, NotFoundError, RefusedError
from chainboot.listing import plan_json
from chainboot.process import Runner
from chainboot.remote.role import Role, least
from chainboot.session import running
from chainboot.session.person import Person
from chainboot.session.picker import Choose, choose_on_this_terminal
from chainboot.session.request import EXIT_NOT_ALLOWED, Request, RequestError, parse, usage
from chainboot.session.state import Abilities
from chainboot.session.trial_status import Look, read_status
from chainboot.session.verbs import Answer, asked_cmdline, help_json
from chainboot.session.visitor import ELSEWHERE, VERBS
from chainboot.settings import RUNTIME
from chainboot.text import clip, counted, printable
from chainboot.trial.own_start import OwnStart, own_start
from chainboot.trial.words import read_words

EXIT_LEFT = 4  # the menu was left without a choice

_LINE_BYTES = 700  # of a text in the journal: logger(1) takes a KiB, who and what else stands there with it
_LABEL_CELLS = 150
_SHORT_S = 10.0
_ACTS = ("next", "rollback", "confirm", "set-default")
_GOING = (
    "when it is loaded, services stop and this connection closes; the machine answers again when the new system is up"
)
_WAITS = "the system still runs; it stops when what delays it has ended (`systemd-inhibit --list`)"


@dataclass
class LoginShell:
    """One login. `command` does a verb that the command line has too and returns its exit code.

    `choose` shows the menu; `is_terminal` says whether it can be shown; `root` is where the configuration is looked
    for, None: as `chainboot list` does. `running` is /proc/cmdline and the kernel's release. `clock` and `sleep` are in
    seconds.
    """

    person: Person
    run: Runner
    say: Callable[[str], None]
    command: Callable[[Request], int]
    choose: Choose = choose_on_this_terminal
    is_terminal: Callable[[], bool] = lambda: os.isatty(0) and os.isatty(1)
    host: Callable[[], Host] = read_host
    running: Callable[[], tuple[str, str]] = running.read_running
    root: str | None = None
    runtime: str = RUNTIME
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def parse(self, words: str | None) -> Request:
        """The request; raises `RequestError` with one sentence."""
        asked = parse(words or "", self.person.role, VERBS, ELSEWHERE)
        if asked.verb == "menu" and not self.is_terminal():
            raise RequestError("the menu needs a terminal", 2, "`ssh -t` gives one; `help` lists what does without")
        return asked

    def do(self, asked: Request) -> tuple[int, Answer | None]:
        """The exit code, and what is still to be printed. Raises `ChainbootError` where it is refused or fails."""
        match asked.verb:
            case "menu":
                return self._menu(), None
            case "boot":
                return 0, self._asked_boot(asked)
            case "status":
                return 0, self._status()
            case "help":
                return 0, Answer(usage(self.person.role, VERBS), help_json(self.person.role, VERBS))
            case _:
                if asked.verb in _ACTS and not asked.dry_run:
                    self._act(asked)
                return self.command(asked), None

    def _act(self, asked: Request) -> None:
        """The journal's line before something is changed that outlives this login."""
        words = [asked.verb, asked.entry, *(f"--{flag}" for flag in ("once", "clear", "force") if getattr(asked, flag))]
        late: list[str] = []
        self._log([clip(f"{self.person.name} asks for: {' '.join(filter(None, words))}", _LINE_BYTES)], late)
        for line in late:
            self.say(line)

    def _find(self) -> tuple[tuple[Configuration, ...], tuple[Candidate, ...]]:
        found = configurations(root=self.root, complain=self.say)
        return found, candidates(found, read_system())

    def _menu(self) -> int:
        role = self.person.role
        abilities = Abilities(
            can_boot=role.allows(Role.BOOT),
            can_rescan=False,
            can_shell=False,
            can_edit=role.allows(Role.EDIT),
            can_quit=True,
        )
        message = ""
        while True:
            found, among = self._find()
            # Nothing boots by itself: whoever has only come to look must not have to hurry.
            decision = self.choose(
                found, among, abilities=abilities, timer=False, message=message, banner=(self._facts(),)
            )
            if decision is None:
                return EXIT_LEFT
            try:
                self._boot(*decision)
            except ChainbootError as error:
                message = str(error)
            else:
                return 0

    def _facts(self) -> str:
        # What admin has beyond edit, a shell, is not given here.
        return f"You are {self.person.name}; this login may {least(self.person.role, Role.EDIT).may}."

    def _asked_boot(self, asked: Request) -> Answer:
        candidate = choose(self._find()[1], asked.entry)
        own = asked.cmdline is not None or bool(join(*asked.append))
        cmdline = asked_cmdline(candidate, asked) if own else None
        if asked.dry_run:
            plan = self._plan(candidate, cmdline)
            return Answer(plan.describe(), plan_json(plan, ()))
        plan = self._boot(candidate, cmdline)
        return Answer("", {"boots": plan.label, "title": plan.title, "cmdline": plan.cmdline})

    def _plan(self, candidate: Candidate, cmdline: str | None) -> BootPlan:
        """What booting it would run; raises `RefusedError` with everything that speaks against it."""
        host = self.host()
        against = [
            *objections(candidate, candidate.boot_cmdline if cmdline is None else cmdline, host),
            *host_objections(host),
        ]
        if not host.systemd:
            against.append("this system does not run systemd, which is what stops the services")
        elif is_stopping(self.run):
            against.append(STOPPING)
        if against:
            raise RefusedError(f"{candidate.entry.label} was not booted: {'; '.join(against)}")
        start = self._start(candidate, cmdline)
        return make_plan(
            candidate,
            cmdline=cmdline,
            machine=host.machine,
            runtime=self.runtime,
            systemd=True,
            words=start.words if start is not None else "",
            record=start.steps if start is not None else (),
            remarks=start.remarks if start is not None else (),
        )

    def _start(self, candidate: Candidate, cmdline: str | None) -> OwnStart | None:
        """How the boot is counted: with a command line of somebody's own it is not."""
        return own_start(candidate, self.host()) if cmdline is None else None

    def _boot(self, candidate: Candidate, cmdline: str | None) -> BootPlan:
        """Load it and let systemd go there. Raises `ChainbootError`; then nothing is loaded."""
        needed = Role.BOOT if cmdline is None else Role.EDIT
        if not self.person.role.allows(needed):  # the menu and the request have asked before
            raise RequestError(f"this login may not {needed.value}", EXIT_NOT_ALLOWED)
        plan = self._plan(candidate, cmdline)
        label, who = printable(plan.label), self.person.name
        # All of it before the turn begins: a terminal that takes nothing must not keep everybody else waiting.
        for line in (f"booting {label}: {plan.title} ({who})", *plan.notes, *self._remarks(), _GOING):
            self.say(line)
        late: list[str] = []
        try:
            with unshaken(), take_turn(who, self.runtime) as turn:
                plan = self._plan(candidate, cmdline)  # what was found may be gone, and so may the machine be
                self._log(self._entries(candidate, cmdline, plan), late)
                start = None
                try:
                    start = self._start(candidate, cmdline)
                    write = start.write if start is not None else str
                    turn.boot(
                        plan,
                        self.run,
                        late.append,
                        lambda: self.host().kexec_loaded,
                        lambda: late.extend(filter(None, [write()])),
                    )
                except Exception as error:
                    # What `boot` raises names the entry; anything else is a defect of ours, and did not boot either.
                    known = isinstance(error, ChainbootError)
                    why = str(error) if known else f"{label} was not booted: {type(error).__name__}"
                    self._log([clip(why, _LINE_BYTES)], late)
                    late.extend(filter(None, [start.undo() if start is not None else ""]))
                    raise
                if not turn.hand_over(self.run, clock=self.clock, sleep=self.sleep):
                    late.append(_WAITS)
                    late.extend(filter(None, [start.undo() if start is not None else ""]))
        finally:
            for line in late:
                self.say(line)
        return plan

    def _entries(self, candidate: Candidate, cmdline: str | None, plan: BootPlan) -> list[str]:
        """What the journal is to say: who boots what, and every word of their own, however long and in however many
        lines.
        """
        first = f"{self.person.name} boots {_short(plan.label)}"
        if cmdline is None:
            return [first]
        usual = f"{candidate.boot_cmdline} "
        added = plan.cmdline.startswith(usual)
        what = "added words" if added else "command line"
        parts = _pieces(printable(plan.cmdline[len(usual) :] if added else plan.cmdline))
        return [
            f"{first} with {'words added' if added else 'a command line of their own'} ({counted(len(parts), 'line')})",
            *(f"{self.person.name}: {what} {number}/{len(parts)}: {part}" for number, part in enumerate(parts, 1)),
        ]

    def _remarks(self) -> tuple[str, ...]:
        if not self.host().kexec_loaded:
            return ()
        return ("a kernel was loaded already, for the next restart; this one takes its place",)

    def _log(self, lines: Sequence[str], late: list[str]) -> None:
        """Lines of the journal, or of syslog: the file of the first stage would not survive the boot.

        `late` gets what is to be said of it afterwards. The first line that is not taken is the last one tried.
        """
        for line in lines:
            argv = ["logger", "-t", "chainboot", "-p", "auth.notice", "--", printable(line)]
            try:
                self.run(argv, check=True, timeout=_SHORT_S)
            except ChainbootError as error:
                late.append(f"the journal does not have this: {error.message}")
                return

    def _status(self) -> Answer:
        cmdline, release = self.running()
        booted, missing = read_words(cmdline), ""
        found: tuple[Configuration, ...] = ()
        among: tuple[Candidate, ...] = ()
        try:
            found, among = self._find()
        except NotFoundError as error:
            if booted is None:
                raise
            missing = error.message  # what this boot is and how long is left is known all the same
        host = self.host()
        problems = (*host_objections(host), *host_remarks(host), *self._remarks())
        trial = read_status(Look(booted, self.run, self.runtime), found, among, missing)
        status = running.Running(self.person, among, cmdline, release, problems, trial)
        return Answer(running.running_text(status), running.running_json(status))


def _short(label: str) -> str:
    return clip(label, _LABEL_CELLS)


def _pieces(text: str) -> list[str]:
    """`text` in pieces of at most `_LINE_BYTES` bytes of UTF-8, cut behind a blank where there is one: nothing is lost,
    and no word is hidden by a cut in its middle.
    """
    pieces: list[str] = []
    while len(text.encode()) > _LINE_BYTES:
        fits = text.encode()[:_LINE_BYTES].decode(errors="ignore")
        cut = fits.rfind(" ") + 1 or len(fits)
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]
