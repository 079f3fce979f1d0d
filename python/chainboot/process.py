"""Running other programs: the only subprocess call of chainboot.

An argv list, never a shell. Callers take a `Runner`, so that tests hand in a fake instead of patching.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
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
    """Runs `argv` and waits. With `check`, a non-zero exit raises `ProcessError`.

    After `timeout` seconds the program is killed, and `ProcessError` says so. One that hangs in the kernel, on a dying
    disk, does not end by that: it is left behind, and what it holds (a mount, a lock) stays held until the kernel lets
    go of it.
    """

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed: ...


def run(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
    """Run `argv` with no input and wait for it. See `Runner`."""
    try:
        child = subprocess.Popen(list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        stdout, stderr = _outcome(child, timeout)
    except FileNotFoundError as error:
        raise ProcessError(f"{argv[0]} is not installed", hint=f"needed for: {pasteable(argv)}") from error
    except OSError as error:
        raise ProcessError(f"{argv[0]} could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ProcessError(f"{argv[0]} did not finish within {timeout:g} s") from error
    completed = Completed(
        tuple(argv),
        child.returncode,
        stdout.decode("utf-8", "surrogateescape"),
        stderr.decode("utf-8", "surrogateescape"),
    )
    if check and completed.returncode != 0:
        raise ProcessError(completed.reason(), hint=f"the command was: {pasteable(argv)}")
    return completed


# How long a program that was killed has to end, in seconds.
_DYING_S = 1.0


def _outcome(child: subprocess.Popen[bytes], timeout: float | None) -> tuple[bytes, bytes]:
    """What a program wrote. Raises `TimeoutExpired`, and waits for none that hangs in the kernel on a dead disk."""
    try:
        return child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        try:
            child.communicate(timeout=_DYING_S)
        except subprocess.TimeoutExpired:
            # It cannot be killed. Left alone, it ends when the kernel gives up.
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()
        raise
    except BaseException:  # Ctrl-C
        child.kill()
        child.wait()
        raise


# How often a program on the terminal is looked at, and how long it has to end when it is told to, in seconds.
_LOOK_S = 1.0
_FAREWELL_S = 2.0


def interact(
    argv: Sequence[str], *, extra_env: dict[str, str] | None = None, stop: Callable[[], bool] | None = None
) -> int:
    """Run `argv` on this terminal, as a rescue shell needs it, and return its exit code (-1: it was stopped).

    `stop` is asked every second; once it says so, the program is hung up on (SIGHUP), and killed if it does not care.
    So it is when nobody can read any more what it writes: a terminal hangs up by itself, a pipe of the SSH server's
    does not.
    """
    import os  # late: only a person who asks for a shell needs it
    import signal

    reasons = [reason for reason in (stop, _reader_gone()) if reason is not None]
    # The terminal's Ctrl-C and Ctrl-\\ are for the program, not for whoever waits for it.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        child = subprocess.Popen(
            list(argv),
            env={**os.environ, **(extra_env or {})},
            preexec_fn=lambda: _defaults(signal.SIGINT, signal.SIGQUIT, signal.SIGHUP),
        )
        while True:
            try:
                return child.wait(_LOOK_S if reasons else None)
            except subprocess.TimeoutExpired:
                if not any(reason() for reason in reasons):
                    continue
            child.send_signal(signal.SIGHUP)
            child.send_signal(signal.SIGCONT)
            try:
                child.wait(_FAREWELL_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            return -1
    except OSError as error:
        raise ProcessError(f"{argv[0]} could not be started: {error.strerror}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reader_gone() -> Callable[[], bool] | None:
    """Asks whether stdout has lost its reader; None where it is no pipe and no socket, or is closed."""
    import os
    import select
    import stat

    try:
        mode = os.fstat(1).st_mode
    except OSError:
        return None
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    output = select.poll()
    output.register(1, 0)  # poll(2): POLLERR and POLLHUP come unasked
    return lambda: bool(output.poll(0))


def _defaults(*numbers: int) -> None:
    import signal

    for number in numbers:
        signal.signal(number, signal.SIG_DFL)


def detach(act: Callable[[], None]) -> None:
    """Run `act` in a process that belongs to no session and no terminal; returns at once.

    Its parent dies here, so that the first process of the machine adopts it, and neither the end of a session nor a
    hangup reaches it. Its descriptors 0 to 2 lead nowhere.
    """
    import os
    import signal

    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            _spare_from_the_oom_killer()
            act()
    finally:
        os._exit(0)


def _spare_from_the_oom_killer() -> None:
    """Undo what a session over SSH was given (ssh-session): the machine's last steps are no session any more."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("0")


def pasteable(argv: Sequence[str]) -> str:
    """The command as it could be pasted into a shell."""
    return shlex.join(argv)
