"""The system that is booted in place of a NixOS: an initrd that says which one it is and what it was told.

It does about the firmware of an IBM Z what a system does that has our rule for systemd-tmpfiles. Knows the lines it
prints, which scenarios wait for; `base` and `mark` are archives for the kernel to unpack one over
the other. Each is uncompressed, as archives may be joined only then without a thought for where one ends.
"""

from __future__ import annotations

from chainboot.errors import ChainbootError
from chainboot.image import cpio
from chainboot.image.elf import read_linkage
from chainboot.install.panic import RULE
from chainboot_vm.sysroot import Sysroot

GENERATION = "payload: generation "
COMMAND_LINE = "payload: command line: "
UP = "payload: up"
AGAIN = "payload: press Enter to reset the machine and see the menu again"

# Typed instead of Enter alone, it makes the kernel panic.
PANIC = "panic"

_MARK_FILE = "generation"

_INIT = f"""\
#!/bin/busybox sh
# Whole lines only: a console is read line by line.
/bin/busybox mkdir -p /proc
/bin/busybox mount -t proc proc /proc
/bin/busybox mkdir -p /sys
/bin/busybox mount -t sysfs sysfs /sys
# {RULE}
on_panic=/sys/firmware/shutdown_actions/on_panic
[ -e $on_panic ] && echo reipl >$on_panic
# QEMU's TCG (7.2) knows no other way to load a system again.
[ -e /sys/firmware/reipl/ccw/clear ] && echo 1 >/sys/firmware/reipl/ccw/clear
generation='unknown: the initrd has no /{_MARK_FILE}'
[ -r /{_MARK_FILE} ] && read -r generation </{_MARK_FILE}
read -r command_line </proc/cmdline
/bin/busybox printf '\\n{GENERATION}%s\\n' "$generation"
/bin/busybox printf '{COMMAND_LINE}%s\\n' "$command_line"
echo '{UP}'
echo '{AGAIN}'
read -r wish
[ "$wish" = {PANIC} ] && echo c >/proc/sysrq-trigger
/bin/busybox reboot -f
# PID 1 must not end, or the kernel panics before the machine has reset.
while :; do /bin/busybox sleep 1; done
"""


def base(sysroot: Sysroot) -> bytes:
    """busybox and /init. Raises `ChainbootError` when busybox is not static: no library is put beside it."""
    busybox = sysroot.read("bin/busybox")
    if read_linkage(busybox, "bin/busybox").interpreter is not None:
        raise ChainbootError(f"bin/busybox of the sysroot {sysroot.root} is not statically linked")
    return _archive(
        ("/bin", cpio.Directory(0o755)),
        ("/bin/busybox", cpio.File(0o755, busybox)),
        ("/init", cpio.File(0o755, _INIT.encode())),
    )


def mark(generation: str) -> bytes:
    """The file by which /init knows its generation."""
    return _archive((f"/{_MARK_FILE}", cpio.File(0o644, f"{generation}\n".encode())))


def _archive(*nodes: tuple[str, cpio.Node]) -> bytes:
    return b"".join(cpio.pack(nodes))
