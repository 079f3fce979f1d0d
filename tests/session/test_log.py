"""The log of acts: whole lines, bounded, harmless, and in the kernel log as one record each."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from session.menus import HOSTILE

from chainboot.session.log import Act, Log


def log(tmp_path: Path) -> Log:
    return Log(str(tmp_path), kmsg=str(tmp_path / "no-kmsg"))


@pytest.fixture
def kmsg(tmp_path: Path) -> Iterator[int]:
    """A pipe in place of /dev/kmsg, and where it can be read."""
    os.mkfifo(tmp_path / "kmsg")
    reader = os.open(tmp_path / "kmsg", os.O_RDONLY | os.O_NONBLOCK)
    yield reader
    os.close(reader)


def test_an_act_is_written_down_with_its_time(tmp_path: Path) -> None:
    here = log(tmp_path)
    assert here.read() == ()
    assert here.last() == ""
    before = time.monotonic_ns() // 100_000_000
    here.write("anna from 192.0.2.9", "boots nixos-42-default")
    (act,) = log(tmp_path).read()
    assert (act.who, act.what) == ("anna from 192.0.2.9", "boots nixos-42-default")
    assert 0 <= act.uptime_ds - before < 50
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", act.time)
    here.write("the timer", "boots nixos-default")
    assert here.last() == "the timer: boots nixos-default"
    assert os.stat(tmp_path / "log").st_mode & 0o777 == 0o600


def test_the_kernel_log_gets_one_record_of_level_notice(tmp_path: Path, kmsg: int) -> None:
    Log(str(tmp_path), kmsg=str(tmp_path / "kmsg")).write("anna", "opens a shell\nand more")
    assert os.read(kmsg, 4096) == "<5>chainboot: anna: opens a shell\ufffdand more\n".encode()


@pytest.mark.parametrize("text", [HOSTILE, "a\tb\nc", "\x1b]0;x\x07", "\udcff", "<0>chainboot: panic", "x" * 10**6])
def test_hostile_text_is_one_harmless_line(tmp_path: Path, kmsg: int, text: str) -> None:
    here = Log(str(tmp_path), kmsg=str(tmp_path / "kmsg"))
    here.write(text, text)
    (act,) = here.read()
    for part in (act.who, act.what):
        assert part.replace("\ufffd", "").isprintable()
        assert 0 < len(part.encode()) <= 4096
    record = os.read(kmsg, 1 << 16)
    assert len(record) <= 900
    assert record.startswith(b"<5>chainboot: ")
    assert record.count(b"\n") == 1
    assert b"\x1b" not in record


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u6f22", "\U0001f600", "\x1b", "\udcff"])
def test_what_is_cut_says_so(tmp_path: Path, kmsg: int, letter: str) -> None:
    here = Log(str(tmp_path), kmsg=str(tmp_path / "kmsg"))
    here.write("anna", f"boots {letter * 5000}")
    (act,) = here.read()
    assert act.what.startswith("boots ")
    assert act.what.endswith("~")
    assert 4096 - 4 < len(act.what.encode()) <= 4096
    record = os.read(kmsg, 1 << 16)
    assert record.endswith(b"~\n")
    assert 900 - 4 < len(record) <= 900
    record.decode()


@pytest.mark.parametrize("length", [10, 880, 4096])
def test_what_is_not_cut_is_whole(tmp_path: Path, kmsg: int, length: int) -> None:
    here = Log(str(tmp_path), kmsg=str(tmp_path / "kmsg"))
    here.write("a", "x" * length)
    assert here.last() == f"a: {'x' * length}"
    record = os.read(kmsg, 1 << 16)
    assert record.endswith(b"x\n") is (length <= 880), "the kernel takes less than the file"


def test_blanks_do_not_hide_that_something_is_missing(tmp_path: Path) -> None:
    here = log(tmp_path)
    here.write("anna", f"boots a{' ' * 5000}init=/bin/sh")
    assert here.last() == "anna: boots a~"
    here.write("anna", f"boots b{' ' * 4000}quiet")
    assert here.last() == "anna: boots b quiet"


def test_a_name_without_end_leaves_room_for_what_was_done(tmp_path: Path, kmsg: int) -> None:
    here = Log(str(tmp_path), kmsg=str(tmp_path / "kmsg"))
    here.write("y" * 10**6, "boots nixos-42")
    (act,) = here.read()
    assert act.who.endswith("y~")
    assert act.what == "boots nixos-42"
    assert os.read(kmsg, 1 << 16).endswith(b"y~: boots nixos-42\n")


def test_nobody_is_somebody(tmp_path: Path) -> None:
    here = log(tmp_path)
    here.write("", "left")
    assert here.last() == "somebody: left"


def test_the_log_stays_small_and_keeps_the_newest(tmp_path: Path) -> None:
    here = log(tmp_path)
    for number in range(3000):
        here.write("anna", f"{number} {'x' * 150}")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 300 << 10
    acts = here.read()
    numbers = [int(act.what.split()[0]) for act in acts]
    assert numbers == list(range(numbers[0], 3000)), "nothing is missing in between, and the oldest come first"
    assert len(numbers) > 500


def test_what_cannot_be_written_happens_all_the_same(tmp_path: Path) -> None:
    here = Log(str(tmp_path / "gone"), kmsg=str(tmp_path / "gone/kmsg"))
    here.write("anna", "boots")
    assert here.read() == ()
    assert here.last() == ""


def test_a_kernel_log_that_takes_nothing_costs_only_itself(tmp_path: Path, kmsg: int) -> None:
    os.close(os.open(tmp_path / "kmsg", os.O_WRONLY | os.O_NONBLOCK))
    here = Log(str(tmp_path), kmsg=str(tmp_path / "kmsg"))
    for number in range(2000):  # nobody reads: the pipe is full after a while
        here.write("anna", f"{number} {'x' * 50}")
    assert here.last().startswith("anna: 1999")
    assert os.read(kmsg, 10)


def test_lines_of_somebody_else_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"junk\n\xff\t1\twho\twhat\tmore\n2026-11-22T20:00:00Z\tx\twho\twhat\n\n")
    assert log(tmp_path).read() == (Act("\ufffd", 1, "who", "what\tmore"),)


def test_several_sessions_do_not_tear_each_other_s_lines(tmp_path: Path) -> None:
    children = []
    for name in ("anna", "boris", "vera"):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                here = log(tmp_path)
                for number in range(100):
                    here.write(name, f"does {number}")
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    acts = log(tmp_path).read()
    for name in ("anna", "boris", "vera"):
        assert [act.what for act in acts if act.who == name] == [f"does {number}" for number in range(100)]
