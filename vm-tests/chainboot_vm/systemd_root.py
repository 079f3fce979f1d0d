"""A system with Debian's systemd: packages unpacked over a payload that has chainboot, and the units of chainboot.

Knows which packages, which files of them, and how such a system is told what to do: words of its kernel command line.
Nothing of it is installed: no maintainer script runs, so what one would have made is written here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from chainboot.image import cpio
from chainboot.image.archive import Compression, write_archive
from chainboot.process import Runner, run
from chainboot_vm import payload
from chainboot_vm.apt import HOST_LISTS, Apt, digest
from chainboot_vm.architecture import Architecture
from chainboot_vm.artifacts import BUILD, REPOSITORY, key_of, key_of_files, once, program, remove_tree

PACKAGES = ("systemd", "udev")

UNITS = REPOSITORY / "python" / "systemd"
CHECKS = REPOSITORY / "python" / "health"

# Words of the kernel command line: which generation it is; it is to need a default route; a person has to confirm it.
# Each has `DEADLINE` seconds.
GENERATION = "test.generation"
NEEDS_ROUTE = "test.route"
NEEDS_PERSON = "test.person"
DEADLINE = 75

# A quick unpacking counts, not the size.
_LEVEL = 3

# Of no use here: documentation, translations, the hardware database, catalogues.
_LEFT_OUT = ("usr/share/", "usr/lib/udev/hwdb.d/", "usr/lib/systemd/catalog/", "/gconv/", "usr/sbin/ld", "var/")

_MERGED = ("bin", "sbin", "lib", "lib64")

_SAYS = f"""\
#!/bin/busybox sh
# As its initrd would have: this image has no list of modules that udev could read.
. /usr/lib/chainboot/functions.sh
load-modules
modprobe ext4
read -r command_line </proc/cmdline
generation=${{command_line##* {GENERATION}=}}
printf '\\n{payload.GENERATION}%s\\n' "${{generation%% *}}"
printf '{payload.COMMAND_LINE}%s\\n' "$command_line"
echo '{payload.UP}'
"""

_COMMANDS = f"""\
#!/bin/busybox sh
echo '{payload.COMMANDS}'
while read -r wish; do
	[ -n "$wish" ] || continue
	eval "$wish"
	echo "{payload.EXIT_CODE}$?: $wish"
done
"""

_SAYS_UNIT = """\
[Unit]
DefaultDependencies=no
Before=sysinit.target local-fs-pre.target systemd-udevd.service
Wants=local-fs-pre.target
[Service]
Type=oneshot
ExecStart=/bin/busybox sh /usr/lib/test/says
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin
StandardOutput=tty
TTYPath=/dev/console
"""

_COMMANDS_UNIT = """\
[Service]
ExecStart=/bin/busybox sh /usr/lib/test/commands
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin
StandardInput=tty-force
StandardOutput=tty
TTYPath=/dev/console
"""

# What udev's rules give devices to.
_GROUPS = ("root", "tty", "disk", "kmem", "dialout", "audio", "video", "render", "kvm", "input", "sgx", "cdrom", "tape",
           "lp", "utmp", "users", "adm", "systemd-journal", "nogroup")  # fmt: skip

_FILES = {
    "etc/fstab": "/dev/vda /boot ext4 rw 0 0\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/os-release": 'ID=test\nNAME=test\nPRETTY_NAME="a payload with systemd"\n',
    "etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "etc/group": "".join(f"{name}:x:{number}:\n" for number, name in enumerate(_GROUPS)),
    "usr/lib/test/says": _SAYS,
    "usr/lib/test/commands": _COMMANDS,
    "etc/systemd/system/test-says.service": _SAYS_UNIT,
    "etc/systemd/system/test-commands.service": _COMMANDS_UNIT,
    # What our units say belongs into the console's log.
    "etc/systemd/system/chainboot-.service.d/console.conf": (
        "[Service]\nStandardOutput=journal+console\nStandardError=journal+console\n"
    ),
    "etc/systemd/system/chainboot-bless.service.d/person.conf": f"[Unit]\nConditionKernelCommandLine=!{NEEDS_PERSON}\n",
    "etc/systemd/system/chainboot-deadline.timer.d/time.conf": f"[Timer]\nOnBootSec=\nOnBootSec={DEADLINE}s\n",
    "etc/systemd/system/chainboot-check-route.service.d/test.conf": (
        f"[Unit]\nConditionKernelCommandLine={NEEDS_ROUTE}\n"
        "[Service]\nExecStart=\nExecStart=/usr/lib/chainboot/check-route 3\n"
    ),
    "etc/systemd/system.conf": "[Manager]\nDefaultTimeoutStopSec=5s\n",
}

_SYSTEM = "/usr/lib/systemd/system"

_LINKS = {
    "init": "usr/lib/systemd/systemd",
    "etc/systemd/system/default.target": f"{_SYSTEM}/multi-user.target",
    "etc/systemd/system/sysinit.target.wants/test-says.service": "../test-says.service",
    "etc/systemd/system/multi-user.target.wants/test-commands.service": "../test-commands.service",
    # As `systemctl enable` would: what [Install] of our units says.
    "etc/systemd/system/multi-user.target.wants/chainboot-bless.service": f"{_SYSTEM}/chainboot-bless.service",
    "etc/systemd/system/sysinit.target.wants/chainboot-deadline.timer": f"{_SYSTEM}/chainboot-deadline.timer",
    "etc/systemd/system/boot-complete.target.requires/chainboot-check-route.service": (
        f"{_SYSTEM}/chainboot-check-route.service"
    ),
    # Nobody logs in, and they would take the console or wait for what is not there.
    **{
        f"etc/systemd/system/{name}": "/dev/null"
        for name in (
            "getty@.service",
            "serial-getty@.service",
            "console-getty.service",
            "systemd-logind.service",
            "systemd-update-utmp.service",
            "systemd-update-utmp-runlevel.service",
            "systemd-networkd-wait-online.service",
            "systemd-pcrphase.service",
            "systemd-pcrphase-sysinit.service",
            "systemd-binfmt.service",
            "systemd-sysusers.service",
            "systemd-firstboot.service",
            "systemd-hwdb-update.service",
            "systemd-random-seed.service",
            "systemd-journal-flush.service",
            "getty-static.service",
        )
    },
}


def overlay(arch: Architecture, *, build: Path = BUILD, runner: Runner = run) -> Path:
    """The archive of what systemd adds to a payload that has chainboot. Raises `ChainbootError`."""
    root, packages = fetch(arch, build=build, runner=runner, say=lambda _: None)
    key = key_of(packages, key_of_files(Path(__file__), UNITS, CHECKS))

    def make(fresh: Path) -> None:
        write_archive(cpio.pack(_nodes(root)), fresh, Compression.ZSTD, _LEVEL, runner)

    return once(build / f"systemd-{arch.name}.cpio", key, make)


def fetch(arch: Architecture, *, build: Path, runner: Runner, say: Callable[[str], None]) -> tuple[Path, str]:
    """The packages, unpacked, and what changes when they do."""
    home, root = build / f"apt-systemd-{arch.name}", build / f"systemd-{arch.name}"
    stamp = build / f"systemd-{arch.name}.stamp"
    apt = _apt(arch, home, HOST_LISTS, runner)
    if apt.lists_are_empty:
        # Those that the sysroot has fetched.
        apt = _apt(arch, home, build / f"apt-{arch.name}" / "lists", runner)
    if stamp.is_file() and root.is_dir() and apt.lists_are_empty:
        return root, stamp.read_text()
    if apt.lists_are_empty:
        apt.update()
    packages = apt.closure()
    wanted = digest(*(f"{package.file} {package.size}" for package in packages))
    if not (stamp.is_file() and root.is_dir() and stamp.read_text() == wanted):
        say(f"unpacking {len(packages)} packages into {root.name}")
        apt.install_closure("--download-only")
        remove_tree(root)
        root.mkdir(parents=True)
        for package in packages:
            argv = [program("dpkg-deb"), "-x", str(apt.archives / package.file), str(root)]
            runner(argv, check=True, timeout=600)
        stamp.write_text(wanted)
    return root, wanted


def _apt(arch: Architecture, home: Path, lists: Path, runner: Runner) -> Apt:
    return Apt(arch, home, lists, runner, packages=PACKAGES, alone=False)


def _nodes(root: Path) -> Iterator[tuple[str, cpio.Node]]:
    """What is in the archive: the packages, with /bin and its like in /usr, and what is ours."""
    found: dict[str, cpio.Node] = {}
    for directory, names, files in os.walk(root):
        for name in sorted([*names, *files]):
            path = Path(directory, name)
            inside = str(path.relative_to(root))
            if inside.partition("/")[0] in _MERGED:
                inside = f"usr/{inside}"
            if any(part in f"{inside}/" for part in _LEFT_OUT):
                continue
            if path.is_symlink():
                found[inside] = cpio.Link(os.readlink(path))
            elif path.is_file():
                found[inside] = cpio.File(0o755 if os.access(path, os.X_OK) else 0o644, path.read_bytes())
    # Unpacked apart, /lib and /usr/lib have links to each other's files; merged, they would lead to themselves.
    for inside, node in list(found.items()):
        if isinstance(node, cpio.Link) and os.path.normpath(f"/{inside}") == _merged(inside, node.to):
            del found[inside]
    for unit in sorted(UNITS.iterdir()):
        found[f"usr/lib/systemd/system/{unit.name}"] = cpio.File(0o644, unit.read_bytes())
    for check in sorted(CHECKS.iterdir()):
        found[f"usr/lib/chainboot/{check.name}"] = cpio.File(0o755, check.read_bytes())
    for inside, text in _FILES.items():
        found[inside] = cpio.File(0o644, text.encode())
    for inside, target in _LINKS.items():
        found[inside] = cpio.Link(target)
    parents = {str(parent) for inside in found for parent in PurePosixPath(inside).parents}
    for parent in sorted(parents - {"."}):
        yield f"/{parent}", cpio.Directory(0o755)
    for inside, node in found.items():
        yield f"/{inside}", node


def _merged(inside: str, target: str) -> str:
    """Where a link leads once /bin and its like are in /usr."""
    place = os.path.normpath(os.path.join("/", os.path.dirname(inside), target))
    top = place.split("/")[1]
    return f"/usr{place}" if top in _MERGED else place
