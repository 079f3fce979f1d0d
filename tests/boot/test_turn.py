"""The turn to boot a running system: one at a time, and until the machine goes down."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot.boot.plan import BootPlan, Command
from chainboot.boot.turn import FILE, PATIENCE, is_stopping, take_turn, unshaken
from chainboot.errors import RefusedError
from chainboot.process import Completed, ProcessError

PLAN = BootPlan("a", "A", "", (Command(("kexec", "-a", "-l", "k")),), (), (Command(("systemctl", "kexec")),))


def is_free(runtime: Path) -> bool:
    with (runtime / FILE).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_the_next_one_is_told_who_and_nothing_stale_stays(tmp_path: Path) -> None:
    runtime = tmp_path / "run/chainboot"
    with take_turn("alice\x1b from 192.0.2.9", str(runtime)):
        assert not is_free(runtime)
        assert runtime.stat().st_mode & 0o777 == 0o700
        assert (runtime / FILE).stat().st_mode & 0o777 == 0o600
        with (
            pytest.raises(RefusedError) as refused,
            take_turn("bob", str(runtime)),
        ):
            pytest.fail("two at once")
        assert refused.value.message == "alice\ufffd from 192.0.2.9 boots this machine right now"
        assert (runtime / FILE).read_text().startswith("alice"), "who is refused leaves the name alone"
    assert (runtime / FILE).read_text() == ""
    assert is_free(runtime)
    with pytest.raises(ZeroDivisionError), take_turn("bob", str(runtime)):
        raise ZeroDivisionError
    assert (runtime / FILE).read_text() == ""


def test_no_link_is_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / FILE).symlink_to(precious)
    with pytest.raises(RefusedError, match="cannot be used: too many levels"), take_turn("bob", str(tmp_path)):
        pytest.fail("a link was followed")
    assert precious.read_text() == "precious"


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


class Inhibited(FakeRunner):
    """logind took the request and waits for a delay inhibitor until `stops_at`; every question takes no time."""

    def __init__(self, clock: Clock, stops_at: float) -> None:
        super().__init__()
        self.clock, self.stops_at = clock, stops_at

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        super().__call__(argv, check=check, timeout=timeout)
        return Completed(tuple(argv), 0, "stopping\n" if self.clock.now >= self.stops_at else "running\n")


@pytest.mark.parametrize("delay", [0.0, 5.0, PATIENCE])
def test_the_turn_is_kept_once_the_system_stops(tmp_path: Path, delay: float) -> None:
    clock = Clock()
    with take_turn("alice", str(tmp_path)) as turn:
        assert turn.hand_over(Inhibited(clock, 100 + delay), clock=clock, sleep=clock.sleep)
        assert delay <= clock.now - 100 < delay + 1
    assert not is_free(tmp_path), "until this process ends"
    with pytest.raises(RefusedError, match="alice boots"), take_turn("bob", str(tmp_path)):
        pytest.fail("two at once")


def test_a_system_that_does_not_stop_does_not_keep_everybody_out(tmp_path: Path) -> None:
    clock = Clock()
    with take_turn("alice", str(tmp_path)) as turn:
        assert not turn.hand_over(Inhibited(clock, 1000), clock=clock, sleep=clock.sleep)
        assert PATIENCE <= clock.now - 100 < PATIENCE + 1
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_a_systemctl_that_does_not_answer_is_no_stop() -> None:
    def deaf(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        assert timeout is not None
        assert not check
        raise ProcessError(f"{argv[0]} did not finish")

    assert not is_stopping(deaf)


class Loader(FakeRunner):
    """A kernel is loaded already; a load of another fails, and `kexec -u` works or does not."""

    def __init__(self, *, unloads: bool) -> None:
        super().__init__({"kexec -a": Completed((), 1, "", "no\n")})
        self.loaded, self.unloads = True, unloads

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        if argv[1] == "-u" and self.unloads:
            self.loaded = False
        return super().__call__(argv, check=check, timeout=timeout)


@pytest.mark.parametrize(
    ("loaded", "unloads", "cost"),
    [(True, True, "; the kernel that was loaded before is unloaded too"), (True, False, ""), (False, True, "")],
)
def test_a_failed_load_says_that_the_kernel_of_before_is_gone(
    tmp_path: Path, loaded: bool, unloads: bool, cost: str
) -> None:
    runner = Loader(unloads=unloads)
    runner.loaded = loaded
    with pytest.raises(RefusedError) as refused, take_turn("alice", str(tmp_path)) as turn:
        turn.boot(PLAN, runner, print, lambda: runner.loaded)
    assert refused.value.message == f"a was not booted: kexec exited with 1: no{cost}"
    assert refused.value.hint == "the command was: kexec -a -l k"


SHAKING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP)


def test_nothing_ends_or_stops_it_half_way() -> None:
    before = [signal.getsignal(number) for number in SHAKING]
    with unshaken():
        assert [signal.getsignal(number) for number in SHAKING] == [signal.SIG_IGN] * len(SHAKING)
        for number in SHAKING:
            os.kill(os.getpid(), number)
    assert [signal.getsignal(number) for number in SHAKING] == before
