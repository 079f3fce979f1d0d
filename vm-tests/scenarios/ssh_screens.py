"""Screens of every size, a disk that wants to write on them itself, twenty of them at once, a server that dies."""

import json
import re
from dataclasses import replace

from chainboot.session.lines import PROMPT
from chainboot.session.state import READY
from chainboot_vm import sample
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.ssh import Client
from chainboot_vm.ssh_session import Session
from chainboot_vm.steps import DOWN, session_shows

# What a terminal would obey: CSI as ESC [ and as one character, OSC that names the window or fills the clipboard, a
# string that never ends, bidirectional overrides, and what moves the cursor.
EVIL = (
    "\x1b[95m",
    "\x1b[2J\x1b[13;37H",
    "\u009b95m",
    "\x1b]0;owned\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1bP$q",
    "\u202e",
    "\u2066",
    "\x08\x08\x0b\x0c\x0e",
)
CONFIGURATION = f"""\
DEFAULT plain
MENU TITLE A title {"".join(EVIL)} of its own
TIMEOUT 0
LABEL plain
  MENU LABEL Plain
  LINUX ../nixos/{sample.NEWEST.kernel_file}
  INITRD ../nixos/{sample.NEWEST.initrd_file}
  APPEND {sample.NEWEST.command_line()}
LABEL evil-{"".join(EVIL)}
  MENU LABEL Not {"".join(EVIL)} what it seems
  LINUX ../nixos/{sample.NEWEST.kernel_file}
  INITRD ../nixos/{"".join(EVIL)}
  APPEND init=/sbin/init {"".join(EVIL)}
  TEXT HELP
  Help {"".join(EVIL)} that is none
  ENDTEXT
"""

_NIXOS = sample.disk()
DISKS = (replace(_NIXOS, label="hostile", files={**_NIXOS.files, "boot/extlinux/extlinux.conf": CONFIGURATION}),)
NETWORKS = (Network(),)
SETTINGS = {"network_wait": 60}

SESSIONS = 20
# The server takes five connections at a time that have not logged in yet.
AT_A_TIME = 4
SIZES = ((40, 10), (100, 30), (300, 100), (80, 24), (132, 43))
TERMS = ("xterm-256color", "vt100", "xterm", "made-up-by-somebody", "linux")


def run(machine: Networked) -> None:
    machine.start()
    admin = machine.ssh("admin")
    admin.wait_for_ssh()
    alone = _memory(admin)

    with machine.subtest("one screen that changes its size"):
        session = admin.open(columns=40, rows=10)
        session_shows(session)
        machine.note(f"figure: memory with one session: {_memory(admin) >> 20} MiB")
        for columns, rows in ((100, 30), (300, 100), (20, 5), (80, 24)):
            session.resize(columns, rows)
            # The status line is the last row but one, and the selected entry is always there.
            session.wait_for(rf"\A(.*\n){{{rows - 2}}}{re.escape(READY[: columns - 2])}")
            session.wait_for(r"(?m)^> 1  Plain")
        session.send(DOWN)
        session.wait_for(r"(?m)^> 2  Not ")
        session.wait_for("label evil-")
        session.send("q")
        assert session.wait_for_exit() == 0
        _obeys_nothing(session.raw)

    with machine.subtest("a terminal that only prints"):
        session = admin.open(term="dumb")
        session.wait_for(re.escape(PROMPT))
        session.send("q\r")
        assert session.wait_for_exit() == 0
        assert b"\x1b" not in session.raw, "an escape sequence for TERM=dumb"

    with machine.subtest("verbs"):
        for words in ("list", "list --json", "show 2", "plan 2", "log"):
            done = admin.run(words)
            # There is nothing to plan for what cannot boot.
            assert (done.code == 0) is (words != "plan 2"), f"{words}: {done}"
            for text in (done.stdout, done.stderr):
                assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), repr(text)

    with machine.subtest(f"{SESSIONS} sessions at once"):
        sessions: list[Session] = []
        while len(sessions) < SESSIONS:
            more = []
            for number in range(len(sessions), min(len(sessions) + AT_A_TIME, SESSIONS)):
                columns, rows = SIZES[number % len(SIZES)]
                more.append(admin.open(columns=columns, rows=rows, term=TERMS[number // len(SIZES) % len(TERMS)]))
            for session in more:
                session_shows(session)
            sessions += more
        crowded = _memory(admin)
        machine.note(f"figure: memory without a session: {alone >> 20} MiB; with {SESSIONS}: {crowded >> 20} MiB")

    with machine.subtest("the server is killed: it comes back, and who is there stays"):
        admin.run("shell", input="kill $(cat /run/chainboot/ssh/pid)\nexit\n")
        admin.wait_for_ssh()
        status = json.loads(admin.run("status", "--json").stdout)
        assert len(status["attached"]) == SESSIONS, status
        for session in sessions[:: SESSIONS - 1]:
            session.send(DOWN)
            session.wait_for(r"(?m)^> 2  Not ")
        for session in sessions:
            assert session.is_open(), f"{session.name} has ended"
            _obeys_nothing(session.raw)


def _memory(client: Client) -> int:
    """The bytes in use, those of the process that answers included."""
    status = json.loads(client.run("status", "--json").stdout)
    return int(status["memory_total"]) - int(status["memory_available"])


def _obeys_nothing(raw: bytes) -> None:
    """Nothing of what the disk wanted a terminal to do has reached it."""
    assert b"Plain" in raw, "the screen shows nothing of the disk"
    for evil in EVIL:
        assert evil.encode() not in raw, f"{evil!r} has reached a terminal"
    for introducer in (b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\xc2\x9b", b"\xc2\x9d", "\u202e".encode()):
        assert introducer not in raw, f"{introducer!r} has reached a terminal"
