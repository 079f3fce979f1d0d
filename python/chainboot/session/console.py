"""The interactive loop on a console: look for entries, show the menu, act on the choice, and come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.cmdline import split
from chainboot.boot.discovery import MOUNTS, Discovery, block_devices, discover
from chainboot.boot.host import Host, read_host
from chainboot.boot.kexec import perform, unload
from chainboot.boot.plan import make_plan
from chainboot.boot.preflight import host_objections, objections
from chainboot.boot.sysappend import NO_STRINGS, SystemStrings, read_system
from chainboot.boot.volume import Configuration
from chainboot.errors import ChainbootError
from chainboot.process import Runner, interact, run
from chainboot.session.choice import Identity, autoboot, identity, menu_items, remarks
from chainboot.session.events import Boot, Edit, Event, Key, Replace
from chainboot.session.loop import MenuTerminal, run_menu
from chainboot.session.output import TerminalGone
from chainboot.session.presence import RUNTIME, Presence
from chainboot.session.screen import Abilities, Action, Choice, ScreenState, open_menu
from chainboot.session.terminal import open_terminal
from chainboot.settings import Settings, from_parameters
from chainboot.text import printable

TITLE = "chainboot"

# Lines that tests and log readers wait for.
BOOTING = "chainboot: booting"
NOT_BOOTED = "chainboot: not booted"
SHELL = "chainboot: rescue shell"
SHELL_LEFT = "chainboot: back from the rescue shell"

# How often a menu without entries looks whether a disk has appeared, in tenths of a second.
_WATCH_DS = 10


def clock() -> int:
    """Tenths of a second on a clock that nobody sets."""
    return time.monotonic_ns() // 100_000_000


def serve() -> int:
    """The verb `console` of the first stage: the menu on this console, until its input ends. Returns an exit code."""
    try:
        with open("/proc/cmdline", encoding="utf-8", errors="surrogateescape") as file:
            words = split(file.read())
    except OSError:
        words = ()
    settings, complaints = from_parameters(words)
    console = Console(run=run, settings=settings, presence=Presence(), complaints=complaints, strings=read_system())
    return console.serve()


@dataclass
class Console:
    """One console of the first stage. What it touches comes in as arguments, so that tests hand in their own.

    `failed` holds the entries that did not load here, and why: the timer passes them over.
    """

    run: Runner
    settings: Settings
    presence: Presence
    complaints: tuple[str, ...] = ()
    open_terminal: Callable[[], AbstractContextManager[MenuTerminal]] = lambda: open_terminal()
    say: Callable[[str], None] = lambda text: print(text, flush=True)
    shell: Callable[[], int] = lambda: interact(["/bin/sh", "-i"], extra_env={"PS1": "chainboot# "})
    host: Callable[[], Host] = read_host
    strings: SystemStrings = NO_STRINGS
    clock: Callable[[], int] = clock
    sys_block: str = "/sys/class/block"
    mounts: str = MOUNTS
    runtime: str = RUNTIME
    failed: dict[Identity, str] = field(default_factory=dict)

    def serve(self) -> int:
        """Show the menu again and again. Returns 0 when the terminal's input has ended and nothing can happen here."""
        message = ""
        attended = False
        while True:
            discovery = discover(self.run, sys_block=self.sys_block, mounts=self.mounts)
            among = candidates(discovery.configurations, self.strings)
            try:
                choice = self._ask(discovery, among, message, attended)
            except TerminalGone:  # a line that hung up: /init opens the console anew
                return 0
            message = ""
            attended = not choice.by_timer
            match choice.action:
                case Action.BOOT:
                    message = self._boot(discovery, among[(choice.index or 1) - 1], choice)
                case Action.SHELL:
                    message = self._open_shell()
                case Action.RESCAN:
                    self.run(["load-modules"], check=False)
                    attended = bool(among)  # a machine that waits for its disk still boots by itself
                case Action.QUIT:
                    return 0

    def _ask(self, discovery: Discovery, among: Sequence[Candidate], message: str, attended: bool) -> Choice:
        decided = autoboot(discovery.configurations, among, self.settings, self.failed)
        said = [message, decided.surprise if message == "" or not attended else ""]
        if not among:
            said.append(discovery.summary())
        state = open_menu(
            menu_items(among),
            default=decided.default,
            timer=decided.index,
            timeout_ds=None if attended else decided.timeout_ds,
            now_ds=self.clock(),
            title=_title(discovery.configurations),
            message=" ".join(filter(None, said)),
            banner=self._banner(discovery),
            abilities=Abilities(can_shell=True, can_edit=True, can_quit=False),
            timer_cmdline=decided.cmdline,
            total_timeout_ds=None if attended else decided.total_timeout_ds,
        )
        with self.open_terminal() as terminal:
            watched = _Watched(terminal, self.presence, self.sys_block, None if among else discovery.devices)
            return run_menu(state, watched, self.clock, self.presence.others_attached)

    def _banner(self, discovery: Discovery) -> tuple[str, ...]:
        host = self.host()
        return (*host_objections(host), *self.complaints, *discovery.problems, *remarks(discovery.configurations))

    def _boot(self, discovery: Discovery, candidate: Candidate, choice: Choice) -> str:
        """Boot. Comes back only if that failed, with the reason for the menu to show."""
        label = printable(candidate.entry.label)
        if choice.by_timer and self.presence.others_attached():
            return ""
        busy = self.presence.claim_boot(label)
        if busy is not None:
            return f"Another session is booting {printable(busy)}."
        try:
            host = self.host()
            cmdline = candidate.cmdline if choice.cmdline is None else choice.cmdline
            against = objections(candidate, cmdline, host) + host_objections(host)
            if against:
                raise ChainbootError(f"{label} cannot boot: {'; '.join(against)}")
            unmount = tuple(volume.root for volume in discovery.volumes if volume.mounted)
            plan = make_plan(candidate, cmdline=cmdline, machine=host.machine, runtime=self.runtime, unmount=unmount)
            self.say(f"{BOOTING} {label}: {printable(candidate.entry.title)}")
            perform(plan, self.run, self.say)
            reason = f"{label} was started, but this kernel is still running"
        except ChainbootError as error:
            reason = str(error)
        finally:
            self.presence.release_boot()
        self.failed[identity(candidate)] = reason
        self.say(f"{NOT_BOOTED}: {printable(reason)}")
        return reason

    def _open_shell(self) -> str:
        # A loaded kernel would turn a `reboot` in that shell into a kexec.
        unload(self.run)
        self.say(f"{SHELL}; 'exit' returns to the menu. Disks are mounted read-only below {self.mounts}.")
        try:
            self.shell()
        except ChainbootError as error:
            return str(error)
        finally:
            unload(self.run)
        self.say(SHELL_LEFT)
        return ""


