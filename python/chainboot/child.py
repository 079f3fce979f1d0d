"""Work that may hang, on a dying disk, in a child of this process: nothing hangs with it, what it says comes back."""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

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
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in (but, nothing):
            with suppress(OSError):  # the one that listed them
                os.fstat(descriptor)
                os.dup2(nothing, descriptor, inheritable=descriptor <= 2)


def _all_of(reader: int, end: float) -> bytes | None:
    """What comes until the other side closes; None where it does not do so before `end`."""
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
    try:
        pid, status = os.waitpid(child, os.WNOHANG)
    except OSError:  # somebody else has asked for it
        pid, status = child, -1
    if pid == 0:
        return None
    _left.remove(child)
    return status
