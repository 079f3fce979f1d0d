"""The one place that runs programs: exits, signals, absence and time are told apart in words."""

from __future__ import annotations

import pytest

from chainboot.process import ProcessError, interact, pasteable, run


def test_a_program_s_output_comes_back_whole() -> None:
    done = run(["sh", "-c", "printf 'out\\377'; printf err >&2; exit 3"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\udcff", "err")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["sh", "-c", "echo '  no   way' >&2; echo second >&2; exit 3"], "sh exited with 3: no   way / second"),
        (["sh", "-c", "echo out; exit 1"], "sh exited with 1: out"),
        (["sh", "-c", "kill -9 $$"], "sh was killed by signal 9"),
        (["sh", "-c", "printf '\\033[2J' >&2; exit 1"], "sh exited with 1: \N{REPLACEMENT CHARACTER}[2J"),
        (["/nowhere/kexec"], "/nowhere/kexec is not installed"),
        (["/dev"], "/dev could not be started: Permission denied"),
    ],
)
def test_a_failure_is_a_sentence(argv: list[str], message: str) -> None:
    with pytest.raises(ProcessError) as raised:
        run(argv, check=True)
    assert str(raised.value) == message


def test_a_program_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(ProcessError, match=r"sleep did not finish within 0\.05 s"):
        run(["sleep", "60"], check=False, timeout=0.05)


def test_programs_get_no_input() -> None:
    assert run(["cat"], check=True).stdout == ""


def test_a_command_is_shown_as_it_could_be_pasted() -> None:
    assert pasteable(["kexec", "--command-line=a b"]) == "kexec '--command-line=a b'"


def test_a_shell_on_this_terminal_gives_its_exit_code() -> None:
    assert interact(["sh", "-c", "exit $CODE"], extra_env={"CODE": "5"}) == 5
    with pytest.raises(ProcessError):
        interact(["/nowhere/sh"])
