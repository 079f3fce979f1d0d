"""The login shell of a running system: its boot menu, or one verb, for a user who has nothing else.

The system's own SSH server starts it as the shell of that user, as root behind one rule of sudo; docs/login-shell.md
has the whole arrangement. What a client sends is read as a request and reaches no shell; of the environment nothing is
handed on. Services are stopped before the jump: systemd does it (`systemctl kexec`).
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from chainboot.boot.candidate import Candidate, candidates, choose
from chainboot.boot.cmdline import join
from chainboot.boot.consoles import with_words
from chainboot.boot.host import Host, read_host
from chainboot.boot.kexec import perform
from chainboot.boot.lock import try_lock
from chainboot.boot.plan import BootPlan, make_plan
from chainboot.boot.preflight import host_objections, host_remarks, objections
from chainboot.boot.source import configurations
from chainboot.boot.sysappend import read_system
from chainboot.boot.volume import Configuration
from chainboot.errors import ChainbootError, RefusedError
from chainboot.listing import plan_json
from chainboot.process import Runner
from chainboot.remote.role import Role, least
from chainboot.session import running
from chainboot.session.person import Person
from chainboot.session.picker import Choose, choose_on_this_terminal
from chainboot.session.request import EXIT_NOT_ALLOWED, Request, RequestError, parse, usage
from chainboot.session.state import Abilities
from chainboot.session.verbs import Answer, help_json
from chainboot.session.visitor import ELSEWHERE, VERBS
from chainboot.settings import RUNTIME
from chainboot.text import clip, printable

EXIT_LEFT = 4  # the menu was left without a choice

_LOG_CELLS = 800  # logger(1) takes a KiB
_SHORT_S = 10.0
_GOING = "services stop now, and this connection closes; the machine answers again when the new system is up"


@dataclass
class LoginShell:
    """One login. `command` does a verb that the command line has too and returns its exit code.

    `choose` shows the menu; `is_terminal` says whether it can be shown; `root` is where the configuration is looked
    for, None: as `chainboot list` does. `running` is /proc/cmdline and the kernel's release.
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
                return self.command(asked), None

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
        words = join(*asked.append)
        if asked.cmdline is not None:
            cmdline: str | None = join(asked.cmdline, words)
        else:
            cmdline = with_words(candidate, words) if words else None
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
        elif self._stopping():
            against.append("this machine is shutting down already")
        if against:
            raise RefusedError(f"{candidate.entry.label} was not booted: {'; '.join(against)}")
        return make_plan(candidate, cmdline=cmdline, machine=host.machine, runtime=self.runtime, systemd=True)

    def _stopping(self) -> bool:
        """systemctl(1), is-system-running: `stopping` from the first moment of a shutdown."""
        with suppress(ChainbootError):
            asked = self.run(["systemctl", "is-system-running"], check=False, timeout=_SHORT_S)
            return asked.stdout.strip() == "stopping"
        return False

    def _boot(self, candidate: Candidate, cmdline: str | None) -> BootPlan:
        """Load it and let systemd go there. Raises `ChainbootError`; then nothing is loaded."""
        needed = Role.BOOT if cmdline is None else Role.EDIT
        if not self.person.role.allows(needed):  # the menu and the request have asked before
            raise RequestError(f"this login may not {needed.value}", EXIT_NOT_ALLOWED)
        with self._alone():
            plan = self._plan(candidate, cmdline)
            label, who = printable(plan.label), self.person.name
            given = "" if cmdline is None else f" with the command line: {plan.cmdline}"
            self._log(f"{who} boots {label}{given}")
            for line in (f"booting {label}: {plan.title} ({who})", *plan.notes, *self._remarks()):
                self.say(line)
            # Said before, because a terminal that takes nothing must not keep the machine half on its way.
            self.say(_GOING)
            try:
                with _unshaken():
                    perform(plan, self.run, self.say)
            except ChainbootError as error:
                self._log(f"{label} was not booted: {error.message}")
                raise
            return plan

    def _remarks(self) -> tuple[str, ...]:
        if not self.host().kexec_loaded:
            return ()
        return ("a kernel was loaded already, for the next restart; this one takes its place",)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One boots at a time; the next one is told who does."""
        try:
            os.makedirs(self.runtime, mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(f"{self.runtime}/login-shell", flags, 0o600)
        except OSError as error:
            raise RefusedError(f"{self.runtime} cannot be used: {(error.strerror or str(error)).lower()}") from error
        try:
            if not try_lock(descriptor, fcntl.LOCK_EX):
                who = printable(os.pread(descriptor, 1000, 0).decode("utf-8", "replace")) or "somebody else"
                raise RefusedError(f"{who} boots this machine right now")
            with suppress(OSError):  # no room for a name is no reason not to boot
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, self.person.name.encode("utf-8", "replace"), 0)
            yield
        finally:
            os.close(descriptor)

    def _log(self, text: str) -> None:
        """A line of the journal, or of syslog: the file of the first stage would not survive the boot."""
        line = clip(printable(text), _LOG_CELLS)
        try:
            self.run(["logger", "-t", "chainboot", "-p", "auth.notice", "--", line], check=True, timeout=_SHORT_S)
        except ChainbootError as error:
            self.say(f"the journal does not have this: {error.message}")

    def _status(self) -> Answer:
        _, among = self._find()
        host = self.host()
        problems = (*host_objections(host), *host_remarks(host), *self._remarks())
        status = running.Running(self.person, among, *self.running(), problems)
        return Answer(running.running_text(status), running.running_json(status))


@contextmanager
def _unshaken() -> Iterator[None]:
    """A connection that is lost, or a key, does not end this half way: what is loaded would turn a restart into a boot
    of it.
    """
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
