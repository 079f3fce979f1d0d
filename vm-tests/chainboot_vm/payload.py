"""The system that is booted in place of a NixOS: an initrd that says which one it is and what it was told.

It does about the firmware of an IBM Z what a system does that has our rule for systemd-tmpfiles. Knows the lines it
prints, which scenarios wait for; `base` and `mark` are archives for the kernel to unpack one over
the other. Each is uncompressed, as archives may be joined only then without a thought for where one ends. `system` is
a payload that has chainboot, as a system has where it is installed; it takes longer to start.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from chainboot.boot.initrd import padding
from chainboot.errors import ChainbootError
from chainboot.image import cpio
from chainboot.image.elf import read_linkage
from chainboot.image.python_library import PythonLibrary
from chainboot.image.spec import ImageSpec
from chainboot.install.panic import RULE
from chainboot_vm import first_stage
from chainboot_vm.artifacts import REPOSITORY
from chainboot_vm.sysroot import Sysroot

GENERATION = "payload: generation "
COMMAND_LINE = "payload: command line: "
UP = "payload: up"
AGAIN = "payload: press Enter to reset the machine and see the menu again"

# Of a payload that has chainboot: what it says once /behaviour is done, and after each command.
COMMANDS = "payload: each line is a command; press Enter alone to reset the machine"
EXIT_CODE = "payload: exit code "

# Typed instead of Enter alone, it makes the kernel panic.
PANIC = "panic"

_MARK_FILE = "generation"
_BEHAVIOUR_FILE = "behaviour"

# What a payload that has chainboot lies over, without what it has no use for: it is unpacked at each start.
IMAGE = first_stage.Variant(
    "system",
    without=(
        *("/drivers/net/", "/drivers/scsi/", "/fs/btrfs/", "/fs/xfs/", "/lib/zstd/", "/lib/raid6/"),
        *("/bin/btrfs", "/xfs_repair", "/dropbear", "/libtomcrypt"),
    ),
)
SYSTEM_INIT = REPOSITORY / "vm-tests" / "payload" / "system-init"

# What the first stage's image leaves out of the package and a running system has; these two have nothing to do here.
_NOT_NEEDED = ("chainboot.image", "chainboot.install")

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
[ -r /{_BEHAVIOUR_FILE} ] && . /{_BEHAVIOUR_FILE}
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


def system(sysroot: Sysroot, image: Path) -> bytes:
    """`IMAGE`, which is the file `image`, as a system: another /init, and the modules that the image leaves out."""
    data = image.read_bytes()
    spec = ImageSpec.from_json(first_stage.SPEC.read_text(), first_stage.SPEC.name, sysroot.architecture.name)
    assert spec.python is not None
    interpreter = sysroot.open().the_file(spec.python.interpreter, "the payload")
    library = PythonLibrary.of(interpreter, sysroot.open(), {}, "the payload")
    nodes: dict[str, cpio.Node] = {"/init": cpio.File(0o755, SYSTEM_INIT.read_bytes())}
    for name in spec.python.exclude:
        if name.startswith("chainboot.") and name not in _NOT_NEEDED:
            path = f"{name.replace('.', '/')}.py"
            target = PurePosixPath(library.directory, path)
            nodes[str(target)] = cpio.File(0o644, (first_stage.LIBRARY.parent / path).read_bytes())
            nodes |= {str(parent): cpio.Directory(0o755) for parent in target.parents[:-1]}
    return data + padding(len(data)) + _archive(*nodes.items())


def mark(generation: str, behaviour: str = "") -> bytes:
    """The file by which /init knows its generation, and what that does by itself, as commands of a POSIX shell."""
    nodes: list[tuple[str, cpio.Node]] = [(f"/{_MARK_FILE}", cpio.File(0o644, f"{generation}\n".encode()))]
    if behaviour:
        nodes.append((f"/{_BEHAVIOUR_FILE}", cpio.File(0o644, f"{behaviour}\n".encode())))
    return _archive(*nodes)


def _archive(*nodes: tuple[str, cpio.Node]) -> bytes:
    return b"".join(cpio.pack(nodes))
