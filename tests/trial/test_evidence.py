"""Why an entry failed: whom is believed first, and what is kept on the volume."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest

from chainboot.boot.volume import Volume
from chainboot.boot.writing import System
from chainboot.trial.evidence import NO_WORD, Evidence, gather, keep, recall

JOURNAL = Path(__file__).parent.parent / "fixtures/journal/compact.journal.gz"
MACHINE = "0123456789abcdef" * 2
# The entry of the journal's last boot, and when that boot ended.
ID = "2222222222222222"
END = 1795428017
OTHER = "1234567890abcdef"

PANIC = """Panic#1 Part1
<0>[   23.404719] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
"""
NAMED = f"{PANIC}<5>[ 0.0] Kernel command line: quiet chainboot.entry={ID}\n"
KEPT = Evidence(ID, "it panicked: of nothing", ("the kernel's log, kept across the reset: dmesg-erst-1", "last words"))


class Machine:
    """A root volume and a pstore below a directory."""

    def __init__(self, directory: Path) -> None:
        self.root, self.pstore = directory / "root", directory / "pstore"
        self.root.mkdir()
        self.pstore.mkdir()
        self.volume = Volume(str(self.root), "/dev/vda2 (ext4)")

    def has_journal(self, directory: str = "var/log/journal", name: str = "system.journal") -> Path:
        target = self.root / directory / MACHINE
        target.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(gzip.decompress(JOURNAL.read_bytes()))
        return target / name

    def has_panic(self, text: str = PANIC) -> None:
        (self.pstore / "dmesg-erst-1").write_text(text)
        os.utime(self.pstore / "dmesg-erst-1", (END, END))

    def evidence(self, digest: str = ID, why: str = "", since: int = END - 60, fired: str = "") -> Evidence:
        volumes = (Volume("/nonexistent", "gone"), self.volume)
        return gather(digest, why, volumes, since, pstore=str(self.pstore), fired=lambda: fired)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_is_known(machine: Machine) -> None:
    assert machine.evidence() == Evidence(ID, NO_WORD, ())


def test_a_panic_counts_most(machine: Machine) -> None:
    machine.has_journal()
    machine.has_panic(NAMED)
    found = machine.evidence(why="nobody confirmed it within 600 s")
    assert found.why == "it panicked: VFS: Unable to mount root fs on unknown-block(0,0)"
    assert found.lines[0] == "the kernel's log, kept across the reset: dmesg-erst-1 (2026-11-23 10:00:17 UTC)"
    assert any(
        line.endswith("sshd: error: Bind to port 22 on 0.0.0.0 failed: Address already in use.") for line in found.lines
    )


def test_then_what_its_own_system_wrote_down(machine: Machine) -> None:
    machine.has_journal()
    assert machine.evidence(why="nobody confirmed it within 600 s").why == "nobody confirmed it within 600 s"


def test_then_that_a_watchdog_has_reset_it(machine: Machine) -> None:
    machine.has_journal()
    fired = "the watchdog i6300esb reset the machine: there was no sign of life"
    found = machine.evidence(fired=fired)
    assert found.why == fired
    assert found.lines, "the journal is shown all the same"
    assert machine.evidence(why="it gave up", fired=fired).why == "it gave up"


@pytest.mark.parametrize("directory", ["var/log/journal", "log/journal"])
def test_then_the_last_error_of_its_journal(machine: Machine, directory: str) -> None:
    machine.has_journal(directory)
    found = machine.evidence()
    assert found.why.startswith("it was not blessed; its last error: sshd: error: Bind to port 22 on 0.0.0.0 failed")
    assert len(found.why) <= 120
    path = f"/{directory}/{MACHINE}/system.journal of /dev/vda2 (ext4)"
    assert found.lines[0] == f"the journal of that boot: {path} (2026-11-23 10:00:17 UTC)"
    assert found.lines[-2] == "2026-11-23 10:00:17 systemd: Started last.service."


def test_a_journal_of_another_entry_says_nothing(machine: Machine) -> None:
    machine.has_journal()
    assert machine.evidence(OTHER) == Evidence(OTHER, NO_WORD, ())


def test_a_journal_that_ends_before_the_try_says_nothing(machine: Machine) -> None:
    machine.has_journal()
    assert machine.evidence(since=END + 1) == Evidence(ID, NO_WORD, ())


@pytest.mark.parametrize("since", [0, 5000])
def test_without_a_clock_a_journal_is_shown_and_not_believed(machine: Machine, since: int) -> None:
    machine.has_journal()
    found = machine.evidence(since=since)
    assert found.why == NO_WORD
    assert found.lines[0].startswith("the journal of an unknown boot, which may be another one: ")


def test_the_journal_that_was_written_last(machine: Machine) -> None:
    older = machine.has_journal(name="system.journal")
    data = bytearray(older.read_bytes())
    data[192:200] = ((END - 10) * 1_000_000).to_bytes(8, "little")
    older.write_bytes(data)
    machine.has_journal(name="system@0123-1-2.journal~")
    machine.has_journal(name="user-1000.journal")
    assert "system@0123-1-2.journal~" in machine.evidence().lines[0]


def test_a_panic_of_another_entry_says_nothing(machine: Machine) -> None:
    machine.has_panic(f"{PANIC}<5>[ 0.0] Kernel command line: quiet chainboot.entry={OTHER}\n")
    assert machine.evidence().why == NO_WORD
    # The first stage's own kernel has none.
    machine.has_panic(f"{PANIC}<5>[ 0.0] Kernel command line: quiet\n")
    assert machine.evidence().why == NO_WORD
    machine.has_panic(f"{PANIC}<5>[ 0.0] Kernel command line: quiet chainboot.entry={ID}\n")
    assert machine.evidence().why.startswith("it panicked")


def test_a_panic_that_does_not_say_whose_it_is(machine: Machine) -> None:
    """It may be of the first stage; one that is not known to be newer than the try says less than all else."""
    cause = "it panicked: VFS: Unable to mount root fs on unknown-block(0,0)"
    machine.has_panic()
    assert machine.evidence(why="it gave up").why == f"{cause} (maybe the first stage's own)"
    for since in (0, END + 30):
        assert machine.evidence(why="it gave up", since=since).why == "it gave up"
        assert machine.evidence(since=since).why == f"{cause} (maybe of another boot)"


@pytest.mark.parametrize(("entry", "since"), [(OTHER, END - 60), (ID, END + 500)], ids=["another entry", "older"])
def test_a_crash_of_another_boot_is_kept_and_makes_room(machine: Machine, entry: str, since: int) -> None:
    """A full store takes no crash any more, and every reason would be that there is no word."""
    machine.has_panic(NAMED.replace(ID, entry))
    found = machine.evidence(since=since)
    assert found.why == NO_WORD
    assert found.lines[0].endswith("dmesg-erst-1 (2026-11-23 10:00:17 UTC), of another boot")
    assert keep(str(machine.root), "/chainboot", found, pstore=str(machine.pstore)) is None
    assert os.listdir(machine.pstore) == []


def test_the_end_of_the_console_is_better_than_nothing(machine: Machine) -> None:
    (machine.pstore / "console-ramoops-0").write_text("[    9.0] random: crng init done\n")
    os.utime(machine.pstore / "console-ramoops-0", (END, END))
    assert machine.evidence().why == "it was not blessed; its kernel's log ends with: random: crng init done"


def test_text_of_the_disk_is_harmless_and_short(machine: Machine) -> None:
    machine.has_panic(f"Panic#1 Part1\n<0>[ 1.0] Kernel panic - not syncing: \x1b[2J{'x' * 200}\n")
    found = machine.evidence()
    assert found.why.isprintable()
    assert len(found.why) == 120


def test_a_link_out_of_the_volume_is_not_followed(machine: Machine, tmp_path: Path) -> None:
    outside = machine.has_journal()
    os.rename(machine.root / "var", tmp_path / "elsewhere")
    assert not outside.exists()
    (machine.root / "var").symlink_to(tmp_path / "elsewhere")
    assert machine.evidence().why == NO_WORD


def test_what_is_kept_is_recalled(machine: Machine) -> None:
    machine.has_panic()
    assert keep(str(machine.root), "/boot/chainboot", KEPT, pstore=str(machine.pstore)) is None
    lines = recall(machine.volume, "/boot/chainboot", ID)
    assert lines[0].startswith(f"{ID}: it panicked: of nothing (")
    assert lines[1:] == ("", *KEPT.lines)
    assert os.listdir(machine.root / "boot/chainboot/failed") == [f"{ID}.txt"]
    assert os.listdir(machine.pstore) == [], "there is room for the next crash"


def test_a_crash_that_is_not_in_it_stays_in_pstore(machine: Machine) -> None:
    machine.has_panic()
    assert keep(str(machine.root), "/chainboot", Evidence(ID, NO_WORD), pstore=str(machine.pstore)) is None
    assert os.listdir(machine.pstore) == ["dmesg-erst-1"]


def test_the_oldest_of_nine_goes(machine: Machine) -> None:
    failed = machine.root / "chainboot/failed"
    for number in range(12):
        digest = f"{number:016x}"
        assert keep(str(machine.root), "/chainboot", Evidence(digest, "why"), pstore=str(machine.pstore)) is None
        os.utime(failed / f"{digest}.txt", (1000 + number, 1000 + number))
    assert sorted(os.listdir(failed)) == [f"{number:016x}.txt" for number in range(4, 12)]
    # A clock that went back to 1970 does not cost what was written just now.
    (failed / f".{9:016x}.txt.new").touch()
    keep(str(machine.root), "/chainboot", Evidence(ID, "why"), pstore=str(machine.pstore))
    os.utime(failed / f"{ID}.txt", (1, 1))
    keep(str(machine.root), "/chainboot", Evidence(ID, "why again"), pstore=str(machine.pstore))
    assert len(os.listdir(failed)) == 8
    assert "why again" in recall(machine.volume, "/chainboot", ID)[0]


def test_a_file_is_64_kib_at_most(machine: Machine) -> None:
    keep(str(machine.root), "/chainboot", Evidence(ID, "why", ("ä" * 999,) * 500), pstore=str(machine.pstore))
    size = (machine.root / f"chainboot/failed/{ID}.txt").stat().st_size
    assert 60_000 < size <= 65536
    assert set(recall(machine.volume, "/chainboot", ID)[2:]) == {"ä" * 999}


@pytest.mark.parametrize("digest", ["", "../../../etc/passwd", "0" * 15, "0" * 17, "G" * 16])
def test_only_a_digest_is_recalled(machine: Machine, digest: str) -> None:
    assert recall(machine.volume, "/chainboot", digest) == ()


def test_what_somebody_else_wrote_there_is_harmless(machine: Machine) -> None:
    (machine.root / "chainboot/failed").mkdir(parents=True)
    (machine.root / f"chainboot/failed/{ID}.txt").write_bytes(b"\x1b[2J\xff\n" * 20000)
    lines = recall(machine.volume, "/chainboot", ID)
    assert all(line.isprintable() for line in lines)
    assert sum(map(len, lines)) <= 65536


def test_a_full_volume_costs_only_this(machine: Machine) -> None:
    class Full(System):
        def write(self, descriptor: int, data: bytes) -> int:
            del descriptor, data
            raise OSError(errno.ENOSPC, "No space left on device")

    machine.has_panic()
    problem = keep(str(machine.root), "/chainboot", KEPT, system=Full(), pstore=str(machine.pstore))
    assert problem == "what is known of the failed entry was not kept: no space left on device"
    assert os.listdir(machine.root / "chainboot/failed") == []
    assert os.listdir(machine.pstore) == ["dmesg-erst-1"]


def test_a_link_out_of_the_volume_is_not_written_through(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (machine.root / "chainboot").symlink_to(tmp_path / "elsewhere")
    problem = keep(str(machine.root), "/chainboot", KEPT, pstore=str(machine.pstore))
    assert problem is not None
    assert "links never leave the volume" in problem
    assert os.listdir(tmp_path / "elsewhere") == []
