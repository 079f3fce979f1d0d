"""A whole machine below a directory: one disk, programs that are only written down, and sessions that share it.

Nothing here touches the machine that the tests run on: what would end sessions or jump is a line in `Machine.commands`.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fakes import FakeRunner
from nixos import usual_conf, write_root

from chainboot.boot import kexec
from chainboot.boot.discovery import Discovery, discover
from chainboot.boot.host import Host
from chainboot.boot.plan import BootPlan, EndSessions
from chainboot.boot.volume import Volume
from chainboot.process import Completed, Runner
from chainboot.remote.reach import Reach
from chainboot.remote.role import Role
from chainboot.session.attempts import Attempts
from chainboot.session.departure import Departure
from chainboot.session.events import Event
from chainboot.session.log import Log
from chainboot.session.output import TerminalGone
from chainboot.session.overview import Overview
from chainboot.session.person import Person
from chainboot.session.presence import Presence
from chainboot.session.screen import ScreenState, status
from chainboot.session.shared import Shared
from chainboot.settings import Settings
from chainboot.trial.evidence import Evidence
from chainboot.trial.watchdog import Watchdog

NOW = 1_800_000_000  # seconds since 1970

HOST = Host("x86_64", True, True, False, False, False, 1 << 30)

CONSOLE = Person("somebody at ttyS0", Role.ADMIN, remote=False)
ANNA = Person("anna@laptop from 192.0.2.9", Role.ADMIN, remote=True)
BORIS = Person("boris from 192.0.2.10", Role.BOOT, remote=True)
VERA = Person("vera from 192.0.2.11", Role.VIEW, remote=True)

UNSERVED = Reach("off")
SERVED = Reach("on", 22, ("192.0.2.7",), True, "ED25519 SHA256:abc")
NO_NETWORK = Reach("on", 22, (), True, "ED25519 SHA256:abc")
NOT_LISTENING = Reach("starting", 22, ("192.0.2.7",), False)


class Machine:
    """The disk vda, the clock (tenths of a second), how the machine can be reached, and what was run, in order."""

    def __init__(
        self,
        tmp_path: Path,
        conf: str | None = None,
        *,
        answers: dict[str, Completed] | None = None,
        reach: Reach = UNSERVED,
    ) -> None:
        self.path = tmp_path
        self.runtime = str(tmp_path / "run")
        self.now = 0
        self.reach = reach
        self.runner = FakeRunner({"blkid": Completed((), 0, "TYPE=ext4\n"), **(answers or {})})
        (tmp_path / "sys/vda").mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/vda/size").write_text("8")
        self.disk = tmp_path / "m/vda"
        if conf is not None or not self.disk.exists():
            write_root(self.disk, usual_conf() if conf is None else conf)

    @property
    def commands(self) -> list[tuple[str, ...]]:
        return self.runner.commands

    def acts(self) -> list[tuple[str, ...]]:
        """What was run but for looking at disks."""
        return [command for command in self.commands if command[0] not in ("blkid", "mount")]

    def loads(self) -> list[str]:
        """The command lines of the kernels that were loaded."""
        return [command[-1] for command in self.commands if command[:3] == ("kexec", "-a", "-l")]

    def clock(self) -> int:
        return self.now

    def discover(self) -> Discovery:
        return discover(self.runner, sys_block=str(self.path / "sys"), mounts=str(self.path / "m"))


class Sitting:
    """One person's session on a machine, with what it said and what it left to the process that no session owns."""

    def __init__(
        self,
        machine: Machine,
        person: Person = CONSOLE,
        *,
        settings: Settings | None = None,
        owned: bool = False,
        counted: bool = False,
    ) -> None:
        self.machine = machine
        self.person = person
        self.settings = settings or Settings()
        self.said: list[str] = []
        self.detached: list[Callable[[], None]] = []
        self.presence = Presence(machine.runtime, name=person.name, remote=person.remote)
        self.shared = Shared(machine.runtime)
        self.log = Log(machine.runtime, kmsg=str(machine.path / "no-kmsg"))
        self.overview = Overview(
            person,
            self.settings,
            self.presence,
            self.shared,
            reach=lambda: machine.reach,
            clock=lambda: machine.clock(),
        )
        # Boots are counted only where a test asks for it: their words would stand in every command line.
        self.watchdog: Watchdog | None = None
        self.attempts = Attempts(
            machine.runner,
            self.settings,
            self.log,
            machine.runtime,
            now=lambda: NOW,
            find_watchdog=lambda _: self.watchdog,
            gather=self.gather,
        )
        self.departure = Departure(
            machine.runner,
            person,
            self.presence,
            self.shared,
            self.log,
            self.say,
            machine.runtime,
            owned=owned,
            installed=self.settings.installed,
            attempts=self.attempts if counted else None,
            clock=lambda: machine.clock(),
            host=lambda: HOST,
            detach=self.detached.append,
            leave=self.leave,
        )

    def say(self, text: str) -> None:
        self.said.append(text)

    def gather(self, digest: str, why: str, _volumes: Sequence[Volume], _since: int) -> Evidence:
        """What is known of an entry that did not come up."""
        return Evidence(digest, why or "it panicked: out of coffee", ("Kernel panic: out of coffee",))

    def leave(self, plan: BootPlan, run: Runner, say: Callable[[str], None]) -> None:
        """The second half of a boot, with a line for what would end the sessions: what they are told at that moment."""

        def end_sessions(step: EndSessions) -> None:
            self.machine.commands.append(("end-sessions", str(step.patience), self.shared.leaving()[0]))

        kexec.leave(plan, run, say, end_sessions)

    def acts(self) -> list[str]:
        """What the log holds, as `who: what`."""
        return [f"{act.who}: {act.what}" for act in self.log.read()]


