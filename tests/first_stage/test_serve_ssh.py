"""The SSH service with the real dropbear and the real OpenSSH client, in a network namespace of its own."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from first_stage.stage import SYSROOT, Stage, eventually, make_stage, need_root

from chainboot.architecture import X86_64
from chainboot.image.build import build_image
from chainboot.image.cpio import File
from chainboot.image.spec import ExecutableSpec, ImageSpec
from chainboot.image.sysroot import Sysroot
from chainboot.process import run

STATE = "/run/chainboot/ssh/state"
KEYS = "/root/.ssh/authorized_keys"
HOST_KEY = "/run/chainboot/ssh/host_key"
FINGERPRINT = "/run/chainboot/ssh/fingerprint"

# What prepare-ssh does when it works: the keys of the image, a host key of its own, once.
PREPARES = f"""
mkdir -p /root/.ssh && cp /etc/chainboot/authorized_keys {KEYS} && chmod 600 {KEYS}
[ -s {HOST_KEY} ] || dropbearkey -t ed25519 -f {HOST_KEY} >/dev/null 2>&1
echo prepared >>/tmp/prepared
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running service. `process` is one of its network namespace."""

    stage: Stage
    process: int
    key: Path

    def state(self, wanted: str, seconds: float = 20) -> bool:
        return eventually(lambda: self.stage.read(STATE).strip() == wanted, seconds)

    def ssh(self, *words: str, port: int = 22) -> subprocess.CompletedProcess[str]:
        options = ["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
        options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=10"]
        command = [*self.enter(), "ssh", *options, "-i", str(self.key), "-p", str(port), "root@127.0.0.1", *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
        )

    def children(self) -> list[int]:
        """The processes of dropbear's connections, by their numbers out here."""
        return [
            int(child) for child in Path(f"/proc/{self.dropbear()}/task/{self.dropbear()}/children").read_text().split()
        ]

    def dropbear(self) -> int:
        """The main process's number out here."""
        inside = self.stage.read("/run/chainboot/ssh/pid").strip()
        for path in Path("/proc").glob("[0-9]*/status"):
            try:
                text = path.read_text()
            except OSError:
                continue
            if "Name:\tdropbear\n" in text and f"\t{inside}\n" in text.partition("NSpid:")[2].partition("\n")[0] + "\n":
                return int(path.parent.name)
        raise AssertionError("dropbear does not run")

    def enter(self) -> list[str]:
        """What a command begins with to run in the server's network."""
        return ["nsenter", f"--net=/proc/{self.process}/ns/net"]


def stage_with_dropbear(root: Path) -> Stage:
    need_root()
    if not (SYSROOT / "usr/sbin/dropbear").exists():
        pytest.skip("no dropbear below build/ (make image fetches it)")
    if any(shutil.which(name) is None for name in ("ssh", "ssh-keygen", "nsenter", "ip")):
        pytest.skip("openssh-client, util-linux or iproute2 is not installed")
    stage = make_stage(root)
    programs = tuple(ExecutableSpec("test", path, None) for path in ("/usr/sbin/dropbear", "/usr/bin/dropbearkey"))
    spec = ImageSpec("test", X86_64, executables=programs)
    for entry in build_image(spec, root, Sysroot.open(SYSROOT), {}, run, lambda _: None).entries:
        if isinstance(entry.node, File):
            file = root / entry.path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(entry.node.data)
            file.chmod(0o755)
    stage.write("/etc/passwd", "root:*:0:0:root:/root:/bin/sh\n")
    stage.write("/etc/group", "root:x:0:\ntty:x:5:\n")
    stage.write("/etc/shells", "/bin/sh\n")
    (root / "root").chmod(0o700)
    return stage


def authorize(stage: Stage, key: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text()
    stage.write("/etc/chainboot/authorized_keys", f'command="/usr/sbin/ssh-session admin 1" {public}', 0o600)


@contextmanager
def serving(stage: Stage, key: Path, chainboot: str) -> Iterator[Server]:
    """The service, `chainboot` being the script of that name: it is asked for prepare-ssh and login."""
    stage.script("chainboot", f'case $1 in login) : >$CHAINBOOT_ALIVE; echo "$*"; exit 7 ;; esac\n{chainboot}')
    with stage.service("busybox ip link set lo up; while :; do serve-ssh; sleep 1; done"):

        def found() -> list[int]:
            return [process for process in _processes() if _root_of(process) == stage.root]

        assert eventually(lambda: bool(found()))
        yield Server(stage, min(found()), key)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _root_of(process: int) -> Path | None:
    try:
        return Path(f"/proc/{process}/root").readlink()
    except OSError:
        return None


def test_a_login_and_a_server_that_was_killed(tmp_path: Path) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    stage.settings(command_line="chainboot.ssh_port=2222")
    with serving(stage, tmp_path / "key", PREPARES) as server:
        assert server.state("on")
        answer = server.ssh("list", port=2222)
        assert (answer.returncode, answer.stdout, answer.stderr) == (7, "login --role admin --key 1\n", "")
        public = subprocess.run(
            [*server.enter(), "ssh-keyscan", "-p", "2222", "127.0.0.1"], capture_output=True, text=True, check=True
        ).stdout.split()
        (tmp_path / "host.pub").write_text(f"{public[1]} {public[2]}\n")
        shown = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(tmp_path / "host.pub")], capture_output=True, text=True, check=True
        ).stdout.split()
        assert stage.read(FINGERPRINT) == f"ED25519 {shown[1]}\n"
        assert stage.log() == f"ssh: port 2222, host key ED25519 {shown[1]}\n"
        assert stage.read("/run/chainboot/ssh/port") == "2222\n"
        before = server.dropbear()
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda: server.ssh("list", port=2222).returncode == 7)
        assert server.dropbear() != before
        # With the same key, and without Python.
        assert stage.read(FINGERPRINT) == f"ED25519 {shown[1]}\n"
        assert stage.read("/tmp/prepared") == "prepared\n"


