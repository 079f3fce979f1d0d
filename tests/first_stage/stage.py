"""A directory that looks like the first stage to its shell scripts: busybox, the scripts, a command line, a log.

The scripts run in it with chroot(8), in namespaces of their own, so that what they do to processes, mounts and the
network stays there. Where that is not allowed, or no busybox is to be found, the tests are skipped and say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "python" / "first-stage"
SYSROOT = REPOSITORY / "build" / "sysroot-x86_64"

_PLACES = {
    "network": "usr/sbin",
    "lease": "usr/sbin",
    "serve-console": "usr/sbin",
    "serve-ssh": "usr/sbin",
    "ssh-session": "usr/sbin",
    "functions.sh": "usr/lib/chainboot",
    "addresses.sh": "usr/lib/chainboot",
    "ip.awk": "usr/lib/chainboot",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """The directory. `run` is for what ends by itself, `service` for what does not."""

    root: Path

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file, with its parents."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def script(self, name: str, text: str) -> None:
        """A program in /usr/sbin that is not there or not wanted: `text` without its first line."""
        self.write(f"/usr/sbin/{name}", f"#!/bin/busybox sh\n{text}\n", 0o755)

    def change(self, path: str, old: str, new: str) -> None:
        """Another text in a file of the stage, such as a shorter time in a script. `old` has to be there, once."""
        file = self.root / path.lstrip("/")
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))

    def settings(self, *, command_line: str = "", file: str | None = None) -> None:
        """What the settings are read from."""
        self.write("/proc/cmdline", f"{command_line}\n")
        if file is not None:
            self.write("/etc/chainboot.conf", file)

    def run(
        self, *argv: str, stdin: str = "", environment: dict[str, str] | None = None, seconds: float = 60
    ) -> tuple[int, str, str]:
        """Exit code, output, errors of a program in the stage, which has no mounts and no network of its own.

        What has not ended after `seconds` is killed with all that it started. Raises `subprocess.TimeoutExpired`.
        """
        done = subprocess.run(
            [*_namespaces("--pid", "--fork", "--kill-child"), "chroot", str(self.root), *argv],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})},
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def log(self) -> str:
        """The lines of the kernel log that begin as ours do, without their level."""
        lines = (self.root / "dev" / "kmsg").read_text().splitlines()
        return "".join(
            f"{line.removeprefix('<5>chainboot: ')}\n" for line in lines if line.startswith("<5>chainboot: ")
        )

    def read(self, path: str) -> str:
        """The text of a file, empty if there is none."""
        try:
            return (self.root / path.lstrip("/")).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    @contextmanager
    def service(self, script: str, console: str = "/dev/null") -> Iterator[None]:
        """Runs `script`, a shell's, as root in a network of its own with /proc and /sys, until the block is left.

        `console` is a terminal out here, /dev/ttyS0 in there.
        """
        outer = "\n".join(
            (
                "set -e",
                f"mount -t proc proc {self.root}/proc && mount -t sysfs sysfs {self.root}/sys",
                f"mount --bind {self.root}/cmdline {self.root}/proc/cmdline",
                f"mount -t tmpfs tmpfs {self.root}/dev/pts",
                f"mount --bind {console} {self.root}/dev/ttyS0",
                f"exec chroot {self.root} /bin/sh -c '{script}'",
            )
        )
        # Mounts over proc would be on the outside of it otherwise.
        shutil.move(self.root / "proc" / "cmdline", self.root / "cmdline")
        running = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", outer],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"]},
        )
        try:
            yield
        finally:
            running.kill()
            running.wait()


def make_stage(root: Path) -> Stage:
    """A stage below `root` with every script of the first stage; skips the test where there is no busybox."""
    busybox = next((path for path in (SYSROOT / "bin" / "busybox", shutil.which("busybox")) if _exists(path)), None)
    if busybox is None:
        pytest.skip("no busybox: neither below build/ (make image fetches it) nor installed")
    for directory in ("bin", "usr/sbin", "proc", "sys", "dev/pts", "etc/chainboot", "root", "tmp", "run/chainboot/ssh"):
        (root / directory).mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for applet in set(listed.split()) - {"busybox"}:
        (root / "bin" / applet).symlink_to("busybox")
    for name, place in _PLACES.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(SCRIPTS / name, root / place / name)
    for name in ("null", "kmsg", "ttyS0"):
        (root / "dev" / name).touch()
    stage = Stage(root)
    stage.settings()
    if subprocess.run([*_namespaces("--pid", "--fork"), "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may make neither a chroot nor a user namespace (unshare)")
    return stage


def need_root() -> None:
    """Skips what needs interfaces and mounts, which a user namespace alone does not give everywhere."""
    probe = [
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "sh",
        "-c",
        "mount -t tmpfs tmpfs /mnt && ip link add type veth",
    ]
    if os.geteuid() != 0 or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may make the interfaces and mounts of this test, and only where that is allowed")


def eventually(true: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether something becomes true within this time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return true()


def _exists(path: Path | str | None) -> bool:
    return path is not None and Path(path).is_file()


def _namespaces(*more: str) -> list[str]:
    return ["unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), *more]
