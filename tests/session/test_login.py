"""The login shell of SSH: who it is for, what the wrapper is told, and whole logins in a namespace of their own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from remote.keys import blob

import chainboot
from chainboot.cli import main
from chainboot.errors import ChainbootError
from chainboot.remote.role import Role
from chainboot.session import login
from chainboot.session.person import Person
from chainboot.session.request import Request, RequestError

USAGE = "the forced command of this key makes no sense; it is: login --role view|boot|edit|admin [--key NUMBER]"
SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_ORIGINAL_COMMAND", "CHAINBOOT_ALIVE", "CHAINBOOT_STDERR")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment as the server gives it, whoever runs the tests over SSH."""
    for name in SSH:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.9 50022 192.0.2.7 22")
    return monkeypatch


@pytest.mark.parametrize(
    ("arguments", "role"),
    [
        (["--role", "view"], Role.VIEW),
        (["--role=boot"], Role.BOOT),
        (["--role", "edit", "--key", "0"], Role.EDIT),
        (["--key=0", "--role=admin"], Role.ADMIN),
    ],
)
def test_who_logs_in(arguments: list[str], role: Role) -> None:
    assert login.person(arguments) == Person("a key without a comment from 192.0.2.9", role, remote=True)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--role"],
        ["--role", "root"],
        ["--role", "admin", "--key"],
        ["--role", "admin", "--key", "x"],
        ["--role", "admin", "--key", "-1"],
        ["--role", "admin", "--shell", "x"],
        ["--role", "admin", "menu"],
        ["admin", "1"],
    ],
)
def test_a_forced_command_that_is_none_of_ours_lets_nobody_in(arguments: list[str]) -> None:
    with pytest.raises(ChainbootError) as raised:
        login.person(arguments)
    assert raised.value.message == USAGE


def test_what_was_asked_for_is_what_the_role_allows() -> None:
    who = login.person(["--role", "boot"])
    assert login.request("", who) == Request("menu")
    assert login.request("boot 2 --dry-run", who) == Request("boot", "2", dry_run=True)
    with pytest.raises(RequestError):
        login.request("shell", who)


@pytest.mark.parametrize(
    ("asked", "goes_on"),
    [
        (Request("menu"), True),
        (Request("shell"), True),
        (Request("chroot"), True),
        (Request("chroot", dry_run=True), False),
        (Request("boot"), False),
        (Request("status"), False),
    ],
)
def test_after_which_requests_somebody_goes_on_typing(asked: Request, goes_on: bool) -> None:
    assert login.is_interactive(asked) is goes_on