def test_nobody_is_let_in_otherwise(tmp_path: Path) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    with serving(stage, tmp_path / "key", PREPARES) as server:
        assert server.state("on")
        stranger = Server(stage, server.process, tmp_path / "other").ssh("list")
        assert stranger.returncode == 255
        assert stranger.stderr == "root@127.0.0.1: Permission denied (publickey).\n"
        # No forwarding: the connection is asked for, and refused.
        forwarded = server.ssh("-o", "ExitOnForwardFailure=yes", "-R", "8000:127.0.0.1:9", "list")
        assert forwarded.returncode == 255


@pytest.mark.parametrize("chainboot", ["echo ImportError: no lark >&2; exit 1", "exit 0"])
def test_without_python_the_keys_of_the_image_count(tmp_path: Path, chainboot: str) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    with serving(stage, tmp_path / "key", chainboot) as server:
        assert server.state("on")
        assert server.ssh("list").returncode == 7
        said = stage.read("/run/chainboot/ssh/problems")
        assert said.startswith("only the keys of the image are used, for chainboot prepare-ssh does not work: ")
        assert said.endswith("; the host key is of this boot only\n")
        for path, mode in ((KEYS, 0o600), ("/root/.ssh", 0o700), (HOST_KEY, 0o600), ("/run/chainboot/ssh", 0o700)):
            assert (stage.root / path.lstrip("/")).stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(("settings", "asked"), [("", ""), ("ssh_volume_keys=1\n", "asked\n")])
def test_the_host_key_of_the_image_counts_without_python(tmp_path: Path, settings: str, asked: str) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    stage.settings(file=settings)
    stage.run("/usr/bin/dropbearkey", "-t", "ed25519", "-f", "/etc/chainboot/host_key")
    with serving(stage, tmp_path / "key", "echo asked >>/tmp/asked; exit 1") as server:
        assert server.state("on")
        assert server.ssh("list").returncode == 7
        own, image = (stage.root / path for path in ("run/chainboot/ssh/host_key", "etc/chainboot/host_key"))
        assert own.read_bytes() == image.read_bytes()
        assert own.stat().st_mode & 0o777 == 0o600
        assert "this boot only" not in stage.read("/run/chainboot/ssh/problems")
        # Where the image decides alone, nobody is asked.
        assert stage.read("/tmp/asked") == asked


def test_a_host_key_of_the_image_that_is_none_is_made_anew(tmp_path: Path) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    stage.write("/etc/chainboot/host_key", "not a key")
    with serving(stage, tmp_path / "key", "exit 1") as server:
        assert server.state("on")
        assert server.ssh("list").returncode == 7


@pytest.mark.parametrize(
    ("settings", "chainboot", "reason"),
    [
        (
            "",
            "exit 0",
            "no key is authorised: the image has none, and none are taken from the boot volume",
        ),
        ("ssh_volume_keys=1\n", "exit 3", "no key is authorised"),
        ("ssh_volume_keys=1\n", "echo no key on /dev/vda >&2; exit 3", "no key on /dev/vda"),
        ("ssh_volume_keys=1\n", "exit 1", "the keys of the boot volume cannot be read: it ended with exit code 1"),
    ],
)
def test_without_a_key_nothing_is_served(tmp_path: Path, settings: str, chainboot: str, reason: str) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    stage.settings(file=settings)
    with serving(stage, tmp_path / "key", chainboot) as server:
        assert server.state(f"off: {reason}")
        # The state comes first, the line right after it.
        assert eventually(lambda: stage.log().endswith(f"ssh: off: {reason}\n"))
        assert stage.read("/run/chainboot/ssh/pid") == ""


