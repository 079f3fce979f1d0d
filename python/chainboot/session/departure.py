"""Leaving the machine: a boot, a restart or the end, chosen in any session.

The order is: claim, load, record, tell everybody, take down, jump. A session over SSH cannot do the last two itself,
because it is one of those that end; a process that no session owns does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.cmdline import with_parameters
from chainboot.boot.consoles import with_consoles
from chainboot.boot.discovery import Discovery
from chainboot.boot.host import Host, read_host
from chainboot.boot.kexec import leave, load, unload
from chainboot.boot.plan import POWER, BootPlan, make_plan, make_power_plan
from chainboot.boot.preflight import host_objections, objections
from chainboot.boot.proved import mark_proved
from chainboot.errors import ChainbootError, RefusedError
from chainboot.process import Runner, detach
from chainboot.session.attempt import Attempt
from chainboot.session.attempts import Attempts
from chainboot.session.choice import Identity, cannot_boot, identity
from chainboot.session.clock import clock
from chainboot.session.countdown import Countdown
from chainboot.session.log import Log
from chainboot.session.person import Person
from chainboot.session.presence import Presence
from chainboot.session.shared import Shared
from chainboot.session.trials import OFF, Trials
from chainboot.session.volumes import steady
from chainboot.text import printable

# Lines that tests and log readers wait for.
BOOTING = "chainboot: booting"
NOT_NOW = "Not now:"
CLOSING = "chainboot: this link closes now; the next system answers with its own address and host key"


@dataclass
class Departure:
    """How one session leaves. `detach` runs the last steps for a session that would not survive them.

    `owned`: so would a command that was typed into the rescue shell of a console. `installed` is the setting.
    """

    run: Runner
    person: Person
    presence: Presence
    shared: Shared
    log: Log
    say: Callable[[str], None]
    runtime: str
    owned: bool = False
    installed: str = ""
    attempts: Attempts | None = None
    clock: Callable[[], int] = clock
    host: Callable[[], Host] = read_host
    detach: Callable[[Callable[[], None]], None] = detach
    leave: Callable[[BootPlan, Runner, Callable[[str], None]], None] = leave

    def trials(self, discovery: Discovery) -> Trials:
        """What the records of the volumes say now."""
        return OFF if self.attempts is None else self.attempts.look(discovery)

    def plan(
        self, candidate: Candidate, cmdline: str | None, discovery: Discovery, attempt: Attempt | None = None
    ) -> BootPlan:
        """What booting `candidate` would run. Raises `RefusedError` where it has no kernel."""
        return make_plan(
            candidate,
            cmdline=cmdline,
            machine=self.host().machine,
            runtime=self.runtime,
            unmount=_mounted(discovery),
            sessions=True,
            words=attempt.added if attempt is not None else "",
            record=attempt.steps if attempt is not None else (),
            remarks=attempt.remarks if attempt is not None else (),
        )

    def rehearse(self, candidate: Candidate, cmdline: str | None, discovery: Discovery) -> BootPlan:
        """The plan of `boot`, with nothing done for it."""
        own = cmdline is None or cmdline == candidate.boot_cmdline
        attempt = self._attempt(candidate, discovery, "", dry_run=True) if own else None
        candidate, attempt = self._fitting(candidate, attempt) if own else (candidate, None)
        return self.plan(candidate, None if own else cmdline, discovery, attempt)

    def objections(self, candidate: Candidate, cmdline: str) -> tuple[str, ...]:
        """Why it cannot boot, as far as that can be known before."""
        host = self.host()
        return objections(candidate, cmdline, host) + host_objections(host)

    def fitting(self, candidate: Candidate) -> Candidate:
        """The entry without the console that it was to be given, where it could boot without and cannot with it.

        A command line has a limit, and what is added must not keep a machine from booting.
        """
        if not candidate.consoles or not self.objections(candidate, candidate.boot_cmdline):
            return candidate
        bare = replace(candidate, consoles="")
        return candidate if self.objections(bare, bare.cmdline) else bare

    def _fitting(self, candidate: Candidate, attempt: Attempt | None) -> tuple[Candidate, Attempt | None]:
        """The same for the words of a trial: a console goes before them, and of them what matters least."""
        if attempt is None:
            return self.fitting(candidate), None
        for less in attempt.shorter():
            for each in (candidate, replace(candidate, consoles="")):
                if not self.objections(each, with_parameters(each.boot_cmdline, less.added)):
                    return each, less
        # Without any of them nothing can be proved, so that it is not counted either.
        return self.fitting(candidate), None

    def _attempt(self, candidate: Candidate, discovery: Discovery, by: str, *, dry_run: bool = False) -> Attempt | None:
        """How the boot is counted. A try of what nobody chose has to be written, where something good could boot."""
        if self.attempts is None:
            return None
        trials = self.trials(discovery)
        among = candidates(discovery.configurations) if by else ()
        failed = self.shared.failed()
        good = trials.good_besides(candidate, among, lambda each: cannot_boot(each, failed)) is not None
        return self.attempts.prepare(candidate, trials, by_itself=bool(by), must=good, dry_run=dry_run)

    def boot(self, candidate: Candidate, cmdline: str | None, discovery: Discovery, *, by: str = "") -> str:
        """Boot. Returns why not; for a session over SSH, "" once the jump is under way and the session is to end.

        `by` is who decided where that is not the person of this session. Then `cmdline` is what the configuration gives
        in place of the entry's own, and it gets a console as that one does.
        """
        label = printable(candidate.entry.label)
        own = cmdline is None or cmdline == candidate.boot_cmdline
        if by and cmdline is not None:
            candidate = with_consoles([replace(candidate, cmdline=cmdline)], candidate.consoles)[0]
            cmdline = None
        given = "" if own else f" with the command line: {candidate.boot_cmdline if cmdline is None else cmdline}"
        # What a person typed may be too long or wrong; that says nothing about the entry. What boots by itself must
        # give way to another one.
        blamed = identity(candidate) if own or by else None
        prepare = partial(self._prepared, candidate, cmdline, discovery, by, counted=own or bool(by))
        return self._go(label, given, prepare, blamed, by, partial(self._record, discovery))

    def power(self, verb: str) -> str:
        """Restart the machine or switch it off, as `boot` does. Looks at no disk: it may be a disk that is dying."""

        def prepare() -> tuple[BootPlan, None]:
            unload(self.run)
            return make_power_plan(verb), None

        return self._go(verb, "", prepare, None, "", lambda _: ())

    def _record(self, discovery: Discovery, attempt: Attempt | None) -> tuple[str, ...]:
        """This first stage has found and loaded an entry, and jumps now: the next `chainboot install` keeps it.

        Gives sentences for the person. Raises `RefusedError` where it may not jump, because the try cannot be written.
        """
        said = () if attempt is None or self.attempts is None else self.attempts.record(attempt)
        problem = mark_proved(self.run, discovery.volumes, self.installed, runtime=self.runtime)
        if problem is not None:
            self.log.write("chainboot", printable(problem))
        return said

    def _prepared(
        self, candidate: Candidate, cmdline: str | None, discovery: Discovery, by: str, *, counted: bool
    ) -> tuple[BootPlan, Attempt | None]:
        attempt = None
        if cmdline is None or cmdline == candidate.boot_cmdline:
            attempt = self._attempt(candidate, discovery, by) if counted else None
            candidate, attempt = self._fitting(candidate, attempt)
            cmdline = None
        against = self.objections(candidate, candidate.boot_cmdline if cmdline is None else cmdline)
        if against:
            raise RefusedError(f"{printable(candidate.entry.label)} cannot boot: {'; '.join(against)}")
        return self.plan(candidate, cmdline, discovery, attempt), attempt

    def _go(
        self,
        what: str,
        given: str,
        prepare: Callable[[], tuple[BootPlan, Attempt | None]],
        entry: Identity | None,
        by: str,
        record: Callable[[Attempt | None], tuple[str, ...]],
    ) -> str:
        who = by or self.person.name
        does = what if what in POWER else f"boots {what}"
        busy = self.presence.claim_boot(f"{who} {does}")
        if busy is not None:
            return f"{NOT_NOW} {busy}."
        self.log.write(who, f"{does}{given}")
        try:
            with steady(self.runtime):
                plan, attempt = prepare()
                load(plan, self.run)
        except ChainbootError as error:
            self._failed(str(error), entry)
            return str(error)
        try:
            said = record(attempt)
        except Exception as error:  # whatever it was: nothing stays loaded or armed, and others may boot
            unload(self.run, loaded=True)
            self._undo(attempt)
            reason = str(error) if isinstance(error, ChainbootError) else f"{what} was not booted: {error}"
            self._failed(reason, entry)
            return reason
        told = f"{'chainboot:' if what in POWER else BOOTING} {what}: {printable(plan.title)}"
        self.shared.leave(f"{told} ({who})", self.clock())
        notes = [f"chainboot: {printable(note)}" for note in (*plan.notes, *said)]
        if not (self.person.remote or self.owned):
            for line in (told, *notes):
                self.say(line)
            return self._jump(plan, entry, attempt)
        # First: nothing of this session, such as a terminal that takes nothing, may keep the machine here.
        self.detach(lambda: self._quietly(plan, entry, attempt))
        for line in (told, *notes):
            self.say(line)
        if self.person.remote:
            self.say(CLOSING)
        return ""

    def _quietly(self, plan: BootPlan, entry: Identity | None, attempt: Attempt | None) -> None:
        self.presence.hand_over()
        self.say = lambda text: self.log.write("chainboot", text)
        self._jump(plan, entry, attempt)

    def _jump(self, plan: BootPlan, entry: Identity | None, attempt: Attempt | None) -> str:
        reason = f"{plan.label} was started, but this kernel is still running"
        try:
            self.leave(plan, self.run, self.say)
        except ChainbootError as error:
            reason = str(error)
        except Exception as error:  # whatever it was, the machine must not stay half left
            reason = f"{plan.label} was not booted: {error}"
        unload(self.run)
        trouble = self._undo(attempt)
        reason = f"{reason}; {trouble}" if trouble else reason
        self._failed(reason, entry)
        return reason

    def _undo(self, attempt: Attempt | None) -> str:
        return "" if attempt is None or self.attempts is None else self.attempts.undo(attempt)

    def _failed(self, reason: str, entry: Identity | None) -> None:
        """Write down why, and let everybody look anew: the entry that boots by itself may be another one now."""
        self.log.write("chainboot", reason)
        if entry is not None:
            self.shared.fail(entry, reason)
            self.shared.look_again()
        # Not one view may find the old end of the countdown and boot the next entry at once: whoever sits here restarts
        # it, and if they cannot any more, it goes on as after a person who has left.
        self.shared.countdown(lambda _: Countdown(started=True, held=True))
        self.shared.stay()  # first: once the claim is gone, the note may be another session's
        self.presence.release_boot()


def _mounted(discovery: Discovery) -> tuple[str, ...]:
    return tuple(volume.root for volume in discovery.volumes if volume.mounted)
