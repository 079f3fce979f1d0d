"""A boot volume with a NixOS-shaped /boot, a machine with a boot record, and a zipl that does what the real one does.

The real one: s390-tools, zipl/src/bootmap.c (`bootmap_create`) and install.c. The boot record is kept as what it leads
to: inodes and what was in them.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kernels import s390x_image
from nixos import INITRD, KERNEL, usual_conf, write_root

from chainboot.image.cpio import File, pack
from chainboot.install.command import Machine, Request, install
from chainboot.install.system import System
from chainboot.process import Completed, ProcessError

GIVEN = "console=ttysclp0 quiet"


class PowerCut(BaseException):
    """The machine is gone: nothing runs after it, not even what cleans up."""


@dataclass
class Faults:
    """Lets call number `at` (from 0) fail, before it does anything or, with `late`, after it has done it."""

    at: int = -1
    error: BaseException = field(default_factory=PowerCut)
    late: bool = False
    only: str = ""
    calls: list[str] = field(default_factory=list)
    gone: bool = False

    def step(self, name: str) -> Iterator[None]:
        if self.gone:
            raise self.error
        hit = self.calls.count(name) == self.at and self.only == name if self.only else len(self.calls) == self.at
        self.calls.append(name)
        self.gone = hit and isinstance(self.error, PowerCut)
        if hit and not self.late:
            raise self.error
        yield
        if hit:
            raise self.error


class Watched(System):
    """The real calls, any of which may fail. Knows which names and files are on the disk (`unsafe`)."""

    def __init__(self, faults: Faults, boot: Path) -> None:
        self.faults = faults
        self.dirty: set[str] = set()
        self.synced = {file.stat().st_ino for file in (boot / "chainboot").rglob("*") if file.is_file()}
        self.through: set[str] = set()

    def unsafe(self, path: str, top: str) -> list[str]:
        """What a power cut would take away of a file and of the names that lead to it."""
        found = [] if os.stat(path).st_ino in self.synced else [path]
        while path != top:
            path = os.path.dirname(path)
            found += [path] if path in self.dirty else []
        return found

    def make_directory(self, path: str) -> None:
        for _ in self.faults.step("mkdir"):
            super().make_directory(path)
            self.dirty.add(os.path.dirname(path))

    def create(self, path: str) -> int:
        descriptor = -1
        for _ in self.faults.step("create"):
            descriptor = super().create(path)
            self.dirty.add(os.path.dirname(path))
        return descriptor

    def open(self, path: str) -> int:
        descriptor = -1
        for _ in self.faults.step("open"):
            descriptor = super().open(path)
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        written = 0
        for _ in self.faults.step("write"):
            written = super().write(descriptor, data[:70_000])  # a short write, as write(2) allows
        return written

    def sync(self, descriptor: int) -> None:
        for _ in self.faults.step("sync"):  # without the call: it takes its time, and says nothing here
            self.dirty.discard(os.readlink(f"/proc/self/fd/{descriptor}"))
            self.synced.add(os.fstat(descriptor).st_ino)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)  # always: else the test runs out of descriptors
        for _ in self.faults.step("close"):
            pass

    def link(self, source: str, target: str) -> None:
        for _ in self.faults.step("link"):
            super().link(source, target)
            self.dirty.add(os.path.dirname(target))

    def rename(self, source: str, target: str) -> None:
        for _ in self.faults.step("rename"):
            super().rename(source, target)
            self.dirty = {re.sub(f"^{re.escape(source)}(?=/|$)", target, path) for path in self.dirty}
            self.dirty.add(os.path.dirname(target))

    def remove_file(self, path: str) -> None:
        # The old record may be the one on the disk until all is synced: nothing that it leads to may go before.
        assert "zipl block" not in self.faults.calls or "sync all" in self.faults.calls
        for _ in self.faults.step("unlink"):
            super().remove_file(path)

    def remove_directory(self, path: str) -> None:
        for _ in self.faults.step("rmdir"):
            super().remove_directory(path)

    def add_flags(self, descriptor: int, flags: int) -> None:
        assert flags & 0x8  # FS_SYNC_FL
        for _ in self.faults.step("flags"):
            self.through.add(os.readlink(f"/proc/self/fd/{descriptor}"))

    def sync_all(self) -> None:
        for _ in self.faults.step("sync all"):
            self.dirty.clear()


@dataclass(frozen=True)
class Block:
    """Where the boot record leads to: the inode of each file, and the digest of what it holds."""

    menu: dict[int, tuple[str, str]]
    files: tuple[tuple[int, str], ...]


class BrokenRecordError(AssertionError):
    """The boot record leads to what is not there any more."""


class Box:
    """A machine with one disk. `boot` is its boot volume."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.boot = write_root(top / "boot", usual_conf(), boot="")
        self.payload("6.6.32")
        self.mounts = top / "mountinfo"
        self.mounts.write_text(f"22 1 94:1 / {self.boot} rw - ext4 /dev/dasda1 rw\n")
        self.sysfs = top / "sys"
        (self.sysfs / "dev/block/94:1").mkdir(parents=True)
        (self.sysfs / "dev/block/94:1/partition").write_text("1\n")
        self.cmdline = top / "cmdline"
        self.cmdline.write_text("root=/dev/dasda2 console=ttysclp0 console=ttyS0 quiet\n")
        # The rule for a panic is there, and nothing is to be done about it.
        self.tmpfiles = top / "tmpfiles.d"
        self.tmpfiles.mkdir()
        (self.tmpfiles / "chainboot.conf").write_text("somebody's own\n")
        self.block: Block | None = None
        self.said: list[str] = []
        self.runs: list[tuple[str, ...]] = []

    @property
    def machine(self) -> Machine:
        """What the installer reads of this system."""
        return Machine(
            mounts=str(self.mounts),
            cmdline=str(self.cmdline),
            tmpfiles=(str(self.tmpfiles), *(str(self.top / f"{place}/tmpfiles.d") for place in ("run", "lib"))),
            sysfs=str(self.sysfs),
            boot=str(self.top / "kernels"),
            zipl_conf=str(self.top / "zipl.conf"),
        )

    def payload(self, version: str) -> None:
        """Give the volume's entries a kernel for this machine."""
        (self.boot / "nixos" / KERNEL).write_bytes(s390x_image(version))
        (self.boot / "nixos" / INITRD).write_bytes(b"070701" + version.encode() * 999)

    def sources(self, name: str) -> tuple[str, str]:
        """Kernel and initrd of a first stage called `name`."""
        kernel, initrd = self.top / f"{name}-kernel", self.top / f"{name}-initrd"
        kernel.write_bytes(s390x_image(f"6.1.0-{name}"))
        (self.top / f"config-6.1.0-{name}").write_text("CONFIG_KEXEC=y\n")
        initrd.write_bytes(b"".join(pack([("/init", File(0o755, name.encode() * 5000))])))
        return str(kernel), str(initrd)

    def install(
        self,
        name: str,
        parameters: str | None = GIVEN,
        *,
        faults: Faults | None = None,
        dry_run: bool = False,
        zipl: type[Zipl] | None = None,
    ) -> str:
        """Install the first stage `name`, as the verb does it."""
        faults = faults or Faults()
        system = Watched(faults, self.boot)
        request = Request(str(self.boot), *self.sources(name), parameters, dry_run)
        self.said.clear()
        self.runs.clear()
        runner = (zipl or Zipl)(self, system)
        return install(request, runner, self.said.append, system=system, machine=self.machine)

    def check(self) -> None:
        """Raises `BrokenRecordError` unless the boot record leads to files that hold what they held."""
        if self.block is None:
            return
        there = {file.stat().st_ino: file for file in self.boot.rglob("*") if file.is_file()}
        for inode, digest in self.block.files:
            if inode not in there:
                raise BrokenRecordError(f"inode {inode} is gone")
            if _digest(there[inode]) != digest:
                raise BrokenRecordError(f"{there[inode]} was changed")

    def starts(self, loadparm: int) -> tuple[str, str]:
        """The digest of the kernel that an IPL starts, and its parameters."""
        assert self.block is not None
        self.check()
        return self.block.menu[loadparm]

    def boots(self, loadparm: int, name: str) -> bool:
        """Whether that IPL starts the kernel of the first stage `name`."""
        return self.starts(loadparm)[0] == _digest(Path(self.sources(name)[0]))

    def id_of(self, loadparm: int) -> str:
        """The id that the first stage reads on its command line."""
        return self.starts(loadparm)[1].rpartition("chainboot.installed=")[2]

    def prove(self, identifier: str) -> None:
        """What a first stage does that has booted something."""
        (self.boot / "chainboot/first-stage" / identifier / "proved").touch()

    def tree(self) -> dict[str, bytes]:
        """All files below chainboot/ with what is in them."""
        top = self.boot / "chainboot"
        return {str(file.relative_to(top)): file.read_bytes() for file in top.rglob("*") if file.is_file()}

    def names(self, of: str = "") -> list[str]:
        return sorted(os.listdir(self.boot / "chainboot" / of))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Zipl:
    """What zipl does: a bootmap in the target directory, renamed; then one block of the disk; then sync."""

    def __init__(self, box: Box, system: Watched) -> None:
        self.box, self.system, self.faults = box, system, system.faults

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        assert argv[0] == "zipl"
        assert check
        assert timeout
        self.box.runs.append(tuple(argv))
        if "--version" in argv:
            return Completed(tuple(argv), 0)
        assert argv[1] == "--noninteractive"
        assert argv[3] == "--blsdir=/dev/null"
        target, menu = read_conf(Path(argv[2].removeprefix("--config=")))
        try:
            self.install(target, menu, dry_run="--dry-run" in argv)
        except OSError as error:
            raise ProcessError(f"zipl exited with 1: {error.strerror}") from error
        return Completed(tuple(argv), 0)

    def install(self, target: Path, menu: dict[int, dict[str, str]], *, dry_run: bool) -> None:
        files = {file: Path(file).stat().st_ino for section in menu.values() for file in section.values()}
        temporary = target / "bootmap_temp.abcdef"
        for _ in self.faults.step("zipl create"):
            temporary.write_text(f"{target} {sorted(files.items())}")
        inode, digest = temporary.stat().st_ino, _digest(temporary)
        if dry_run:
            for _ in self.faults.step("zipl unlink"):
                temporary.unlink()
            return
        for _ in self.faults.step("zipl rename"):
            temporary.rename(target / "bootmap")
        # The moment that counts: whatever the block leads to must be on the disk now.
        assert str(target) in self.system.through, "the bootmap may not be on the disk"
        for file in files:
            assert self.system.unsafe(file, str(self.box.boot)) == []
        leads = (*((files[file], _digest(Path(file))) for file in files), (inode, digest))
        entries = {
            number: (
                _digest(Path(section["image"])),
                Path(section["parmfile"]).read_text() if "parmfile" in section else "",
            )
            for number, section in menu.items()
        }
        for _ in self.faults.step("zipl block"):
            self.box.block = Block(entries, leads)
        for _ in self.faults.step("zipl sync"):
            pass