def test_not_again_while_the_machine_leaves(tmp_path: Path) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    with serving(stage, tmp_path / "key", PREPARES) as server:
        assert server.state("on")
        (stage.root / "run/chainboot/leaving").touch()
        os.kill(server.dropbear(), signal.SIGTERM)
        assert server.state("starting")
        assert not server.state("on", seconds=4)
        (stage.root / "run/chainboot/leaving").unlink()
        assert server.state("on")


def test_a_machine_that_does_not_leave_after_all_is_served_again(tmp_path: Path) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    stage.change("/usr/lib/chainboot/functions.sh", "\nLEAVING_LIMIT=120\n", "\nLEAVING_LIMIT=5\n")
    with serving(stage, tmp_path / "key", PREPARES) as server:
        assert server.state("on")
        stage.write("/run/chainboot/leaving", f"boots one\n@{int(time.clock_gettime(time.CLOCK_BOOTTIME))}\n")
        os.kill(server.dropbear(), signal.SIGTERM)
        assert server.state("starting")
        assert not server.state("on", seconds=3)
        assert server.state("on")
        assert "the machine did not leave within 5 s; SSH is served again\n" in stage.log()
        assert not (stage.root / "run/chainboot/leaving").exists()


@pytest.mark.parametrize(
    ("hangs", "told"),
    [("trap 'echo told >/tmp/told; exit 0' TERM; while :; do sleep 0.1; done", "told\n"), ("trap : TERM", "")],
)
def test_a_volume_that_does_not_answer_is_done_without(tmp_path: Path, hangs: str, told: str) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    stage.change("/usr/sbin/serve-ssh", "\nPATIENCE=60\n", "\nPATIENCE=1\n")
    with serving(stage, tmp_path / "key", f"{hangs}; while :; do sleep 0.1; done") as server:
        assert server.state("on")
        assert stage.read("/tmp/told") == told
        assert "chainboot prepare-ssh does not work: it took more than 1 s" in stage.log()
        assert not any(b"prepare-ssh" in _command(each) for each in _processes() if _root_of(each) == stage.root)
        assert server.ssh("list").returncode == 7


def test_a_service_that_died_takes_over(tmp_path: Path) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    with serving(stage, tmp_path / "key", PREPARES) as server:
        assert server.state("on")
        before = server.dropbear()
        # It says so after it has set the state: killed in between it would say it once only.
        assert eventually(lambda: stage.log().count("ssh: port 22") == 1)
        ours = [process for process in _processes() if _root_of(process) == stage.root]
        shell = next(process for process in ours if b"/usr/sbin/serve-ssh" in _command(process))
        os.kill(shell, signal.SIGKILL)
        assert eventually(lambda: stage.log().count("ssh: port 22") == 2)
        assert server.dropbear() != before
        assert server.ssh("list").returncode == 7


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def test_connections_that_say_nothing_are_ended_and_others_are_not(tmp_path: Path) -> None:
    stage = stage_with_dropbear(tmp_path / "stage")
    authorize(stage, tmp_path / "key")
    # Every second instead of every fifteenth.
    stage.change("/usr/sbin/serve-ssh", "\nSILENCE=15\n", "\nSILENCE=1\n")
    with serving(stage, tmp_path / "key", PREPARES) as server:
        assert server.state("on")
        stage.script("chainboot", ": >$CHAINBOOT_ALIVE; exec sleep 60")
        options = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-N"]
        command = [*server.enter(), "ssh", *options, "-i", str(tmp_path / "key"), "root@127.0.0.1"]
        # -N: logged in, and nothing runs in it.
        idle = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        silent: list[socket.socket] = []
        try:
            assert eventually(lambda: "Pubkey auth succeeded" in stage.read("/dev/kmsg"))
            logged_in = server.children()
            assert len(logged_in) == 1
            silent += _connections(server, 3)
            assert eventually(lambda: len(server.children()) == 4)
            # One of them may be a person who compares the host key.
            few = server.children()
            assert not eventually(lambda: server.children() != few, seconds=4)
            silent += _connections(server, 2)
            # The oldest make room.
            assert eventually(lambda: len(server.children()) == 6)
            newest = server.children()[-3:]
            assert eventually(lambda: server.children() == logged_in + newest, seconds=10)
            assert not eventually(lambda: server.children() != logged_in + newest, seconds=3)
            assert idle.poll() is None
        finally:
            for one in silent:
                one.close()
            idle.kill()
            idle.wait()


def _connections(server: Server, count: int) -> list[socket.socket]:
    """Connections made in the server's namespace, which this thread enters for the moment (setns(2))."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{server.process}/ns/net", os.O_RDONLY)
    try:
        _enter_namespace(there)
        return [socket.create_connection(("127.0.0.1", 22), timeout=5) for _ in range(count)]
    finally:
        _enter_namespace(here)
        os.close(here)
        os.close(there)


def _enter_namespace(descriptor: int) -> None:
    clone_newnet = 0x40000000
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, clone_newnet) != 0:
        raise OSError(ctypes.get_errno(), "setns")
