"""Stand-ins for what chainboot runs, handed in where it takes a `Runner`."""

from __future__ import annotations

from collections.abc import Sequence

from chainboot.process import Completed, ProcessError


class FakeRunner:
    """Records what would run. `answers` maps the start of a command to what it leaves behind."""

    def __init__(self, answers: dict[str, Completed] | None = None) -> None:
        self.answers = answers or {}
        self.commands: list[tuple[str, ...]] = []
        self.timeouts: list[float | None] = []

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        self.commands.append(tuple(argv))
        self.timeouts.append(timeout)
        line = " ".join(argv)
        done = next((answer for start, answer in self.answers.items() if line.startswith(start)), Completed((), 0))
        done = Completed(tuple(argv), done.returncode, done.stdout, done.stderr)
        if check and done.returncode != 0:
            raise ProcessError(done.reason())
        return done
