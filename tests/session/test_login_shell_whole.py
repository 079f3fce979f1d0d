"""Whole logins to a running system: the command itself, in a namespace with a /boot, a /run and programs of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from session.emulator import Pty

import chainboot

# What a login finds: /boot of the test, kexec, systemctl and logger that only write down what they were called with
# and in which environment, and a kernel that has kexec. `hostile` are programs in the client's own PATH.
APART = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /sys
mount --bind {at}/disk/boot /boot
mkdir -p /sys/kernel /run/systemd/system /run/current-system/sw/bin /run/hostile
echo 0 >/sys/kernel/kexec_loaded
for name in kexec systemctl logger; do
    cat >/run/current-system/sw/bin/$name <<'END'
#!/bin/sh
{{ echo "${{0##*/}} $*"; echo "PATH=$PATH evil=${{EVIL-none}} $(pwd) $(umask)" >>{at}/environment; }} >>{at}/called
if [ "$*" = is-system-running ]; then
    if grep -qx 'systemctl kexec' {at}/called; then echo stopping; else echo running; fi
fi
END
    printf '#!/bin/sh\\necho hostile >>{at}/called\\n' >/run/hostile/$name
done
chmod 755 /run/current-system/sw/bin/* /run/hostile/*
set +e
"""
LAST = "auth.notice --"


def apart(tmp: str = "/tmp") -> bool:
    """Whether this process may have a mount namespace of its own, and there is a /boot to put something on."""
    if not os.path.isdir("/boot") or os.uname().machine != "x86_64":
        return False
    try:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", f"mount -t tmpfs none {tmp}"],
            check=False, capture_output=True, timeout=60,
        )  # fmt: skip
    except OSError:
        return False
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not apart(), reason="needs root, x86_64 and mount namespaces (unshare --mount)")

CHAINBOOT = shlex.join([sys.executable, "-P", "-m", "chainboot"])


@dataclass
class Done:
    """What a login left behind: its own output, and the programs that were called."""

    code: int
    out: str
    err: str
    called: list[str]


