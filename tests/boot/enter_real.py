"""Enters a real ext4 file system on a loop device, with busybox for every command: run as root below `unshare -m`.

    python enter_real.py DIRECTORY BUSYBOX

Exits with 0 where everything was as it should be, else with a traceback.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chainboot.boot.discovery import mount_arguments
from chainboot.boot.enter import System, enter
from chainboot.boot.enter_plan import make_plan
from chainboot.boot.fstab import Device
from chainboot.boot.root import Mount, Root
from chainboot.boot.volume import Volume
from chainboot.errors import RefusedError
from chainboot.process import interact, run

INSIDE = """
set -e
echo changed >/etc/new
test -c /dev/null
test -d /proc/self
test -d /sys/class
touch /run/mine
mount -t tmpfs mine /boot
sleep 1000 &
exit 5
"""


def image(base: Path, busybox: str, name: str, *, hostile: bool) -> str:
    """A loop device with a small system on it."""
    source = base / f"{name}.d"
    for directory in ("bin", "etc", "boot", "sys", "dev", "run"):
        (source / directory).mkdir(parents=True)
    if hostile:
        (source / "proc").symlink_to("/../../../../../../../../etc")
    else:
        (source / "proc").mkdir()
    (source / "bin/busybox").write_bytes(Path(busybox).read_bytes())
    (source / "bin/busybox").chmod(0o755)
    for applet in ("sh", "sleep", "mount", "touch", "test"):
        (source / "bin" / applet).symlink_to("busybox")
    run(["mke2fs", "-q", "-t", "ext4", "-d", str(source), str(base / name), "16M"], check=True)
    return run(["losetup", "-f", "--show", str(base / name)], check=True).stdout.strip()


def below(path: Path) -> list[str]:
    return [each.path for each in System().mounts() if f"{each.path}/".startswith(f"{path}/")]


def visit(base: Path, device: str) -> int:
    """Look at the device as discovery does, and enter it."""
    view, target = base / "view", base / "target"
    view.mkdir(exist_ok=True)
    run(mount_arguments(device.removeprefix("/dev/"), "ext4", str(view)), check=True)
    volume = Volume(str(view), "disk", device, mounted=True)
    root = Root("x", (Mount(device, "ext4", "/"),), None, ("/bin/sh",), (("PATH", os.environ["PATH"]),))
    command = ("/bin/sh", "-c", INSIDE)
    plan = make_plan(root, [volume], [Device(device, "ext4")], loaded=False, command=command, target=str(target))

    def person(argv: Sequence[str], *, extra_env: dict[str, str] | None = None) -> int:
        code = interact(argv, extra_env=extra_env)
        assert (view / "etc/new").read_text() == "changed\n", "others see what changes"
        try:
            (view / "etc/other").write_text("")
        except OSError as error:
            assert error.strerror == "Read-only file system"
        else:
            raise AssertionError("the view of others could be written to")
        assert str(target / "boot") in below(target)
        assert len(System().inside(str(target))) == 1, "the sleep that the shell left behind"
        return code

    try:
        return enter(plan, run, person, print)
    finally:
        assert below(target) == [], "nothing stays mounted"
        assert System().inside(str(target)) == ()
        assert not System().writable(str(view)), "what was in view is again, read-only"
        number = f"{os.major(os.stat(view).st_dev)}:{os.minor(os.stat(view).st_dev)}"
        assert number in {each.number for each in System().mounts() if each.path == str(view)}
        run(["umount", str(view)], check=True)


def main(base: Path, busybox: str) -> None:
    devices = [image(base, busybox, "good", hostile=False), image(base, busybox, "bad", hostile=True)]
    try:
        applets = base / "applets"
        applets.mkdir()
        for applet in ("mount", "umount", "chroot", "mkdir", "ln"):
            (applets / applet).symlink_to(busybox)
        os.environ["PATH"] = f"{applets}:/bin"
        before = below(Path("/"))
        assert visit(base, devices[0]) == 5
        try:
            visit(base, devices[1])
        except RefusedError as error:
            assert "/proc is a symbolic link, not a directory" in error.message, error.message
        else:
            raise AssertionError("a hostile disk was entered")
        assert below(Path("/")) == before
    finally:
        for device in devices:
            subprocess.run(["/usr/sbin/losetup", "-d", device], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
