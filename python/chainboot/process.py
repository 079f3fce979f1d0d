"""Running other programs: the only subprocess call of chainboot.

An argv list, never a shell. Callers take a `Runner`, so that tests hand in a fake instead of patching.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn, Protocol

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


# What a child may say, in bytes. In seconds: how often its end is looked for, and how long a killed one has for it.
_LARGEST = 256 << 10
_TURN_S = 0.005
_KILLED_S = 0.2

# Children that did not die when they were killed: asked for again, so that they do not stay as zombies.
_left: list[int] = []


def in_child(work: Callable[[], str], seconds: float) -> str | None:
    """What `work` says, done in a child of this process: its text, of which 256 KiB count.

    None where it raises, where the child dies, and where it has not ended after `seconds`: then it is killed with all
    that it runs. One that hangs in the kernel, on a dying disk, is left behind and not waited for. It holds nothing of
    ours: the child has none of our open files, thus none of our locks, no terminal and no session. Python objects that
    `work` changes stay as they are here.
    """
    import os
    import signal

    for pid in _left[:]:
        _ended(pid)
    end = time.monotonic() + seconds
    try:
        reader, writer = os.pipe()
    except OSError:
        return None
    try:
        child = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return None
    if child == 0:
        _work(work, writer)
    os.close(writer)
    _left.append(child)
    status: int | None = None
    try:
        data = _all_of(reader, end)
        while data is not None and (status := _ended(child)) is None and time.monotonic() < end:
            time.sleep(_TURN_S)
    finally:
        os.close(reader)
        if status is None:
            for kill in (os.killpg, os.kill):  # its group, once it has one
                with suppress(OSError):
                    kill(child, signal.SIGKILL)
            end = time.monotonic() + _KILLED_S
            while _ended(child) is None and time.monotonic() < end:
                time.sleep(_TURN_S)
    return data.decode("utf-8", "surrogatepass") if data is not None and status == 0 else None


def _work(work: Callable[[], str], writer: int) -> NoReturn:
    """The child's life."""
    import gc
    import os
    import signal

    code = 1
    try:
        os.setsid()
        gc.disable()  # whatever it would clean up belongs to the parent
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGWINCH):
            if callable(signal.getsignal(number)):  # what it would do is the parent's
                signal.signal(number, signal.SIG_DFL)
        _let_go(writer)
        text = work().encode("utf-8", "surrogatepass")
        size = min(len(text), _LARGEST)
        while size < len(text) and text[size] & 0xC0 == 0x80:  # not in the middle of a character
            size -= 1
        sent = 0
        while sent < size:
            sent += os.write(writer, text[sent:size])
        code = 0
    finally:
        os._exit(code)


def _let_go(but: int) -> None:
    """Every descriptor but this one leads nowhere from now on; its number stays taken, for somebody may close it."""
    import os

    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in (but, nothing):
            with suppress(OSError):  # the one that listed them
                os.fstat(descriptor)
                os.dup2(nothing, descriptor, inheritable=descriptor <= 2)


def _all_of(reader: int, end: float) -> bytes | None:
    """What comes until the other side closes; None where it does not do so before `end`."""
    import os
    import select

    data = b""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while (left := end - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            chunk = os.read(reader, 1 << 16)
            if not chunk:
                return data
            data += chunk
    return None


def _ended(child: int) -> int | None:
    """The exit status of a child, which is then forgotten; None while it runs."""
    import os

    try:
        pid, status = os.waitpid(child, os.WNOHANG)
    except OSError:  # somebody else has asked for it
        pid, status = child, -1
    if pid == 0:
        return None
    _left.remove(child)
    return status


def _spare_from_the_oom_killer() -> None:
    """Undo what a session over SSH was given (ssh-session): the machine's last steps are no session any more."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("0")


def pasteable(argv: Sequence[str]) -> str:
    """The command as it could be pasted into a shell."""
    return shlex.join(argv)
