"""Running other programs: the only subprocess call of chainboot.

An argv list, never a shell. Callers take a `Runner`, so that tests hand in a fake instead of patching.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chainboot.errors import ChainbootError
from chainboot.text import printable

# What a program says ends up in a sentence on a screen: its last lines are the ones that tell.
_SHOWN_OUTPUT = 400


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left behind. `stdout` and `stderr` are decoded as UTF-8 with surrogateescape."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str = ""
    stderr: str = ""

    def reason(self) -> str:
        """Why it failed, in words: a signal, an exit code, and the end of what it said."""
        said = " / ".join(line.strip() for line in (self.stderr or self.stdout).splitlines() if line.strip())
        how = f"was killed by signal {-self.returncode}" if self.returncode < 0 else f"exited with {self.returncode}"
        tail = f": {printable(said[-_SHOWN_OUTPUT:])}" if said else ""
        return f"{self.argv[0]} {how}{tail}"


class ProcessError(ChainbootError):
    """A program could not be started, took too long, or failed while `check` was set."""


class Runner(Protocol):
    """Runs `argv` and waits. With `check`, a non-zero exit raises `ProcessError`; `timeout` is in seconds."""

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed: ...


def run(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
    """Run `argv` with no input and wait for it. See `Runner`."""
    try:
        done = subprocess.run(
            list(argv),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
        )
    except FileNotFoundError as error:
        raise ProcessError(f"{argv[0]} is not installed", hint=f"needed for: {pasteable(argv)}") from error
    except OSError as error:
        raise ProcessError(f"{argv[0]} could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ProcessError(f"{argv[0]} did not finish within {timeout:g} s") from error
    completed = Completed(
        tuple(argv),
        done.returncode,
        done.stdout.decode("utf-8", "surrogateescape"),
        done.stderr.decode("utf-8", "surrogateescape"),
    )
    if check and completed.returncode != 0:
        raise ProcessError(completed.reason(), hint=f"the command was: {pasteable(argv)}")
    return completed


def interact(argv: Sequence[str], *, extra_env: dict[str, str] | None = None) -> int:
    """Run `argv` on this terminal, as a rescue shell needs it, and return its exit code."""
    import os  # late: only a person who asks for a shell needs it

    try:
        return subprocess.run(list(argv), check=False, env={**os.environ, **(extra_env or {})}).returncode
    except OSError as error:
        raise ProcessError(f"{argv[0]} could not be started: {error.strerror}") from error


def pasteable(argv: Sequence[str]) -> str:
    """The command as it could be pasted into a shell."""
    return shlex.join(argv)
