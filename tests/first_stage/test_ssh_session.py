"""What a key's forced command does when Python works, and when it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from first_stage.stage import Stage, make_stage

BROKEN = 'echo "Traceback:" >&2; echo "ModuleNotFoundError: No module named chainboot" >&2; exit 1'
REASON = "chainboot does not work: ModuleNotFoundError: No module named chainboot"


def session(stage: Stage, role: str, command: str | None = None, stdin: str = "") -> tuple[int, str, str]:
    environment = {"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.9 22"}
    if command is not None:
        environment["SSH_ORIGINAL_COMMAND"] = command
    return stage.run("/usr/sbin/ssh-session", role, "3", stdin=stdin, environment=environment)


def left_behind(stage: Stage) -> list[str]:
    return sorted(path.name for path in (stage.root / "run" / "chainboot").iterdir() if path.is_file())


def test_what_python_says_and_how_it_ends(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", ': >$CHAINBOOT_ALIVE; echo "$*"; echo late >&2; echo at once >&$CHAINBOOT_STDERR; exit 5')
    assert session(stage, "boot", "list") == (5, "login --role boot --key 3\n", "at once\nlate\n")
    assert left_behind(stage) == []
    assert stage.log() == ""


def test_a_failure_that_python_answers_for_gives_no_shell(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", ": >$CHAINBOOT_ALIVE; exit 1")
    assert session(stage, "admin", stdin="echo a shell\n") == (1, "", "")


def test_the_file_of_an_earlier_session_says_nothing(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", "exit 1")
    for number in range(1, 9):
        stage.write(f"/run/chainboot/alive.{number}", "")
    assert session(stage, "view") == (
        1,
        "",
        "chainboot does not work: it ended with exit code 1; an administrator's key gets a shell\n",
    )


@pytest.mark.parametrize("role", ["view", "boot", "edit", ""])
@pytest.mark.parametrize("command", [None, "shell", "list"])
def test_without_python_others_get_a_sentence(tmp_path: Path, role: str, command: str | None) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", BROKEN)
    answer = session(stage, role, command, stdin="echo a shell\n")
    assert answer == (1, "", f"{REASON}; an administrator's key gets a shell\n")
    assert left_behind(stage) == []


@pytest.mark.parametrize("command", [None, "", "shell"])
def test_without_python_an_administrator_gets_a_shell(tmp_path: Path, command: str | None) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", BROKEN)
    assert session(stage, "admin", command, stdin="echo $((6 * 7)) $CHAINBOOT_ALIVE\nexit 4\n") == (4, "42\n", "")
    assert stage.log() == f"ssh: key 3 (admin): {REASON}\n"
    assert left_behind(stage) == []


@pytest.mark.parametrize("command", ["list", "shell x", "sh -c shell"])
def test_without_python_an_administrators_commands_are_refused(tmp_path: Path, command: str) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", BROKEN)
    answer = session(stage, "admin", command, stdin="echo a shell\n")
    assert answer == (1, "", f"{REASON}; `ssh HOST shell` gives a busybox shell\n")


@pytest.mark.parametrize("command", [None, "", "menu", "shell", "chroot nixos-1-default"])
def test_who_is_let_in_holds_the_countdown_before_python_is_up(tmp_path: Path, command: str | None) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", 'echo "${CHAINBOOT_STARTING%[0-9]*}"; ls -l $CHAINBOOT_STARTING; cat $CHAINBOOT_STARTING')
    told = session(stage, "boot", command)[1].splitlines()
    assert told[0].startswith("/run/chainboot/sessions/remote-starting-")
    assert told[1].startswith("-rw-------")
    assert told[2] == "somebody from 192.0.2.7"
    assert os.listdir(stage.root / "run/chainboot/sessions") == []


def test_a_verb_holds_nothing(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", "ls /run/chainboot/sessions; exit 0")
    assert session(stage, "boot", "list")[1] == ""


def test_the_shell_that_takes_the_place_of_python_holds_it_too(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", BROKEN)
    told = session(stage, "admin", stdin="ls /run/chainboot/sessions; echo $$\n")[1].splitlines()
    assert told[0] == f"remote-starting-{told[1]}"


def test_a_crash_after_the_start_counts(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", ": >$CHAINBOOT_ALIVE; rm $CHAINBOOT_ALIVE; exit 1")
    assert session(stage, "admin", stdin="echo a shell\n") == (0, "a shell\n", "")


def test_a_loaded_kernel_is_unloaded_before_the_shell(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", BROKEN)
    stage.script("kexec", "echo kexec $*")
    stage.write("/sys/kernel/kexec_loaded", "1\n")
    assert session(stage, "admin", stdin="echo a shell\n") == (0, "kexec -u\na shell\n", "")


def test_where_memory_runs_out_a_session_goes_first(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.script("chainboot", ": >$CHAINBOOT_ALIVE; cat /proc/self/oom_score_adj")
    stage.write("/proc/self/oom_score_adj", "0\n")
    assert session(stage, "admin") == (0, "500\n", "")
