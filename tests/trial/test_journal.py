"""The end of a journal file. The files were written by systemd 252 (systemd-journal-remote), two boots in each."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from chainboot.boot.volume import PathError
from chainboot.trial.journal import COMPRESSED, HEADER, Journal, Message, last_error, read_tail, tail_time

FIXTURES = Path(__file__).parent.parent / "fixtures/journal"
FORMATS = ("compact", "regular")
THEN = 1795428000  # 2026-11-23 10:00 UTC
BOOT = "b" * 31 + "2"


def content(name: str) -> bytes:
    return gzip.decompress((FIXTURES / f"{name}.journal.gz").read_bytes())


def tail(data: bytes, count: int = 10) -> Journal:
    return read_tail(lambda offset, length: data[offset : offset + length], count)


@pytest.mark.parametrize("name", FORMATS)
def test_the_last_messages_of_the_last_boot(name: str) -> None:
    found = tail(content(name), 6)
    assert found.boot == BOOT
    assert found.problems == ()
    assert [(each.identifier, each.priority, each.text) for each in found.messages] == [
        ("systemd", 6, "Started unit 23.service."),
        ("systemd", 6, "Started unit 24.service."),
        ("sshd", 3, "error: Bind to port 22 on 0.0.0.0 failed: Address already in use."),
        ("app", 4, "two lines \N{REPLACEMENT CHARACTER}[31mred"),
        ("app", 6, COMPRESSED),
        ("systemd", 6, "Started last.service."),
    ]
    assert found.messages[-1].time == THEN + 17


@pytest.mark.parametrize("name", FORMATS)
def test_the_boot_is_of_the_entry_on_its_kernels_command_line(name: str) -> None:
    assert tail(content(name), 1).entry == "2222222222222222"
    # A program may log the same line, and one of that boot has.
    nobody = content(name).replace(b"_TRANSPORT=kernel", b"_TRANSPORT=stdout")
    assert tail(nobody, 1).entry is None


@pytest.mark.parametrize("name", FORMATS)
def test_messages_of_the_boot_before_are_left_out(name: str) -> None:
    found = tail(content(name), 1000)
    assert len(found.messages) == 72
    assert found.messages[0].text.startswith("Linux version")
    assert found.messages[0].time == THEN


@pytest.mark.parametrize("name", FORMATS)
def test_when_it_was_written_last(name: str) -> None:
    assert tail_time(content(name)[:HEADER]) == THEN + 17
    assert tail_time(b"") == -1
    assert tail_time(bytes(HEADER)) == -1


def test_a_clock_of_1970_is_no_time() -> None:
    header = bytearray(content("compact")[:HEADER])
    header[192:200] = (5_000_000).to_bytes(8, "little")
    assert tail_time(bytes(header)) == 0


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl is not installed")
def test_journalctl_says_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(content(name))
    done = subprocess.run(
        ["journalctl", "--file", path, "-b", "0", "-o", "json", "--all"], capture_output=True, text=True, check=True
    )
    expected = []
    for line in done.stdout.splitlines():
        fields = json.loads(line)
        text = fields["MESSAGE"] if isinstance(fields["MESSAGE"], str) else bytes(fields["MESSAGE"]).decode()
        seconds = int(fields["__REALTIME_TIMESTAMP"]) // 1_000_000
        expected.append((seconds, fields["SYSLOG_IDENTIFIER"], int(fields["PRIORITY"]), text))
    found = [(each.time, each.identifier, each.priority, each.text) for each in tail(path.read_bytes(), 1000).messages]
    assert len(found) == len(expected) == 72
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[:3] == theirs[:3]
        assert ours[3] in (theirs[3], COMPRESSED) or "\x1b" in theirs[3]


def test_no_more_is_read_than_is_needed() -> None:
    data = content("compact")
    read: list[int] = []

    def reader(offset: int, length: int) -> bytes:
        read.append(length)
        return data[offset : offset + length]

    assert len(read_tail(reader, 5).messages) == 5
    assert sum(read) < len(data) / 20


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it ends too early"),
        (b"x" * 4096, "it is no journal"),
        (b"LPKSHHRH" + bytes(4) + b"\xff\0\0\0" + bytes(4096), "it is of a newer systemd (incompatible flags 0xff)"),
    ],
    ids=["empty", "text", "flags"],
)
def test_what_is_no_journal(data: bytes, problem: str) -> None:
    assert tail(data) == Journal(problems=(problem,))


def test_an_error_of_the_disk_is_a_problem() -> None:
    def reader(_offset: int, _length: int) -> bytes:
        raise PathError("/x cannot be read: Input/output error")

    assert read_tail(reader, 5).problems == ("/x cannot be read: Input/output error",)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_a_file_cut_off_by_the_crash_still_gives_what_is_in_it(name: str, share: float) -> None:
    whole = content(name)
    used = len(whole.rstrip(b"\0"))
    # The end of what was used is zeros: it was not on the disk yet.
    cut = whole[: int(used * share)] + bytes(len(whole) - int(used * share))
    found = tail(cut, 5)
    texts = {each.text for each in tail(whole, 1000).messages}
    assert found.messages or found.problems
    if found.boot == BOOT:
        assert {each.text for each in found.messages} <= {*texts, "", COMPRESSED}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seed", range(8))
def test_a_hostile_file_neither_hangs_nor_raises(name: str, seed: int) -> None:
    chance = random.Random(seed)
    whole = content(name)
    used = len(whole.rstrip(b"\0"))
    whole = whole[: used + 4096]
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 20, 2000))):
            at = chance.randrange(8, used)
            data[at] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        calls = 0

        def reader(offset: int, length: int, data: bytes = bytes(data)) -> bytes:
            nonlocal calls
            calls += 1
            return data[offset : offset + length]

        found = read_tail(reader, 30)
        assert calls <= 1024
        assert len(found.messages) <= 30
        assert all(each.text.isprintable() and len(each.text) <= 500 for each in found.messages)


def test_arrays_that_point_in_a_circle() -> None:
    data = bytearray(content("compact"))
    first = int.from_bytes(data[176:184], "little")
    following = int.from_bytes(data[first + 16 : first + 24], "little")
    data[following + 16 : following + 24] = first.to_bytes(8, "little")
    found = tail(bytes(data), 1000).messages
    assert found
    assert len(found) == len(set(found)), "nothing is read twice"


def test_the_last_error() -> None:
    messages = (Message(0, "a", 3, "first"), Message(0, "a", 2, "second"), Message(0, "a", 4, "a warning"))
    assert last_error(messages) == messages[1]
    assert last_error(messages[2:]) is None
