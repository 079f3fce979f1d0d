"""A session with a menu over a machine, and a person who follows a script."""

from __future__ import annotations

from session.sessions import CONSOLE, HOST, Machine, Script, Sitting

from chainboot.errors import ChainbootError
from chainboot.session.console import Console
from chainboot.session.events import Event
from chainboot.session.person import Person
from chainboot.settings import Settings


class Desk(Sitting):
    """A session with a menu over a machine."""

    def __init__(
        self,
        machine: Machine,
        script: Script,
        person: Person = CONSOLE,
        *,
        settings: Settings | None = None,
        consoles: str = "",
    ) -> None:
        super().__init__(machine, person, settings=settings)
        self.host = HOST
        self.departure.host = lambda: self.host
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.shells = 0
        self.slept = 0
        self.console = Console(
            run=machine.runner,
            overview=self.overview,
            departure=self.departure,
            log=self.log,
            rescue=self.shell,
            open_terminal=script.open,
            say=self.say,
            consoles=consoles,
            problems=lambda: tuple(self.problems),
            ask=self.ask,
            host=lambda: self.host,
            sleep=self.sleep,
            sys_block=str(machine.path / "sys"),
            mounts=str(machine.path / "m"),
        )

    def ask(self, words: str) -> tuple[str, ...]:
        self.asked.append(words)
        if words == "hold":
            raise ChainbootError("Not so fast.")
        return ("an answer", "with a \x1b[2J")

    def shell(self) -> int:
        self.shells += 1
        return 7

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.machine.now += round(seconds * 10)
        if self.slept > 200:
            raise AssertionError("this session waits for ever")

    def serve(self) -> int:
        return self.console.serve()


def sit(
    machine: Machine, *batches: tuple[Event, ...], person: Person = CONSOLE, until: int = 2000
) -> tuple[Desk, Script]:
    script = Script(machine, *batches, until=until)
    return Desk(machine, script, person), script