class Script:
    """A terminal whose person follows a script: one batch of events for each time the menu asks.

    The clock runs on while there is nothing to do. Once it has reached `until`, the line hangs up.
    """

    def __init__(self, machine: Machine, *batches: tuple[Event, ...], until: int = 2000) -> None:
        self.machine = machine
        self.batches = list(batches)
        self.until = until
        self.asked = 0
        self.seen: list[str] = []
        self.states: list[ScreenState] = []
        self.happens: Callable[[], None] = lambda: None

    @contextmanager
    def open(self) -> Iterator[Script]:
        yield self

    def draw(self, state: ScreenState) -> None:
        self.seen.append(status(state))
        self.states.append(state)

    @property
    def messages(self) -> list[str]:
        return [state.message for state in self.states]

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        self.asked += 1
        # A session that never comes to rest is a failure, not a test that never ends.
        if self.machine.now >= self.until or self.asked > 2000:
            raise TerminalGone
        self.happens()
        if self.batches:
            return self.batches.pop(0)
        assert timeout_ds is not None, "somebody has to look whether the others have left"
        self.machine.now += max(timeout_ds, 1)
        return ()


@contextmanager
def no_room() -> Iterator[None]:
    """Files can be made and take no byte, as below a full tmpfs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def elsewhere(act: Callable[[], object]) -> Iterator[int]:
    """Another process that has done `act` and then does nothing, until the end of the block; gives its number."""
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ready)
            act()
            os.write(go, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(go)
    done = os.read(ready, 1)
    os.close(ready)
    try:
        assert done == b"x", "the other process failed"
        yield child
    finally:
        kill(child)


def go_on_in_a_child(act: Callable[[], object], told: Path) -> None:
    """In the process of `elsewhere`: a child that has done `act` and then does nothing. `told` has its number."""
    child = os.fork()
    if child == 0:
        try:
            act()
            (told.parent / f"{told.name}.new").write_text(str(os.getpid()))
            (told.parent / f"{told.name}.new").rename(told)
            signal.pause()
        finally:
            os._exit(1)
    wait_until(told.exists)


@contextmanager
def child_of(told: Path) -> Iterator[Callable[[], None]]:
    """What kills the child of `go_on_in_a_child`, which also happens at the end of the block."""

    def end() -> None:
        with suppress(ProcessLookupError):
            os.kill(int(told.read_text()), signal.SIGKILL)

    try:
        yield end
    finally:
        end()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def kill(child: int) -> None:
    """Kill a child without a word to it, and wait until it is gone."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
