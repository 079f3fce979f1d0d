"""The command line of the SSH client, and calling a server that is a stand-in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chainboot.process import run
from chainboot_vm.access import HOST
from chainboot_vm.machine import MachineError, QemuMachine
from chainboot_vm.ssh import Client, Target


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[QemuMachine]:
    with QemuMachine([], log=tmp_path / "log") as machine:
        yield machine


@pytest.fixture
def server() -> Iterator[Callable[[bytes], int]]:
    """Listens on a port that it returns, and says the same to everybody before it hangs up."""
    opened: list[socket.socket] = []

    def serve(says: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(says)

        threading.Thread(target=answer, daemon=True).start()
        return int(listener.getsockname()[1])

    yield serve
    for listener in opened:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def client(port: int, journal: QemuMachine) -> Client:
    return Client("anna", Target(None, Path("/nowhere/known_hosts")), lambda: port, journal)


def options(target: Target, client: str = "ssh") -> list[str]:
    argv = target.argv(2222, client)
    assert argv[1:3] == ("-F", "none")
    assert argv[3::2] == ("-o",) * len(argv[4::2])
    return list(argv[4::2])


def test_nothing_of_this_user_is_used() -> None:
    found = options(Target(Path("/a b/50%/key"), Path("/a b/hosts"), options=("BatchMode=no",)))
    assert found[0] == "BatchMode=no"  # ssh_config(5): the first value wins
    for option in (
        "Hostname=127.0.0.1",
        "Port=2222",
        "User=root",
        'IdentityFile="/a b/50%%/key"',
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        'UserKnownHostsFile="/a b/hosts"',
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
    ):
        assert option in found


def test_a_host_key_that_is_not_known_yet() -> None:
    assert "StrictHostKeyChecking=accept-new" in options(Target(None, Path("hosts"), pinned=False))
    assert "IdentityFile=none" in options(Target(None, Path("hosts")), "sftp")


def test_the_options_are_ones_that_ssh_takes() -> None:
    """`ssh -G` prints what it would use, and calls nobody."""
    target = Target(Path("/a b/50%/key"), Path("/a b/hosts"))
    done = run((*target.argv(2222), "-G", "--", HOST), check=True, timeout=20)
    used = set(done.stdout.splitlines())
    assert {"port 2222", "hostkeyalias first-stage", "userknownhostsfile /a b/hosts", "batchmode yes"} <= used
    assert "passwordauthentication no" not in used  # so that a scenario can see the server refuse it


def test_words_are_never_options_of_the_client(journal: QemuMachine, server: Callable[[bytes], int]) -> None:
    done = client(server(b""), journal).run("-G", timeout=20)
    assert done.code == 255
    assert done.stdout == ""


def test_a_banner(journal: QemuMachine, server: Callable[[bytes], int]) -> None:
    one = client(server(b"SSH-2.0-stand_in\r\n"), journal)
    seconds = one.banner_seconds()
    assert seconds is not None and 0 < seconds < 2
    assert one.wait_for_ssh(timeout=5) >= 0


@pytest.mark.parametrize("says", [b"", b"HTTP/1.0 400 Bad Request\r\n", b"SSH-1.5-old\n"])
def test_no_banner(says: bytes, journal: QemuMachine, server: Callable[[bytes], int]) -> None:
    one = client(server(says), journal)
    assert one.banner_seconds() is None
    with pytest.raises(MachineError, match=r"no SSH server answered within 0.1 s"):
        one.wait_for_ssh(timeout=0.1)


def test_nobody_listens(journal: QemuMachine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    assert client(port, journal).banner_seconds() is None


def test_what_a_client_leaves_behind(journal: QemuMachine, server: Callable[[bytes], int], tmp_path: Path) -> None:
    done = client(server(b"SSH-2.0-stand_in\r\n"), journal).run("list", "--json", timeout=20)
    assert done.code == 255
    assert done.stdout == ""
    assert "127.0.0.1" in done.stderr
    log = (tmp_path / "log").read_text()
    assert "anna: ssh list --json\n" in log
    assert "anna stderr: " in log
    assert "exit code 255 after" in log


def test_a_client_that_does_not_return_is_killed(journal: QemuMachine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = client(int(listener.getsockname()[1]), journal)
        with pytest.raises(MachineError, match=r"^anna: ssh status had not returned after 0.5 s. It said: nothing"):
            silent.run("status", timeout=0.5)
