"""The menu on a console: what happens when it ends, with a terminal and with nobody or somebody in front of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from first_stage.stage import Stage, eventually, make_stage, need_root

BROKEN = "echo tried >>/tmp/tried; echo 'ImportError: no lark' >&2; exit 1"
WHY = "chainboot: the menu could not start: ImportError: no lark"
OFFER = "chainboot: press Enter within 60 seconds for a shell; else the menu is tried again"
SHELL = "this is a busybox shell"


@dataclass(frozen=True, slots=True)
class Console:
    """A terminal that a person looks at."""

    stage: Stage
    master: int
    seen: bytearray

    def text(self) -> str:
        """All that was shown so far."""
        try:
            while True:
                self.seen.extend(os.read(self.master, 4096))
        except BlockingIOError:
            return self.seen.decode(errors="replace").replace("\r\n", "\n")

    def shows(self, *texts: str, seconds: float = 20) -> bool:
        """Whether it gets to show all of these."""
        return eventually(lambda: all(text in self.text() for text in texts), seconds)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def tries(self) -> int:
        """How often the menu was started."""
        return len(self.stage.read("/tmp/tried").splitlines())


@contextmanager
def console(root: Path, chainboot: str, *, choice: int = 60) -> Iterator[Console]:
    """The service, `chainboot` being the script of that name, with this many seconds to press Enter."""
    need_root()
    stage = make_stage(root)
    stage.script("chainboot", chainboot)
    stage.change("/usr/sbin/serve-console", "\nCHOICE=60\nSTEP=5\n", f"\nCHOICE={choice}\nSTEP=1\n")
    master, slave = os.openpty()
    os.set_blocking(master, False)
    try:
        with stage.service("while :; do serve-console ttyS0; done", os.ttyname(slave)):
            yield Console(stage, master, bytearray())
    finally:
        os.close(master)
        os.close(slave)


def test_a_menu_that_ends_well_is_started_again(tmp_path: Path) -> None:
    menu = "echo $TERM >>/tmp/tried; echo menu on $(tty); echo error >&2"
    with console(tmp_path / "stage", menu) as seen:
        assert eventually(lambda: seen.tries() == 3)
        assert seen.stage.read("/tmp/tried").startswith("vt220\n")
        assert seen.text().replace("menu on /dev/ttyS0\n", "") == ""


def test_a_console_that_cannot_be_opened_waits_in_silence(tmp_path: Path) -> None:
    """What it says would tear the menu of the console that has one. Its device may come later."""
    need_root()
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", "echo tried >>/tmp/tried; rm /dev/hvc1; exit 1")  # unplugged while it runs
    stage.change("/usr/lib/chainboot/functions.sh", "\nPAUSE=1\n", "\nPAUSE=0.1\n")
    stage.change("/usr/sbin/serve-console", "\nMINUTE=60\n", "\nMINUTE=4\n")
    device = stage.root / "dev/hvc1"
    os.mknod(device, 0o600 | stat.S_IFSOCK)  # one that is there, and that nobody can open
    line = "/dev/hvc1 cannot be opened and shows no menu: No such device or address; it is tried again\n"
    master, slave = os.openpty()
    try:
        with stage.service("serve-console hvc1 >/tmp/said 2>&1", os.ttyname(slave)):
            assert eventually(lambda: line in stage.log())
            assert not eventually(lambda: stage.log() != line, seconds=2), "once"
            assert eventually(lambda: stage.log() == 2 * line), "and after a while"
            assert not (stage.root / "tmp/tried").exists()
            device.unlink()
            device.symlink_to("ttyS0")
            assert eventually(lambda: stage.log().count("cannot be opened") == 3)
            assert stage.read("/tmp/tried") == "tried\n"
    finally:
        os.close(master)
        os.close(slave)
    assert stage.read("/tmp/said") == ""


def test_a_person_who_presses_enter_gets_a_shell(tmp_path: Path) -> None:
    with console(tmp_path / "stage", BROKEN) as seen:
        assert seen.shows(f"{WHY}\n", f"{OFFER}\n")
        assert SHELL not in seen.text()
        seen.type("\n")
        assert seen.shows(SHELL)
        seen.type("echo answer: $((6 * 7)) on $(tty)\n")
        assert seen.shows("answer: 42 on /dev/ttyS0")
        assert seen.tries() == 1
        seen.type("exit\n")
        assert eventually(lambda: seen.text().count(WHY) == 2)


def test_where_nobody_is_there_the_menu_is_tried_again(tmp_path: Path) -> None:
    with console(tmp_path / "stage", BROKEN, choice=2) as seen:
        assert eventually(lambda: seen.tries() == 3)
        # Three seconds each: two to press Enter, and the pause.
        assert seen.text().count("within 2 seconds") >= 2
        assert SHELL not in seen.text()


def test_what_was_ended_by_a_signal_is_tried_again_at_once_and_not_for_ever(tmp_path: Path) -> None:
    with console(tmp_path / "stage", "echo tried >>/tmp/tried; kill -9 $$") as seen:
        assert seen.shows(OFFER)
        before, _, _ = seen.text().partition(OFFER)
        assert before.count("the menu could not start: it ended with exit code 137\n") == 3
        assert seen.tries() == 3
        assert not eventually(lambda: seen.tries() > 3, seconds=3)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("on\n", "chainboot: ssh: on, port 2222, host key ED25519 SHA256:abc\n"),
        ("off: no key is authorised\n", "chainboot: ssh: off: no key is authorised\n"),
    ],
)
def test_the_ways_in_are_shown_as_they_come(tmp_path: Path, state: str, line: str) -> None:
    with console(tmp_path / "stage", BROKEN) as seen:
        assert seen.shows(f"{OFFER}\nchainboot: ssh: starting\n")
        seen.stage.write("/run/chainboot/ssh/port", "2222\n")
        seen.stage.write("/run/chainboot/ssh/fingerprint", "ED25519 SHA256:abc\n")
        seen.stage.write("/run/chainboot/ssh/state", state)
        assert seen.shows(line)
        seen.stage.write("/run/chainboot/network/addresses", "eth0 192.0.2.5/24\neth0 2001:db8::5/64\n")
        assert seen.shows(f"{line}chainboot: address: eth0 192.0.2.5/24\nchainboot: address: eth0 2001:db8::5/64\n")
        # Not again and again.
        assert not eventually(lambda: seen.text().count("192.0.2.5") > 1, seconds=3)