def read_conf(path: Path) -> tuple[Path, dict[int, dict[str, str]]]:
    """The target directory and the files of each entry: reads zipl.conf as zipl/src/scan.c does, and more strictly."""
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in path.read_text(errors="surrogateescape").splitlines():
        if line.startswith("#") or not line:
            continue
        if heading := re.fullmatch(r"\[([a-z-]+)\]|:([a-z]+)", line):
            current = sections.setdefault(heading[1] or f":{heading[2]}", {})
            assert not current
            continue
        key, value = re.fullmatch(r'([a-z]+|[0-9]+)=("[^"]*"|[a-z0-9-]+)', line).groups()  # type: ignore[union-attr]
        assert key not in current
        current[key] = value.strip('"')
    assert sections.pop("defaultboot") == {"defaultmenu": "chainboot"}
    menu = sections.pop(":chainboot")
    assert (menu.pop("default"), menu.pop("prompt"), menu.pop("timeout")) == ("1", "1", "5")
    target = menu.pop("target")
    assert sorted(menu.values()) == sorted(sections)
    assert all(section.pop("target") == target for section in sections.values())
    assert all({"image"} <= set(section) <= {"image", "ramdisk", "parmfile"} for section in sections.values())
    return Path(target), {int(number): sections[name] for number, name in menu.items()}
