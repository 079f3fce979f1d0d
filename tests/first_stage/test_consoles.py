"""Which terminals the first stage puts its menu on, and what it takes them for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from first_stage.stage import Stage, make_stage

from chainboot.architecture import ARCHITECTURES, Architecture

# As on an LPAR with both consoles of the SCLP; under KVM there is one of them.
PROC_CONSOLES = """\
ttyS0                -W- (EC    p  )    4:64
ttysclp0             -W- (E     p  )    4:65
tty32700             -W- (E     p  )  227:1
netcon0              -W- (E        )
"""
NUMBERS = {"4:64": "sclp_line0", "4:65": "ttysclp0", "227:1": "3270/tty1"}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = make_stage(tmp_path / "stage")
    (made.root / "dev/ttyS0").unlink()  # a plain file there
    return made


def devices(stage: Stage, *names: str) -> None:
    """Terminals in /dev; skips the test where nobody may make any."""
    for name in names:
        path = stage.root / "dev" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("this user may make no device")


def mainframe(stage: Stage) -> None:
    """What the kernel of an IBM Z says about its consoles."""
    stage.write("/proc/consoles", PROC_CONSOLES)
    for number, name in NUMBERS.items():
        stage.write(f"/sys/dev/char/{number}/uevent", f"MAJOR=4\nMINOR=64\nDEVNAME={name}\n")


def consoles(stage: Stage, command_line: str, active: str = "") -> str:
    stage.settings(command_line=command_line)
    stage.write("/sys/class/tty/console/active", f"{active}\n")
    code, out, errors = stage.run("/bin/sh", "-c", ". /usr/lib/chainboot/functions.sh; consoles")
    assert (code, errors) == (0, "")
    return out.removesuffix("\n")


@pytest.mark.parametrize(
    ("command_line", "active", "found"),
    [
        ("console=tty0 console=ttyS0,115200n8 quiet", "tty0 ttyS0", "tty1 ttyS0"),
        ("console=ttyS0 console=ttyS0,9600", "ttyS0", "ttyS0"),
        ("console=ttyS7 console=hvc0", "hvc0", "hvc0"),
        ("console=ttyS7", "tty0 ttyS0", "tty1 ttyS0"),
        ("", "tty0", "tty1"),
        ("", "ttyS0", "ttyS0"),
        ("", "", "console"),
        ("console=* x=/dev/*", "", "console"),
        ("console=null", "", "ttynull"),
        ("console=", "", "console"),
    ],
)
def test_where_names_are_those_of_devices(stage: Stage, command_line: str, active: str, found: str) -> None:
    devices(stage, "tty1", "ttyS0", "hvc0", "null0", "ttynull")
    assert consoles(stage, command_line, active) == found


@pytest.mark.parametrize(
    ("command_line", "active", "found"),
    [
        ("console=ttyS0", "ttyS0", "sclp_line0"),
        ("", "ttyS0", "sclp_line0"),
        ("console=ttyS0 console=ttysclp0", "ttysclp0 ttyS0", "sclp_line0 ttysclp0"),
        ("console=ttysclp0 console=ttyS0", "", "ttysclp0 sclp_line0"),
        ("console=ttyS console=ttyS0 console=sclp_line0", "", "sclp_line0"),
        ("console=ttyS", "", "sclp_line0"),
        ("console=tty3270", "", "3270/tty1"),
        ("", "3270/tty1", "3270/tty1"),
        ("console=netcon0", "", "console"),
        ("console=ttyS1", "ttyS1", "console"),
    ],
)
def test_where_a_console_has_another_name_than_its_terminal(
    stage: Stage, command_line: str, active: str, found: str
) -> None:
    devices(stage, *NUMBERS.values())
    mainframe(stage)
    assert consoles(stage, command_line, active) == found


def test_where_no_console_that_is_named_can_be_opened_others_are_taken(stage: Stage) -> None:
    """The countdown runs in a menu: without one nothing would ever boot."""
    devices(stage, "ttysclp0", "ttynull")
    os.mknod(stage.root / "dev/hvc1", 0o600 | stat.S_IFCHR, os.makedev(229, 1))  # no such device
    assert consoles(stage, "console=hvc1", "ttysclp0") == "hvc1 ttysclp0"
    assert consoles(stage, "console=hvc1") == "hvc1 ttynull"
    assert consoles(stage, "console=hvc1 console=ttysclp0", "tty0") == "hvc1 ttysclp0"


def test_the_vt220_under_its_old_name(stage: Stage) -> None:
    devices(stage, "ttysclp0")
    mainframe(stage)
    stage.write("/proc/consoles", "ttyS1                -W- (EC    p  )    4:65\n")
    assert consoles(stage, "console=ttyS1") == "ttysclp0"


def test_a_3215_is_a_terminal_of_its_own_name(stage: Stage) -> None:
    devices(stage, "ttyS0")
    mainframe(stage)
    assert consoles(stage, "console=ttyS0") == "ttyS0"


# -- what they can do


def terminal_type(stage: Stage, machine: str, name: str, term: str = "linux") -> str:
    """TERM of the menu on a console."""
    # busybox runs its own uname, whatever PATH says; a function comes before that.
    stage.change("/usr/lib/chainboot/functions.sh", "\nRUN=/run", f"\nuname() {{ echo {machine}; }}\nRUN=/run")
    devices(stage, name)
    stage.script("chainboot", 'echo "$TERM" >/tmp/term; exit 3')
    once(stage, name, term)
    return stage.read("/tmp/term").strip()


def once(stage: Stage, name: str, term: str) -> None:
    """The service on this terminal as it is, until it would begin anew; also where it cannot be opened."""
    ended = 'setsid() { shift; "$@"; exit; }\nsleep() { exit; }\n'
    stage.write("/tmp/once", f"{ended}set -- {name}\n. /usr/sbin/serve-console\n")
    stage.run("/bin/sh", "/tmp/once", environment={"TERM": term}, seconds=20)


def test_it_ends_where_a_terminal_cannot_be_opened(stage: Stage) -> None:
    once(stage, "nothing", "linux")
    assert "/dev/nothing cannot be opened" in stage.log()


@pytest.mark.parametrize("row", ARCHITECTURES, ids=lambda row: row.name)
@pytest.mark.parametrize("name", ["ttyS0", "ttysclp0", "sclp_line0", "3215", "3270/tty1", "tty3270", "hvc0", "ttyAMA0"])
def test_line_consoles_are_those_of_the_table(stage: Stage, row: Architecture, name: str) -> None:
    lines_only = row.line_consoles and name.startswith(row.line_consoles)
    assert terminal_type(stage, row.name, name) == ("dumb" if lines_only else "vt220" if name != "tty3270" else "linux")


def test_a_screen_is_a_screen_and_a_wish_is_granted(stage: Stage) -> None:
    assert terminal_type(stage, "s390x", "tty1") == "linux"


def test_a_wish_is_granted(stage: Stage) -> None:
    assert terminal_type(stage, "s390x", "ttyS0", "xterm") == "xterm"


def test_where_nothing_is_known_of_the_console_lines_are_safe_on_a_mainframe(stage: Stage) -> None:
    assert terminal_type(stage, "s390x", "console") == "dumb"
