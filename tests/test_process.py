"""The one place that runs programs: exits, signals, absence and time are told apart in words."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chainboot.process import ProcessError, detach, interact, pasteable, run


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


@pytest.mark.parametrize("parent", ["exec sleep 300", "exit 0", "trap '' TERM HUP; while :; do sleep 1; done"])
def test_a_program_that_leaves_another_one_behind_is_not_waited_for(parent: str) -> None:
    """The other one keeps the pipe open, as what hangs in the kernel would: no signal ends the waiting."""
    descriptors = len(os.listdir("/proc/self/fd"))
    started = time.monotonic()
    with pytest.raises(ProcessError, match=r"sh did not finish within 0\.2 s"):
        run(["sh", "-c", f"sleep 15 & {parent}"], check=False, timeout=0.2)
    assert time.monotonic() - started < 8
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_what_a_program_wrote_in_time_comes_back_whole() -> None:
    done = run(["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; printf err >&2"], check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("x" * 300000, "err")


def test_programs_get_no_input() -> None:
    assert run(["cat"], check=True).stdout == ""


def test_a_command_is_shown_as_it_could_be_pasted() -> None:
    assert pasteable(["kexec", "--command-line=a b"]) == "kexec '--command-line=a b'"


def test_a_shell_on_this_terminal_gives_its_exit_code() -> None:
    assert interact(["sh", "-c", "exit $CODE"], extra_env={"CODE": "5"}) == 5
    with pytest.raises(ProcessError):
        interact(["/nowhere/sh"])


def test_a_shell_has_the_keys_that_interrupt_for_itself() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT)]
    # Were Ctrl-C ignored in the shell, as it is here meanwhile, the kill would do nothing.
    assert interact(["sh", "-c", "kill -INT $$; exit 3"]) == -signal.SIGINT
    assert interact(["sh", "-c", f"kill -INT {os.getpid()}; exit 3"]) == 3
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT)] == before


@pytest.mark.parametrize("argv", [["sleep", "60"], ["sh", "-c", "trap '' HUP; exec sleep 60"]])
def test_a_shell_is_ended_when_the_machine_leaves_even_if_it_does_not_care(argv: list[str]) -> None:
    started = time.monotonic()
    assert interact(argv, stop=lambda: True) == -1
    assert time.monotonic() - started < 20


def test_a_shell_that_is_ended_is_hung_up_on_first(tmp_path: Path) -> None:
    script = f"trap 'echo bye >{tmp_path}/bye; exit' HUP; while :; do sleep 0.1; done"
    assert interact(["sh", "-c", script], stop=lambda: True) == -1
    assert (tmp_path / "bye").read_text() == "bye\n"


def test_a_shell_that_nobody_stops_is_waited_for() -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return False

    assert interact(["sh", "-c", "sleep 1.5; exit 4"], stop=stop) == 4
    assert asked


ALONE = """
import sys
from chainboot.process import interact
print("begun", flush=True)
code = interact(["sh", "-c", sys.argv[1]])
with open(sys.argv[2], "w") as file:
    file.write(str(code))
"""


def alone(output: int, script: str, told: Path) -> subprocess.Popen[bytes]:
    """A process that runs `script` without a terminal, its stdout being `output`, and tells the exit code in a file."""
    return subprocess.Popen([sys.executable, "-c", ALONE, script, str(told)], stdout=output, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(("kind", "care"), [("pipe", "trap '' HUP"), ("socket", "trap 'exit 1' HUP")])
def test_a_program_without_a_terminal_ends_when_nobody_can_read_it(tmp_path: Path, kind: str, care: str) -> None:
    if kind == "pipe":
        reader, writer = os.pipe()
    else:
        reader, writer = (end.detach() for end in socket.socketpair())
    told = tmp_path / "code"
    here = alone(writer, f"{care}; for i in $(seq 600); do sleep 0.1; done", told)
    os.close(writer)
    assert os.read(reader, 100).startswith(b"begun")
    try:
        time.sleep(1.5)
        assert here.poll() is None, "it is waited for as long as somebody is there"
        os.close(reader)
        assert here.wait(30) == 0
    finally:
        here.kill()
        here.wait()
    assert told.read_text() == "-1"


@pytest.mark.parametrize("kind", ["file", "terminal", "device"])
def test_what_is_no_pipe_is_not_looked_at(tmp_path: Path, kind: str) -> None:
    told = tmp_path / "code"
    if kind == "file":
        output = os.open(tmp_path / "output", os.O_WRONLY | os.O_CREAT)
    elif kind == "terminal":
        leader, output = os.openpty()
    else:
        output = os.open(os.devnull, os.O_WRONLY)
    with alone(output, "exec >&-; sleep 1.5; exit 4", told) as here:
        assert here.wait(60) == 0
    assert told.read_text() == "4"
    os.close(output)
    if kind == "terminal":
        os.close(leader)


# -- a process that belongs to nobody


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_detached_process_belongs_to_no_session_and_no_terminal(tmp_path: Path) -> None:
    def act() -> None:
        facts = {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "session": os.getsid(0),
            "hangup": signal.getsignal(signal.SIGHUP) is signal.SIG_IGN,
            "files": [os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)],
        }
        (tmp_path / "new").write_text(json.dumps(facts))
        (tmp_path / "new").rename(tmp_path / "facts")
        wait_for((tmp_path / "go").exists)
        (tmp_path / "done").touch()

    detach(act)
    wait_for((tmp_path / "facts").exists)
    assert not (tmp_path / "done").exists(), "nobody waits for it"
    facts = json.loads((tmp_path / "facts").read_text())
    assert facts["pid"] != os.getpid()
    assert facts["session"] not in (os.getsid(0), facts["pid"]), "it can never get a terminal again"
    assert facts["hangup"]
    assert facts["files"] == [os.devnull] * 3
    wait_for(lambda: parent(facts["pid"]) != os.getpid())
    (tmp_path / "go").touch()
    wait_for((tmp_path / "done").exists)


def test_a_detached_process_that_breaks_does_not_come_back_into_the_session(tmp_path: Path) -> None:
    def act() -> None:
        (tmp_path / "ran").touch()
        raise ZeroDivisionError

    before = os.getpid()
    detach(act)
    assert os.getpid() == before
    wait_for((tmp_path / "ran").exists)


def parent(pid: int) -> int:
    """The parent of a process, from proc(5)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
