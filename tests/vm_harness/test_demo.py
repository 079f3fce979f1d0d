"""What `make demo` tells a person to type, and what the audit runs."""

from __future__ import annotations

import shlex
import socket
import sys
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot_vm import audit, demo
from chainboot_vm.access import Access
from chainboot_vm.ssh import ADDRESS


def test_the_way_in_is_one_line_for_a_shell_and_short_where_the_person_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = demo.way_in(Access(tmp_path / "build" / "ssh"), 4022)
    assert told == (
        "ssh -F none -i build/ssh/admin -p 4022 -o HostKeyAlias=first-stage "
        f"-o UserKnownHostsFile=build/ssh/known_hosts root@{ADDRESS}"
    )


def test_the_way_in_survives_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(demo.way_in(Access(tmp_path / "my build" / "ssh"), 4022))
    assert words[words.index("-i") + 1] == "my build/ssh/admin"
    assert 'UserKnownHostsFile="my build/ssh/known_hosts"' in words


def test_a_free_port_is_one_that_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind((ADDRESS, demo.free_port()))
        listener.listen()


def test_the_audit_installs_its_tool_once_and_only_below_the_build(tmp_path: Path) -> None:
    runner, said = FakeRunner(), list[str]()
    program = audit.tool(build=tmp_path, runner=runner, say=said.append)
    venv = tmp_path / "audit-venv"
    assert program == venv / "bin" / "ssh-audit"
    assert runner.commands[0] == (sys.executable, "-m", "venv", str(venv))
    assert runner.commands[1][0] == str(venv / "bin" / "pip")
    assert runner.commands[1][-1] == "ssh-audit"
    assert said == [f"installing ssh-audit into {venv}"]
    program.parent.mkdir(parents=True)
    program.touch()
    assert audit.tool(build=tmp_path, runner=runner, say=said.append) == program
    assert len(runner.commands) == 2


def test_the_audit_asks_the_forwarded_port() -> None:
    words = audit.argv(Path("ssh-audit"), 4022)
    assert "--port=4022" in words
    assert words[-1] == ADDRESS
    assert "--no-colors" in words
    assert "--no-colors" not in audit.argv(Path("ssh-audit"), 4022, colours=True)