class System:
    """A running system that is logged in to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def command(self, arguments: list[str], prepare: str = "") -> list[str]:
        script = f"{APART.format(at=self.path)}\n{prepare}\nexec {CHAINBOOT} login-shell {shlex.join(arguments)}"
        return ["unshare", "--mount", "sh", "-c", script]

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": f"/run/hostile:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(chainboot.__file__).parents[1]),
            "EVIL": "evil",
            "TERM": "xterm",
            "SUDO_USER": "boot",
            "SSH_CONNECTION": "192.0.2.9 50022 192.0.2.7 22",
            **more,
        }

    def login(self, *arguments: str, prepare: str = "", **more: str) -> Done:
        done = subprocess.run(
            self.command([*arguments], prepare),
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            env=self.environment(**more),
        )
        return Done(done.returncode, done.stdout, done.stderr, self.called())

    def called(self) -> list[str]:
        file = self.path / "called"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def system(tmp_path: Path, nixos_root: Path) -> System:
    assert nixos_root == tmp_path / "disk"
    return System(tmp_path)


def test_a_boot_from_one_command(system: System) -> None:
    done = system.login("--role", "boot", "-c", "boot 2")
    assert done.code == 0, done.err
    assert done.out == ""
    *asked, logged, load, leave, after = done.called
    assert {*asked, after} == {"systemctl is-system-running"}
    assert logged.startswith(f"logger -t chainboot -p {LAST} ")
    assert logged.endswith(" from 192.0.2.9 boots nixos-42-default")
    assert load.startswith("kexec -a -l /boot/nixos/")
    assert leave == "systemctl kexec"
    assert "chainboot: when it is loaded, services stop and this connection closes; " in done.err
    environment = set((system.path / "environment").read_text().splitlines())
    assert environment == {"PATH=/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin evil=none / 0077"}


def test_verbs_of_the_command_line(system: System) -> None:
    listed = system.login("-c", "list --json")
    assert (listed.code, listed.err) == (0, "")
    assert json.loads(listed.out)["default"] == "nixos-default"
    shown = system.login("-cshow 3")
    assert (shown.code, "nixos-42-hardened" in shown.out) == (0, True)
    plan = system.login("-c", "plan 1 --append=x")
    assert "systemctl kexec" in plan.out
    assert " x" in plan.out
    check = system.login("-c", "check --json")
    assert check.code in (0, 1, 2)
    assert "diagnostics" in json.loads(check.out)
    status = system.login("-c", "status --json")
    found = json.loads(status.out)
    assert (found["default"], found["entries"], found["problems"]) == ("nixos-default", 7, [])
    assert json.loads(system.login("-c", "help --json").out)["verbs"]
    assert system.called() == []


def test_a_forced_command_narrows(system: System) -> None:
    forced = ("--role", "edit", "-c", "chainboot login --role view")
    refused = system.login(*forced, SSH_ORIGINAL_COMMAND="boot 1")
    assert (refused.code, refused.out) == (5, "")
    assert refused.err == "chainboot: boot needs a key with the role boot; this one has view\n"
    assert system.login(*forced, SSH_ORIGINAL_COMMAND="list").code == 0
    assert system.called() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-c", "chainboot login --role root"], "the forced command of this key makes no sense: "),
        (["--role", "root"], "--role 'root' is none of view, boot, edit, admin"),
        (["--bogus\x1b[2J"], "a login shell takes nothing but -c WORDS, not --bogus\ufffd[2J"),
    ],
)
def test_a_login_shell_that_is_set_up_wrongly_is_wrong_usage(system: System, arguments: list[str], said: str) -> None:
    done = system.login(*arguments)
    assert (done.code, done.out, done.called) == (2, "", [])
    assert done.err.startswith(f"chainboot: {said}")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(("path", "code"), [("nixos-24.05", 0), ("nixos-edited-default", 1), ("damaged", 2)])
def test_check_has_the_exit_codes_of_the_command_line(system: System, path: str, code: int) -> None:
    shape = Path(__file__).parents[1] / "corpus" / path / "boot"
    assert system.login("-c", "check", prepare=f"mount --bind {shape} /boot").code == code


HELD = """
mkdir -p /run/chainboot
printf 'alice from 192.0.2.11' >/run/chainboot/turn
exec 9<>/run/chainboot/turn
flock -n 9
"""


@pytest.mark.parametrize("verb", ["boot", "menu"])
@pytest.mark.parametrize("systemd", [True, False])
def test_root_s_own_boot_takes_its_turn_too(system: System, verb: str, systemd: bool) -> None:
    without = "" if systemd else "rmdir /run/systemd/system"
    path = "PATH=/run/current-system/sw/bin:$PATH"
    own = f"{path} {CHAINBOOT} {verb}"
    refused = system.login(prepare=f"{HELD}\n{without}\n{own} <<'END'\n1\nEND\nexit $?")
    assert refused.code == 1, refused.err
    assert refused.err.endswith("chainboot: error: alice from 192.0.2.11 boots this machine right now\n")
    assert not any("kexec" in line for line in refused.called)
    dry = system.login(prepare=f"{HELD}\n{without}\n{own} --dry-run <<'END'\n1\nEND\nexit $?")
    assert dry.code == 0, dry.err
    done = system.login(prepare=f"{without}\n{own} <<'END'\n1\nEND\nexit $?")
    assert done.code == 0, done.err
    load, *rest = [line for line in done.called if line != "systemctl is-system-running"]
    assert load.startswith("kexec -a -l ")
    assert rest == ["systemctl kexec" if systemd else "kexec -e"]
    assert (done.called[-1] == "systemctl is-system-running") is systemd, "the turn lasts until it stops"


def test_root_boots_nothing_while_the_machine_shuts_down(system: System) -> None:
    (system.path / "called").write_text("systemctl kexec\n")
    done = system.login(prepare=f"PATH=/run/current-system/sw/bin:$PATH {CHAINBOOT} boot 1; exit $?")
    assert done.code == 1
    assert done.err.endswith("nixos-default was not booted: this machine is shutting down already\n")
    assert not any(line.startswith("kexec") for line in done.called)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sftp-server", "sftp is not served here: this is a boot menu"),
        ("shell", "shell is not served here: this login gives no shell, whatever the role; the first stage does"),
        ("--debug", "--debug is no verb"),
        ("; reboot", "; is no verb"),
        ("", "the menu needs a terminal"),
    ],
)
def test_what_is_refused_is_one_sentence(system: System, words: str, said: str) -> None:
    done = system.login("--role", "admin", "-c", words)
    assert (done.code, done.out, done.called) == (2, "", [])
    assert done.err.startswith(f"chainboot: {said} (")
    assert len(done.err.splitlines()) == 1


def test_the_first_stage_has_its_own(system: System) -> None:
    done = system.login("-c", "list", prepare="mkdir /run/chainboot; : >/run/chainboot/first-stage")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("chainboot: error: login-shell is for a running system\n")


def test_a_person_on_a_terminal_has_the_menu_and_boots_from_it(system: System) -> None:
    pty = Pty(answers=True)
    with subprocess.Popen(
        system.command(["--role", "boot"]),
        stdin=pty.slave,
        stdout=pty.slave,
        stderr=pty.slave,
        env=system.environment(),
        start_new_session=True,
    ) as child:
        try:
            shows(pty, "chainboot: menu ready: 7 entries, default nixos-default")
            assert not any("booting in" in row for row in pty.rows()), "nothing may boot by itself here"
            assert any("this login may look and boot an entry." in row for row in pty.rows())
            pty.type(b"e")
            shows(pty, "Command lines may not be edited here.")
            pty.type(b"s")
            shows(pty, "A shell is not available here.")
            pty.type(b"\x1b[B")
            shows(pty, "label nixos-42-default")
            pty.type(b"\r")
            shows(pty, "the machine answers again when the new system is up")
            assert child.wait(20) == 0
        finally:
            child.kill()
            pty.close()
    called = [line for line in system.called() if line != "systemctl is-system-running"]
    assert called[-1] == "systemctl kexec"
    assert called[0].endswith("boots nixos-42-default")


def shows(pty: Pty, text: str) -> None:
    """Wait until the screen shows it, whatever the terminal has wrapped."""
    until = time.monotonic() + 20
    while "".join(text.split()) not in "".join("".join(pty.rows()).split()):
        assert time.monotonic() < until, "\n".join(pty.rows())
        time.sleep(0.02)
