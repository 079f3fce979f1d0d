"""What all sessions share: small files that survive the dead and hold no trap for the living."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from session.menus import HOSTILE
from session.sessions import elsewhere, kill, no_room

from chainboot.session.countdown import Countdown
from chainboot.session.shared import Shared


def shared(tmp_path: Path) -> Shared:
    return Shared(str(tmp_path / "run"))


def test_nothing_is_known_at_the_start(tmp_path: Path) -> None:
    fresh = shared(tmp_path)
    assert fresh.countdown(lambda before: before) == Countdown()
    assert fresh.failed() == {}
    assert fresh.looks() == 0
    assert fresh.leaving() == ("", 0)
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


@pytest.mark.parametrize(
    "hostile",
    [
        HOSTILE,
        "\\",
        "\\t",
        "a\\\\\nb\t\\",
        "a\rb",
        "a\tb",
        "a\nb",
        "a  b",
        " a ",
        "a\u00a0b",
        "a\x85b\u2028c",
        "\udcff",
        "",
    ],
)
def test_hostile_text_stays_in_its_place(tmp_path: Path, hostile: str) -> None:
    here = shared(tmp_path)
    entry, other = ("/m/vda", f"/boot/{hostile}.conf", 9), ("/m/vdb", "/boot/extlinux/extlinux.conf", 2)
    here.fail(entry, hostile)
    here.fail(other, "it is for aarch64")
    found = here.failed()
    assert found[other] == "it is for aarch64"
    assert len(found) == 2
    assert found[entry] == hostile, "the entry is known again, or the timer boots it for ever"


def test_all_are_asked_to_look_again(tmp_path: Path) -> None:
    here, there = shared(tmp_path), shared(tmp_path)
    assert here.look_again() == 1
    assert there.looks() == 1
    assert there.look_again() == 2
    assert here.looks() == 2


def test_leaving_is_told_and_undone(tmp_path: Path) -> None:
    here, there = shared(tmp_path), shared(tmp_path)
    here.leave("chainboot: booting nixos-42-default", 12345)
    assert there.leaving() == ("chainboot: booting nixos-42-default", 12340)
    text = (tmp_path / "run/leaving").read_text()
    assert text.splitlines()[-1] == "@1234", "serve-ssh looks for this very file, and at this very line"
    there.stay()
    assert here.leaving() == ("", 0)
    there.stay()


@pytest.mark.parametrize("what", ["two\nlines", "a\n@9", "@9", "\n@9\n", "a\u2028@9", "a\r@9"])
def test_what_the_machine_is_about_to_do_does_not_say_since_when(tmp_path: Path, what: str) -> None:
    here = shared(tmp_path)
    here.leave(what, 50)
    told, since = here.leaving()
    assert since == 50
    assert "9" in told or "lines" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "text", ["", "booting\n", "booting\n@\n", "booting\n@x\n", "@5\n", "booting\n@\u00b2\n", "a\n@-5\n"]
)
def test_a_note_without_its_time_is_none(tmp_path: Path, text: str) -> None:
    here = shared(tmp_path)
    (tmp_path / "run/leaving").write_text(text)
    assert here.leaving() == ("", 0)


# -- without room


@contextmanager
def no_room_at(tmp_path: Path, why: str) -> Iterator[None]:
    """A runtime directory that takes nothing: it is full, or there is something else in its place."""
    if why == "full":
        with no_room():
            yield
    else:
        (tmp_path / "run").write_text("no directory")
        yield


WHY = ["full", "no directory"]


@pytest.mark.parametrize("why", WHY)
def test_without_room_each_session_counts_for_itself(tmp_path: Path, why: str) -> None:
    with no_room_at(tmp_path, why):
        here, there = shared(tmp_path), shared(tmp_path)
        assert here.countdown(lambda _before: Countdown(50, started=True)) == Countdown(50, started=True)
        seen: list[Countdown] = []
        for _ in range(2):
            here.countdown(lambda before: seen.append(before) or before)
        assert seen == [Countdown(50, started=True)] * 2, "it goes on and does not begin again"
        assert there.countdown(lambda before: before) == Countdown()
        assert here.countdown(lambda _before: Countdown(90, started=True)).deadline_ds == 90
        assert here.countdown(lambda before: before).deadline_ds == 90


@pytest.mark.parametrize("why", WHY)
def test_without_room_what_did_not_load_is_known_all_the_same(tmp_path: Path, why: str) -> None:
    entries = [("/m/vda", "/boot/extlinux/extlinux.conf", number) for number in (9, 15)]
    with no_room_at(tmp_path, why):
        here = shared(tmp_path)
        for entry in entries:
            here.fail(entry, "kexec exited with 255")
        assert here.failed() == dict.fromkeys(entries, "kexec exited with 255")


@pytest.mark.parametrize("why", WHY)
def test_without_room_nothing_else_breaks(tmp_path: Path, why: str) -> None:
    with no_room_at(tmp_path, why):
        here = shared(tmp_path)
        here.leave("booting", 10)
        assert here.leaving() == ("", 0)
        here.stay()
        here.look_again()
        assert here.looks() == 0


def test_once_there_is_room_again_the_others_see_it(tmp_path: Path) -> None:
    here, there = shared(tmp_path), shared(tmp_path)
    entry = ("/m/vda", "/boot/extlinux/extlinux.conf", 9)
    with no_room():
        here.countdown(lambda _before: Countdown(50, started=True))
        here.fail(entry, "why")
        assert not [path for path in os.listdir(tmp_path / "run") if not path.endswith(".lock")], "no litter"
    here.countdown(lambda before: before)
    assert there.countdown(lambda before: before) == Countdown(50, started=True)
    there.countdown(lambda _before: Countdown(70, started=True))
    assert here.countdown(lambda before: before).deadline_ds == 70, "it is the one of all again"
    other = ("/m/vda", "/boot/extlinux/extlinux.conf", 15)
    here.fail(other, "why")
    assert set(there.failed()) == {entry, other}


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    def hang() -> None:
        import fcntl

        descriptor = os.open(tmp_path / "run/countdown.lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    here = shared(tmp_path)
    with elsewhere(hang) as child:
        kill(child)
        assert here.countdown(lambda _before: Countdown(1)) == Countdown(1)
