"""The interactive loop of one session, at a console or over SSH: look, show the menu, act on the choice, come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.consoles import with_consoles
from chainboot.boot.discovery import MOUNTS, Discovery, block_devices
from chainboot.boot.host import Host, read_host
from chainboot.boot.kexec import unload
from chainboot.boot.preflight import host_objections, host_remarks
from chainboot.boot.sysappend import NO_STRINGS, SystemStrings
from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.session.choice import autoboot, menu_items, menu_title, remarks
from chainboot.session.departure import CLOSING, NOT_NOW, Departure
from chainboot.session.events import Ask, Boot, Edit, Event, Key, Replace, Surroundings
from chainboot.session.log import Log
from chainboot.session.loop import MenuTerminal, run_menu
from chainboot.session.output import TerminalGone, speak
from chainboot.session.overview import Overview
from chainboot.session.screen import Action, Choice, ScreenState, open_menu
from chainboot.session.terminal import open_terminal
from chainboot.session.volumes import look
from chainboot.text import printable

# Lines that tests and log readers wait for.
NOT_BOOTED = "chainboot: not booted"
SHELL = "chainboot: rescue shell"
SHELL_LEFT = "chainboot: back from the rescue shell"

# How often a menu looks where nothing counts down, in tenths of a second: a console has but its own screen to tell that
# the machine goes; twenty sessions over SSH that only sit there leave the processor to the one that works.
_LOOK_DS = 10
_REMOTE_LOOK_DS = 20

# How often a menu without entries looks whether a disk has appeared, in tenths of a second.
_WATCH_DS = 10
# Looks at another session that boots, and the seconds between them: ten seconds together.
_PATIENCE = 20
_POLL_S = 0.5


@dataclass
class Console:
    """One session. What it touches comes in as arguments, so that tests hand in their own."""

    run: Runner
    overview: Overview
    departure: Departure
    log: Log
    rescue: Callable[[], int]  # the rescue shell on this terminal
    complaints: tuple[str, ...] = ()
    consoles: str = ""  # the words that an entry gets which names no console
    problems: Callable[[], tuple[str, ...]] = tuple  # what is wrong with the machine now, in sentences
    ask: Callable[[str], tuple[str, ...]] = lambda _words: ()  # the lines that answer a request in words
    open_terminal: Callable[[], AbstractContextManager[MenuTerminal]] = lambda: open_terminal()
    say: Callable[[str], None] = speak
    host: Callable[[], Host] = read_host
    strings: SystemStrings = NO_STRINGS
    sleep: Callable[[float], None] = time.sleep
    sys_block: str = "/sys/class/block"
    mounts: str = MOUNTS
    _restart: bool = field(default=False, init=False)
    _looks: int = field(default=0, init=False)

    def serve(self) -> int:
        """Show the menu again and again.

        Returns 0 when there is nothing more to do here: the terminal's input has ended, the person has left, or, over
        SSH, the machine boots.
        """
        overview = self.overview
        if overview.person.remote:
            overview.presence.attach()
            self.log.write(overview.person.name, "opened the menu")
        try:
            return self._serve()
        except TerminalGone:  # a line that hung up: /init opens a console anew
            return 0
        finally:
            if overview.person.remote:
                self.log.write(overview.person.name, "left the menu")
            overview.presence.detach()

    def _serve(self) -> int:
        message = ""
        while True:
            self._looks = self.overview.shared.looks()
            discovery = look(self.run, runtime=self.departure.runtime, sys_block=self.sys_block, mounts=self.mounts)
            among = with_consoles(candidates(discovery.configurations, self.strings), self.consoles)
            choice = self._ask(discovery, among, message)
            message = ""
            match choice.action:
                case Action.BOOT:
                    message = self._boot(discovery, among[(choice.index or 1) - 1], choice)
                    if not message and self.overview.person.remote:
                        return 0
                case Action.SHELL:
                    try:
                        self.open_shell()
                    except ChainbootError as error:
                        message = str(error)
                case Action.RESCAN:
                    self.run(["load-modules"], check=False)
                    if not choice.by_timer:
                        self.overview.shared.look_again()
                case Action.LEAVE:
                    message = self._follow()
                    if self.overview.person.remote:
                        return 0
                case Action.ASK:
                    message = self._answer(choice.words)
                case Action.STAY:
                    pass
                case Action.QUIT:
                    return 0

    def _ask(self, discovery: Discovery, among: Sequence[Candidate], message: str) -> Choice:
        overview = self.overview
        host = self.host()
        unable = host_objections(host)
        trials = self.departure.trials(discovery)
        decided = autoboot(discovery.configurations, among, overview.settings, overview.shared.failed(), unable, trials)
        if self._restart:
            overview.restart(decided)
            self._restart = False
        said = [message, decided.surprise if message == "" or not overview.presence.attached else ""]
        if not among:
            said.append(discovery.summary())
        state = open_menu(
            menu_items(among, trials),
            default=decided.default,
            timer=decided.index,
            timeout_ds=decided.timeout_ds,
            now_ds=overview.clock(),
            title=menu_title(discovery.configurations),
            message=" ".join(filter(None, said)),
            abilities=overview.person.abilities(),
            timer_cmdline=decided.cmdline,
            total_timeout_ds=decided.total_timeout_ds,
        )
        known = (
            *unable,
            *host_remarks(host),
            *self.complaints,
            *discovery.problems,
            *trials.problems(discovery.configurations),
            *trials.remarks(discovery.configurations),
            *remarks(discovery.configurations),
        )
        with self.open_terminal() as terminal:
            watched = _Watched(terminal, overview, self.sys_block, None if among else discovery.devices)

            def surroundings() -> Surroundings:
                seen = overview.look(decided, (*self.problems(), *known), self._looks)
                return replace(seen, look_again=True) if watched.disks_changed else seen

            idle_ds = _REMOTE_LOOK_DS if overview.person.remote else _LOOK_DS
            choice = run_menu(state, watched, overview.clock, surroundings, idle_ds)
        if choice.action is Action.BOOT and choice.by_timer and not overview.due(decided):
            return replace(choice, action=Action.STAY)
        return choice

    def _boot(self, discovery: Discovery, candidate: Candidate, choice: Choice) -> str:
        """Boot. Comes back with the reason why not, or with "" where this session is to end or to look again."""
        by = "the timer" if choice.by_timer else ""
        if choice.by_timer and self.overview.presence.boot_claimed():
            reason = NOT_NOW
        else:
            reason = self.departure.boot(candidate, choice.cmdline, discovery, by=by)
        if choice.by_timer and reason.startswith(NOT_NOW):
            # All views come to the end of the countdown together. One boots, and the others wait for what comes of it.
            return self._stand_by()
        if reason:
            self._restart = choice.by_timer
            self.say(f"{NOT_BOOTED}: {printable(reason)}")
        return reason

    def _answer(self, words: str) -> str:
        """Answer a request in words. Returns what the menu is to say: why there is no answer."""
        try:
            for line in self.ask(words):
                self.say(printable(line))
        except ChainbootError as error:
            return str(error)
        except OSError as error:  # a disk that fails while a wish is written to it
            return f"it could not be done: {error.strerror or error}"
        return ""

    def _follow(self) -> str:
        """Another session boots: say so, and wait here for the end, or for the news that it did not come to that."""
        if not self.overview.person.remote:
            return self._stand_by()
        told = self.overview.leaving()
        if told:
            self.say(told)
        self.say(CLOSING)
        return ""

    def _stand_by(self) -> str:
        """Wait for what another session makes of its right to boot, and not for ever: somebody may be at this one.

        Ten seconds while it loads; as long as `Overview.leaving` holds while it goes.

        Returns what the menu is to say.
        """
        said = ""
        looks = 0
        while looks < _PATIENCE:
            if not self.overview.presence.boot_claimed():
                return ""
            told = self.overview.leaving()
            if told and told != said:
                self.say(told)
                said = told
            if not told:  # while the machine is about to go there is nothing to choose; that has a limit of its own
                looks += 1
            self.sleep(_POLL_S)
        return f"{NOT_NOW} {self.overview.presence.booting()}."

    def open_shell(self, after: str = "returns to the menu") -> int:
        """The rescue shell, with nothing loaded before and after it. Returns its exit code; raises `ChainbootError`."""
        self._unload()
        self.log.write(self.overview.person.name, "opened a shell")
        self.say(f"{SHELL}; 'exit' {after}. Disks are mounted read-only below {self.mounts}.")
        try:
            code = self.rescue()
        finally:
            self._unload()
        self.say(SHELL_LEFT)
        return code

    def _unload(self) -> None:
        """Unload a kernel: it would turn a `reboot` in a shell into a kexec. Not one that another session starts."""
        presence = self.overview.presence
        if presence.claim_boot(f"{self.overview.person.name} opens a shell") is None:
            try:
                unload(self.run)
            finally:
                presence.release_boot()


class _Watched:
    """A terminal that also notices who is there: a key at a console attaches, a long silence detaches; and disks.

    `devices` are the block devices known so far; None where there is no need to look for more.
    """

    def __init__(
        self, terminal: MenuTerminal, overview: Overview, sys_block: str, devices: tuple[str, ...] | None
    ) -> None:
        self._terminal = terminal
        self._overview = overview
        self._sys_block = sys_block
        self._devices = devices
        self._last_key = overview.clock()
        self.disks_changed = False

    def draw(self, state: ScreenState) -> None:
        self._terminal.draw(state)

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        if self._devices is None:
            events = self._terminal.events(timeout_ds)
        else:
            events = self._terminal.events(_WATCH_DS if timeout_ds is None else min(timeout_ds, _WATCH_DS))
            self.disks_changed = not events and block_devices(self._sys_block) != self._devices
        if any(isinstance(event, Key | Boot | Edit | Replace | Ask) for event in events):
            self._last_key = self._overview.clock()
            self._overview.presence.attach()
        elif self._silent():
            self._overview.presence.detach()
        return events

    def _silent(self) -> bool:
        """Whether a person at a console must be taken for gone. A link tells by itself when it is dead."""
        idle_ds = self._overview.settings.console_idle * 10
        here = self._overview.presence.attached and not self._overview.person.remote
        return here and idle_ds > 0 and self._overview.clock() - self._last_key >= idle_ds
