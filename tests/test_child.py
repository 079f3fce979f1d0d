"""Work in a child: what it says comes back whole, and one that hangs costs nothing but its time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chainboot.child import in_child
from chainboot.process import run


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize("text", ["", "word", "\udcff \U0001f600\n", "x" * (256 << 10)])
def test_what_a_child_says_comes_back_whole(text: str) -> None:
    before = _children(), os.listdir("/proc/self/fd")
    assert in_child(lambda: text, 60) == text
    assert (_children(), os.listdir("/proc/self/fd")) == before


def test_of_what_a_child_says_a_part_counts() -> None:
    said = in_child(lambda: "xy" + "\u20ac" * (256 << 10), 60)
    assert said == "xy" + "\u20ac" * (((256 << 10) - 2) // 3), "no half of a character"


def test_a_child_that_hangs_is_killed_with_what_it_runs(tmp_path: Path) -> None:
    """It does not listen to anything but SIGKILL, and neither does its own program."""

    def work() -> str:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (tmp_path / "began").write_text(f"{os.getpid()}")
        run(["sh", "-c", f"trap '' TERM HUP; echo $$ > {tmp_path}/program; sleep 30"], check=True)
        return "late"

    before = _children(), os.listdir("/proc/self/fd")
    started = time.monotonic()
    assert in_child(work, 1.0) is None
    assert time.monotonic() - started < 10
    assert (_children(), os.listdir("/proc/self/fd")) == before
    for name in ("began", "program"):
        assert _is_gone(int((tmp_path / name).read_text()))


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


def _raises(error: BaseException) -> Callable[[], str]:
    def work() -> str:
        raise error

    return work


def _dies() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "not reached"


@pytest.mark.parametrize(
    "work",
    [_raises(OSError(5, "Input/output error")), _raises(SystemExit(0)), _raises(KeyboardInterrupt()), _dies],
    ids=["error", "exit", "interrupt", "killed"],
)
def test_a_child_that_raises_or_dies_says_nothing(work: Callable[[], str]) -> None:
    assert in_child(work, 60) is None


def test_a_child_has_none_of_our_locks_and_no_terminal(tmp_path: Path) -> None:
    """A lock of ours that a hanging child had too would stay for ever."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)

    def work() -> str:
        links = {os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2, lock)}
        return f"{links} {os.getsid(0) == os.getpid()}"

    assert in_child(work, 60) == "{'/dev/null'} True"
    os.close(lock)


def test_a_child_s_work_runs_programs_of_its_own() -> None:
    assert in_child(lambda: run(["echo", "x"], check=True).stdout, 60) == "x\n"
