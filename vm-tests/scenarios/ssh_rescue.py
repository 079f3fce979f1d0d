"""An administrator repairs: a shell over SSH, and the system of a generation from inside; afterwards it boots."""

import re

from chainboot.boot.enter import ENTERED, LEFT
from chainboot.session.console import SHELL, SHELL_LEFT
from chainboot_vm import sample
from chainboot_vm.contents import Executable, Symlink, SysrootFile
from chainboot_vm.disks import Disk
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import payload_is_up, session_is_dismissed, session_shows

_GENERATION = sample.GENERATIONS[2]
_TOPLEVEL = _GENERATION.command_line().split()[0].removeprefix("init=/").removesuffix("/init")
_NIXOS = sample.disk(timeout=0)
DISKS = (
    Disk(
        "repaired",
        {
            **_NIXOS.files,
            "bin/busybox": Executable(SysrootFile("bin/busybox")),
            "bin/sh": Symlink("busybox"),
            # What NixOS has there is bash, for which this stands.
            f"{_TOPLEVEL}/sw/bin/bash": Executable("#!/bin/sh\nexec /bin/sh -i\n"),
        },
    ),
)
NETWORKS = (Network(),)
SETTINGS = {"network_wait": 60}

INDEX = str(sample.NUMBER_OF_GENERATION_3)
LABEL = "nixos-3-default"


def run(machine: Networked) -> None:
    machine.start()
    admin = machine.ssh("admin")
    admin.wait_for_ssh()

    with machine.subtest("a shell, and the menu again"):
        session = admin.open()
        session_shows(session)
        session.send("s")
        session.wait_for(re.escape(SHELL))
        # What is typed is echoed, so the text that is waited for is not in it.
        session.send("echo answer: $((6 * 7)), loaded: $(cat /sys/kernel/kexec_loaded)\n")
        session.wait_for("answer: 42, loaded: 0")
        session.send("exit\n")
        # The menu that was there before the shell still stands above it.
        session.wait_until_gone("answer: 42")
        session_shows(session)
        assert SHELL_LEFT in "\n".join(session.lines()), session.lines()

    with machine.subtest("inside of a generation; nobody boots meanwhile"):
        inside = admin.open("chroot", INDEX)
        inside.wait_for(rf"{re.escape(ENTERED)} {LABEL}")
        inside.send("/bin/busybox touch /var/repaired; echo wrote $((6 * 7)) as $(/bin/busybox id -u)\n")
        inside.wait_for("wrote 42 as 0")
        refused = admin.run("boot", INDEX)
        assert refused.code == 1, f"exit code {refused.code}: {refused.stderr}"
        assert f"anna@admin from 10.0.2.2 is inside the system of {LABEL}" in refused.stderr, refused.stderr
        inside.send("exit\n")
        assert inside.wait_for_exit() == 0
        assert LEFT in "\n".join(inside.lines()), inside.lines()

    with machine.subtest("one command, whose exit code arrives; everything is unmounted"):
        done = admin.run("chroot", INDEX, "--", "/bin/sh", "-c", "'/bin/busybox ls /var; exit 7'")
        assert done.code == 7, f"exit code {done.code}: {done.stderr}"
        assert "repaired" in done.stdout.splitlines(), done.stdout
        mounts = admin.run("shell", input="grep ' /run/chainboot/' /proc/self/mounts\nexit\n").stdout
        found = re.findall(r"(/run/chainboot/\S+) \S+ (\S+)", mounts)
        assert [place for place, _ in found] == ["/run/chainboot/volumes/vda"], mounts
        assert found[0][1].startswith("ro,"), mounts

    with machine.subtest("it boots"):
        booted = admin.open("boot", INDEX)
        session_is_dismissed(booted, LABEL)
        session_is_dismissed(session, LABEL, by="anna@admin")
        payload_is_up(machine, "3", _GENERATION.command_line())