def _title(configurations: Sequence[Configuration]) -> str:
    titles = (configuration.menu.title or "" for configuration in configurations)
    # NixOS writes a row of dashes for a title.
    return next((f"{TITLE}: {title}" for title in titles if title.strip("-")), TITLE)


class _Watched:
    """A terminal that also notices two things: that a person is there, and that a disk has appeared.

    `devices` are the block devices known so far; None where there is no need to look for more.
    """

    def __init__(
        self, terminal: MenuTerminal, presence: Presence, sys_block: str, devices: tuple[str, ...] | None
    ) -> None:
        self._terminal = terminal
        self._presence = presence
        self._sys_block = sys_block
        self._devices = devices

    def draw(self, state: ScreenState) -> None:
        self._terminal.draw(state)

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        if self._devices is None:
            events = self._terminal.events(timeout_ds)
        else:
            events = self._terminal.events(_WATCH_DS if timeout_ds is None else min(timeout_ds, _WATCH_DS))
            if not events and block_devices(self._sys_block) != self._devices:
                return (Key("r"),)
        if any(isinstance(event, Key | Boot | Edit | Replace) for event in events):
            self._presence.attach()
        return events


def choose_on_this_terminal(
    configurations: Sequence[Configuration], among: Sequence[Candidate]
) -> tuple[Candidate, str | None] | None:
    """The verb `menu`: what a person chose and the command line they typed instead, or None if they left."""
    decided = autoboot(configurations, among, Settings(), {})
    message = decided.surprise
    while True:
        state = open_menu(
            menu_items(among),
            default=decided.default,
            timer=decided.index,
            timer_cmdline=decided.cmdline,
            timeout_ds=decided.timeout_ds,
            total_timeout_ds=decided.total_timeout_ds,
            now_ds=clock(),
            title=_title(configurations),
            message=message,
            banner=remarks(configurations),
            abilities=Abilities(can_shell=False, can_edit=True, can_quit=True),
        )
        with open_terminal() as terminal:
            choice = run_menu(state, terminal, clock)
        if choice.action is Action.BOOT and choice.index is not None:
            return among[choice.index - 1], choice.cmdline
        if choice.action is Action.QUIT:
            return None
        message = "The configuration was read when this menu was opened; leave it and start it again to read it anew."
        decided = replace(decided, timeout_ds=None, total_timeout_ds=None)
