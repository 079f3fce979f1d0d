"""What a dying kernel left in pstore. The lines are those of real panics (Debian's kernel 6.1 in QEMU)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainboot.trial.pstore import bare, cause, clear, entry_of, read

ID = "0123456789abcdef"
THEN = 1795428000  # 2026-11-23 10:00 UTC

PART2 = f"""Panic#1 Part2
<6>[    0.000000] Command line: console=ttyS0 quiet chainboot.entry={ID} chainboot.trial=1/2
<6>[    0.223859] Console: colour *CGA 80x25
"""
PART1 = """Panic#1 Part1
<6>[   23.401620] sysrq: Trigger a crash
<0>[   23.404719] Kernel panic - not syncing: sysrq triggered crash
<4>[   23.404900] CPU: 0 PID: 230 Comm: sh Not tainted 6.1.0-56-amd64 #1  Debian 6.1.192-2
<0>[   23.414031] Kernel Offset: 0xac00000 from 0xffffffff81000000
"""


def put(directory: Path, name: str, text: str, seconds: int = THEN) -> None:
    path = directory / name
    path.write_text(text)
    os.utime(path, (seconds, seconds))


def test_the_parts_of_a_panic_are_put_in_order(tmp_path: Path) -> None:
    put(tmp_path, "dmesg-erst-7711257606920077313", PART1)
    put(tmp_path, "dmesg-erst-7711257606920077314", PART2, THEN + 1)
    found, problems = read(str(tmp_path), since=THEN - 30)
    assert found is not None
    assert problems == ()
    assert found.cause == "it panicked: sysrq triggered crash"
    assert found.entry == ID
    assert found.time == THEN + 1
    assert found.source == "dmesg-erst-7711257606920077313, dmesg-erst-7711257606920077314"
    assert [bare(line)[:12] for line in found.lines] == [
        "Command line", "Console: col", "sysrq: Trigg", "Kernel panic", "CPU: 0 PID: ", "Kernel Offse",
    ]  # fmt: skip


def test_nothing_there(tmp_path: Path) -> None:
    assert read(str(tmp_path)) == (None, ())
    assert read(str(tmp_path / "missing")) == (None, ())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["<0>[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"],
            "it panicked: VFS: Unable to mount root fs on unknown-block(0,0)",
        ),
        (
            ["[    2.1][    T1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"],
            "it panicked: Attempted to kill init! exitcode=0x00000100",
        ),
        (
            [
                "<1>[    5.0] BUG: kernel NULL pointer dereference, address: 0000000000000000",
                "<4>[    5.1] Oops: 0002 [#1] PREEMPT SMP PTI",
                "<0>[    5.2] Kernel panic - not syncing: Fatal exception in interrupt",
            ],
            "it panicked: BUG: kernel NULL pointer dereference, address: 0000000000000000",
        ),
        (
            # s390x: arch/s390/kernel/dumpstack.c, and its panic line.
            [
                "[    5.0] Unable to handle kernel pointer dereference in virtual kernel address space",
                "[    5.1] Oops: 0004 ilc:2 [#1] SMP",
                "[    5.2] Kernel panic - not syncing: Fatal exception: panic_on_oops",
            ],
            "it panicked: Unable to handle kernel pointer dereference in virtual kernel address space",
        ),
        (["<1>[    5.0] BUG: soft lockup - CPU#0"], "its kernel failed: BUG: soft lockup - CPU#0"),
        (["<6>[    5.0] all is well"], ""),
        ([], ""),
    ],
)
def test_the_cause(lines: list[str], expected: str) -> None:
    assert cause(lines) == expected


def test_what_is_older_than_the_try_does_not_count(tmp_path: Path) -> None:
    put(tmp_path, "dmesg-erst-1", PART1)
    assert read(str(tmp_path), since=THEN + 3600)[0] is None
    assert read(str(tmp_path), since=THEN + 30)[0] is not None, "clocks differ a little"
    # Where either clock stood in 1970, time says nothing.
    assert read(str(tmp_path), since=0)[0] is not None
    put(tmp_path, "dmesg-erst-1", PART1, 50)
    assert read(str(tmp_path), since=THEN + 3600)[0] is not None


def test_the_newest_crash_counts_and_a_panic_more_than_its_oops(tmp_path: Path) -> None:
    put(tmp_path, "dmesg-erst-1", PART1.replace("sysrq triggered crash", "an older one"), THEN - 5000)
    put(tmp_path, "dmesg-erst-2", "Oops#1 Part1\n<4>[ 1.0] Oops: 0002 [#1]\n")
    put(tmp_path, "dmesg-erst-3", PART1.replace("Panic#1", "Panic#2"))
    found, _ = read(str(tmp_path))
    assert found is not None
    assert found.source == "dmesg-erst-3"


@pytest.mark.parametrize("name", ["dmesg-efi_pstore-{:015d}", "dmesg-ramoops-{}"])
def test_of_many_crashes_the_newest_are_read(tmp_path: Path, name: str) -> None:
    for number in range(140):
        put(tmp_path, name.format(number), PART1.replace("sysrq triggered", f"number {number}"), THEN + 100 * number)
    found, _ = read(str(tmp_path), since=THEN + 13850)
    assert found is not None
    assert found.cause == "it panicked: number 139 crash"
    clear(str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_an_orderly_shutdown_is_no_crash(tmp_path: Path) -> None:
    put(tmp_path, "dmesg-efi-1", "Shutdown#1 Part1\n<6>[ 9.0] reboot: Restarting system\n")
    assert read(str(tmp_path))[0] is None


def test_the_console_of_the_boot_before(tmp_path: Path) -> None:
    put(tmp_path, "console-ramoops-0", f"[    0.0] Kernel command line: chainboot.entry={ID}\n[    9.0] hanging now\n")
    found, _ = read(str(tmp_path))
    assert found is not None
    assert (found.cause, found.entry, found.lines[-1]) == ("", ID, "[    9.0] hanging now")
    put(tmp_path, "dmesg-ramoops-0", PART1)
    found, _ = read(str(tmp_path))
    assert found is not None
    assert found.source == "dmesg-ramoops-0"


def test_a_log_says_whose_it_is_only_where_it_reaches_back_so_far(tmp_path: Path) -> None:
    put(tmp_path, "dmesg-erst-1", PART1)
    found, _ = read(str(tmp_path))
    assert found is not None
    assert found.entry is None
    put(tmp_path, "dmesg-erst-2", "Panic#1 Part2\n<5>[ 0.0] Kernel command line: quiet\n")
    found, _ = read(str(tmp_path))
    assert found is not None
    assert found.entry == ""
    assert entry_of(f"chainboot.entry=x chainboot.entry={ID}") == ID


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    put(tmp_path, "dmesg-erst-1.enc.z", "x")
    link = tmp_path / "dmesg-erst-2"
    link.symlink_to(tmp_path / "dmesg-erst-1.enc.z")
    os.utime(link, (THEN - 1, THEN - 1), follow_symlinks=False)
    found, problems = read(str(tmp_path))
    assert found is None
    assert problems[0] == "dmesg-erst-1.enc.z is compressed, and the kernel could not unpack it"
    assert problems[1].startswith("dmesg-erst-2 cannot be read: ")


def test_a_log_cannot_drive_the_terminal_or_fill_it(tmp_path: Path) -> None:
    noise = "".join(f"<6>[ {number}.0] \x1b[31m{'x' * 1000}\n" for number in range(2000))
    put(tmp_path, "dmesg-erst-1", PART1 + noise)
    os.mkfifo(tmp_path / "dmesg-erst-0")
    found, _ = read(str(tmp_path))
    assert found is not None
    assert len(found.lines) == 80
    assert max(map(len, found.lines)) <= 300
    assert not any("\x1b" in line for line in found.lines)
    assert any("Kernel panic" in line for line in found.lines), "what tells is kept, and not the noise behind it"


def test_clear_makes_room(tmp_path: Path) -> None:
    put(tmp_path, "dmesg-erst-1", PART1)
    put(tmp_path, "console-ramoops-0", "x")
    put(tmp_path, "pmsg-ramoops-0", "of somebody else")
    clear(str(tmp_path))
    assert os.listdir(tmp_path) == ["pmsg-ramoops-0"]
    clear(str(tmp_path / "missing"))
