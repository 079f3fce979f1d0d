"""What all sessions share: small files that survive the dead and hold no trap for the living."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from session.menus import HOSTILE
from session.sessions import elsewhere, kill

from chainboot.session.countdown import Countdown
from chainboot.session.shared import Shared


def shared(tmp_path: Path) -> Shared:
    return Shared(str(tmp_path / "run"))


def test_nothing_is_known_at_the_start(tmp_path: Path) -> None:
    fresh = shared(tmp_path)
    assert fresh.countdown(lambda before: before) == Countdown()
    assert fresh.failed() == {}
    assert fresh.looks() == 0
    assert fresh.leaving() == ""
    fresh.stay()
    assert os.stat(tmp_path / "run").st_mode & 0o777 == 0o700


def test_the_countdown_is_the_same_for_all(tmp_path: Path) -> None:
    runs = Countdown(1200, 1900, started=True)
    assert shared(tmp_path).countdown(lambda _before: runs) == runs
    seen: list[Countdown] = []
    shared(tmp_path).countdown(lambda before: seen.append(before) or before)
    assert seen == [runs]


def test_looking_at_the_countdown_writes_nothing(tmp_path: Path) -> None:
    shared(tmp_path).countdown(lambda _before: Countdown(1200))
    before = os.stat(tmp_path / "run/countdown").st_ino
    shared(tmp_path).countdown(lambda before: before)
    assert os.stat(tmp_path / "run/countdown").st_ino == before


def test_two_who_look_at_the_same_time_do_not_lose_each_other(tmp_path: Path) -> None:
    """Each process adds one to the deadline, many times: every one of them counts."""
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                each = shared(tmp_path)
                for _ in range(100):
                    each.countdown(lambda before: Countdown((before.deadline_ds or 0) + 1))
                    each.look_again()
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    assert shared(tmp_path).countdown(lambda before: before).deadline_ds == 300
    assert shared(tmp_path).looks() == 300


def test_garbage_is_a_countdown_that_has_not_begun(tmp_path: Path) -> None:
    here = shared(tmp_path)
    for name in ("countdown", "failed", "looks"):
        (tmp_path / "run" / name).write_bytes(b"\xff\x00\x1b junk\t\t\n")
    assert here.countdown(lambda before: before) == Countdown()
    assert here.failed() == {}
    assert here.looks() == 0
    assert here.look_again() == 1


def test_entries_that_did_not_load(tmp_path: Path) -> None:
    here = shared(tmp_path)
    here.fail(("/m/vda", "/boot/extlinux/extlinux.conf", 9), "kexec exited with 255")
    here.fail(("/m/vda", "/boot/extlinux/extlinux.conf", 15), "it is for aarch64")
    here.fail(("/m/vda", "/boot/extlinux/extlinux.conf", 9), "again")
    assert shared(tmp_path).failed() == {
        ("/m/vda", "/boot/extlinux/extlinux.conf", 9): "again",
        ("/m/vda", "/boot/extlinux/extlinux.conf", 15): "it is for aarch64",
    }


@pytest.mark.parametrize("hostile", [HOSTILE, "a\tb", "a\nb", "a  b", " a ", "a\u00a0b", "a\x85b\u2028c", "\udcff", ""])
def test_hostile_text_stays_in_its_place(tmp_path: Path, hostile: str) -> None:
    here = shared(tmp_path)
    entry, other = ("/m/vda", f"/boot/{hostile}.conf", 9), ("/m/vdb", "/boot/extlinux/extlinux.conf", 2)
    here.fail(entry, hostile)
    here.fail(other, "it is for aarch64")
    found = here.failed()
    assert found[other] == "it is for aarch64"
    assert len(found) == 2
    assert entry in found, "the entry is known again, or the timer boots it for ever"


def test_all_are_asked_to_look_again(tmp_path: Path) -> None:
    here, there = shared(tmp_path), shared(tmp_path)
    assert here.look_again() == 1
    assert there.looks() == 1
    assert there.look_again() == 2
    assert here.looks() == 2


def test_leaving_is_told_and_undone(tmp_path: Path) -> None:
    here, there = shared(tmp_path), shared(tmp_path)
    here.leave("chainboot: booting nixos-42-default")
    assert there.leaving() == "chainboot: booting nixos-42-default"
    assert (tmp_path / "run/leaving").exists(), "serve-ssh looks for this very file"
    there.stay()
    assert here.leaving() == ""
    there.stay()


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    def hang() -> None:
        import fcntl

        descriptor = os.open(tmp_path / "run/countdown.lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    here = shared(tmp_path)
    with elsewhere(hang) as child:
        kill(child)
        assert here.countdown(lambda _before: Countdown(1)) == Countdown(1)