def test_the_wrapper_is_told_once_that_python_works(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    assert login.alive() is None
    marker = tmp_path / "alive.1"
    environment.setenv("CHAINBOOT_ALIVE", str(marker))
    assert login.alive() == str(marker)
    assert marker.exists()
    assert "CHAINBOOT_ALIVE" not in os.environ, "a shell would pass it on"
    environment.setenv("CHAINBOOT_ALIVE", str(tmp_path / "gone/alive.1"))
    assert login.alive() == str(tmp_path / "gone/alive.1"), "no room for a marker is no reason to lock a person out"


def test_the_command_refuses_a_forced_command_that_makes_no_sense(
    tmp_path: Path, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("CHAINBOOT_ALIVE", str(tmp_path / "alive.1"))
    with pytest.raises(SystemExit) as left:
        main(["login", "--role", "nobody"])
    assert left.value.code == 1
    assert capsys.readouterr() == ("", f"chainboot: error: {USAGE}\n")
    assert (tmp_path / "alive.1").exists(), "Python works, and nobody gets a shell for it"


# -- whole logins: the programs are real, /run and /sys are empty, and the kernel log is nobody's

APART = """
mount -t tmpfs none /run
mount -t tmpfs none /sys
[ ! -e /dev/kmsg ] || mount --bind /dev/null /dev/kmsg
mkdir -p /run/chainboot/ssh
"""


def apart() -> bool:
    """Whether this process may have a mount namespace of its own."""
    try:
        done = subprocess.run(["unshare", "--mount", "sh", "-ec", APART], check=False, capture_output=True, timeout=60)
    except OSError:
        return False
    return done.returncode == 0


needs_a_namespace = pytest.mark.skipif(not apart(), reason="needs root and mount namespaces (unshare --mount)")


@dataclass
class Done:
    """What a login left behind."""

    code: int
    out: str
    err: str
    alive: bool


class Server:
    """A machine that is logged in to, one login after the other, all in one namespace that ends with the last."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path
        self.script: list[str] = []
        self.logins = 0

    def login(self, asked: str, *, role: str = "admin", key: int = 1, typed: str = "", prepare: str = "") -> None:
        """Plan a login. `prepare` are shell commands before it."""
        number = self.logins
        self.logins += 1
        at = self.path / str(number)
        (self.path / f"{number}.in").write_text(typed)
        arguments = [sys.executable, "-P", "-m", "chainboot", "login", "--role", role, "--key", str(key)]
        self.script.append(
            f"{prepare}\n"
            f"SSH_ORIGINAL_COMMAND={shlex.quote(asked)} CHAINBOOT_ALIVE=/run/chainboot/alive.1 "
            f"{shlex.join(arguments)} <{at}.in >{at}.out 2>{at}.err\n"
            f"echo $? >{at}.code\n"
            f"if [ -e /run/chainboot/alive.1 ]; then echo 1; else echo 0; fi >{at}.alive\n"
            f"rm -f /run/chainboot/alive.1\n"
        )

    def run(self) -> list[Done]:
        """Carry them out."""
        (self.path / "keys").write_text(
            f'command="/usr/sbin/ssh-session admin 1" ssh-ed25519 {blob(1)} anna@laptop\n'
            f'command="/usr/sbin/ssh-session view 2" ssh-ed25519 {blob(2)} vera\n'
        )
        text = f"set -e\n{APART}\nset +e\ncp {self.path}/keys /run/chainboot/ssh/authorized_keys\n" + "".join(
            self.script
        )
        subprocess.run(
            ["unshare", "--mount", "sh", "-c", text],
            check=True,
            capture_output=True,
            timeout=120,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path(chainboot.__file__).parents[1]),
                "SSH_CONNECTION": "192.0.2.9 50022 192.0.2.7 22",
                "TERM": "dumb",
            },
        )

        def read(number: int, kind: str) -> str:
            return (self.path / f"{number}.{kind}").read_text()

        return [
            Done(int(read(number, "code")), read(number, "out"), read(number, "err"), read(number, "alive") == "1\n")
            for number in range(self.logins)
        ]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@needs_a_namespace
def test_verbs_answer_on_stdout_and_nothing_else_does(server: Server) -> None:
    server.login("help", role="view", key=2)
    server.login("status --json", role="view", key=2)
    server.login("list --json")
    server.login("hold")
    server.login("status --json", role="view", key=2)
    server.login("resume")
    server.login("log --json")
    server.login("reboot --dry-run")
    server.login("help --json", role="view", key=2)
    helped, status, listed, _, held, resumed, logged, restart, table = server.run()
    for done in (helped, status, listed, held, resumed, logged, restart, table):
        assert done.code == 0, done.err
        assert done.alive
    assert "status [--json]" in helped.out
    assert json.loads(status.out)["you"] == {"name": "vera from 192.0.2.9", "role": "view"}
    assert json.loads(listed.out)["entries"] == []
    assert listed.err == "chainboot: no disk was found\n"
    assert json.loads(held.out)["held_by"] == "anna@laptop from 192.0.2.9"
    assert resumed.err == ""
    acts = json.loads(logged.out)["acts"]
    assert [(act["who"], act["what"]) for act in acts] == [
        ("anna@laptop from 192.0.2.9", "holds the countdown"),
        ("anna@laptop from 192.0.2.9", "lets the countdown go on"),
    ]
    assert restart.out.startswith("boot reboot: the machine restarts\n")
    assert {verb["name"] for verb in json.loads(table.out)["verbs"]} >= {"list", "help"}


@needs_a_namespace
def test_what_is_refused_is_one_sentence_an_exit_code_and_a_line_of_the_log(server: Server) -> None:
    server.login("poweroff", role="view", key=2)
    server.login("/usr/lib/openssh/sftp-server")
    server.login("\x1b[2Jls /; reboot")
    server.login("boot 1")
    server.login("log")
    poweroff, sftp, unknown, boot, log = server.run()
    hint = " (`help` lists the verbs that your key may use)"
    assert (poweroff.code, poweroff.out, poweroff.err) == (
        5,
        "",
        "chainboot: poweroff needs a key with the role admin; this one has view\n",
    )
    assert (sftp.code, sftp.out, sftp.err) == (
        2,
        "",
        f"chainboot: sftp is not served here: this is a boot menu{hint}\n",
    )
    assert (unknown.code, unknown.out, unknown.err) == (2, "", f"chainboot: \ufffd[2Jls is no verb{hint}\n")
    assert (boot.code, boot.out) == (3, "")
    assert all(done.alive for done in (poweroff, sftp, unknown, boot)), "a refusal is no reason for a shell"
    assert [line.partition("] ")[2].partition(": ")[2] for line in log.out.splitlines()] == [
        "was refused: poweroff needs a key with the role admin; this one has view",
        "was refused: sftp is not served here: this is a boot menu",
        "was refused: \ufffd[2Jls is no verb",
    ]


@needs_a_namespace
def test_a_person_without_a_terminal_has_a_menu_of_lines(server: Server) -> None:
    server.login("", typed="?\nq\n")
    (done,) = server.run()
    assert done.code == 0
    assert "chainboot: no entries: no disk was found" in done.out + done.err
    assert "You are anna@laptop from 192.0.2.9; this key may do everything, and open a shell." in done.out


@needs_a_namespace
def test_a_shell_for_a_script_has_the_script_s_output_alone(server: Server) -> None:
    server.login("shell", typed="echo hello\necho $CHAINBOOT_ALIVE\nexit 7\n")
    server.login("shell", role="edit", typed="echo hello\n")
    shell, refused = server.run()
    assert (shell.code, shell.out) == (7, "hello\n\n")
    assert "chainboot: rescue shell" in shell.err
    assert (refused.code, refused.out) == (5, "")


# What the wrapper gives an administrator a shell for: there is no other way in.
FULL = "mount -t tmpfs -o size=64k none /run/chainboot; dd if=/dev/zero of=/run/chainboot/full bs=4k 2>/dev/null"


BROKEN = {
    "full": FULL,
    "countdown": "mkdir /run/chainboot/countdown",
    "sessions": "rm -rf /run/chainboot/sessions; : >/run/chainboot/sessions",
}


@needs_a_namespace
@pytest.mark.parametrize("what", BROKEN)
def test_whatever_is_broken_an_administrator_gets_a_shell(server: Server, what: str) -> None:
    server.login("shell", typed="echo hello\n", prepare=BROKEN[what])
    (done,) = server.run()
    assert done.out == "hello\n" or not done.alive, done.err


@needs_a_namespace
def test_a_log_that_cannot_be_written_costs_only_itself(server: Server) -> None:
    server.login("hold", prepare="mkdir -p /run/chainboot/log")
    server.login("log")
    held, log = server.run()
    assert (held.code, log.code, log.out) == (0, 0, "")


@needs_a_namespace
def test_talk_goes_where_the_wrapper_has_put_it(server: Server) -> None:
    server.login("list", prepare=f"export CHAINBOOT_STDERR=7; exec 7>{server.path}/talk")
    (done,) = server.run()
    assert done.err == ""
    assert (server.path / "talk").read_text() == "chainboot: no disk was found\n"


@needs_a_namespace
def test_a_rescue_shell_has_the_verbs_too(server: Server) -> None:
    chainboot_ = shlex.join([sys.executable, "-P", "-m", "chainboot"])
    server.login("shell", prepare=": >/run/chainboot/first-stage", typed=f"{chainboot_} hold >&2\n{chainboot_} log\n")
    server.login("shell", typed=f"{chainboot_} fly\necho $?\n{chainboot_} list\n{chainboot_} list /nowhere\necho $?\n")
    shell, mistakes = server.run()
    assert shell.code == 0, shell.err
    assert "holds the countdown" in shell.out
    assert "anna@laptop from 192.0.2.9" in shell.out, "the log tells who, whichever way they went"
    assert mistakes.out == "2\n3\n"
    assert "chainboot: no disk was found\n" in mistakes.err
    assert "/nowhere" in mistakes.err, "and those of any system where they name a place"
