"""An entry together with its files: what can be listed, shown, planned and booted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chainboot.boot.cmdline import join, with_parameters
from chainboot.boot.kernel import HEAD_SIZE, KernelImage, inspect
from chainboot.boot.sysappend import NO_STRINGS, SystemStrings, words
from chainboot.boot.volume import Configuration, PathError, Volume, file_type, normalise
from chainboot.errors import NotFoundError
from chainboot.extlinux.entry import BootEntry, Kind
from chainboot.text import clip


@dataclass(frozen=True, slots=True)
class BootFile:
    """A file that an entry names. `path` is inside the volume; `host` is where this machine opens it.

    `host` is "" and `problem` says why where the file is not there or is no file; `size` is in bytes. The first
    `skip` bytes are a header that is not for the kernel.
    """

    path: str
    host: str = ""
    size: int = 0
    skip: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that a person can point at. `index` counts from 1 over all configurations of the machine.

    `cmdline` is the entry's own; `consoles` are the words `console=...` that it gets beside them (see `consoles`).
    """

    index: int
    configuration: Configuration
    entry: BootEntry
    default: bool
    kernel: BootFile | None
    initrds: tuple[BootFile, ...]
    fdt: BootFile | None
    cmdline: str
    consoles: str = ""

    @property
    def boot_cmdline(self) -> str:
        """The command line that its kernel gets."""
        return with_parameters(self.cmdline, self.consoles) if self.consoles else self.cmdline

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it cannot be booted, as far as entry and files tell; empty where it can."""
        files = (("kernel", self.kernel), *(("initrd", initrd) for initrd in self.initrds))
        missing = tuple(f"{role}: {file.problem}" for role, file in files if file is not None and file.problem)
        return self.entry.reasons + missing

    @property
    def bootable(self) -> bool:
        """Whether nothing is known that forbids it. The kernel's header is looked at by `preflight`."""
        return not self.reasons

    def image(self) -> KernelImage:
        """What the header of the kernel says; raises `PathError` where the file cannot be read."""
        if self.kernel is None or self.kernel.problem:
            return KernelImage(None, "nothing", problem="there is no kernel to look at")
        return look_at(self.configuration.volume, self.kernel)


def look_at(volume: Volume, kernel: BootFile) -> KernelImage:
    """What the header of a kernel on a volume says; raises `PathError` where the file cannot be read."""
    head = volume.read(kernel.path, HEAD_SIZE)
    return inspect(head, kernel.size, lambda at, length: volume.read(kernel.path, length, at))


def candidates(configurations: Iterable[Configuration], system: SystemStrings = NO_STRINGS) -> tuple[Candidate, ...]:
    """All entries of all configurations, numbered from 1 in file order. The default is the first one's.

    `system` is what SYSAPPEND may add to command lines.
    """
    found: list[Candidate] = []
    default_given = False
    for configuration in configurations:
        menu = configuration.menu
        files = _Files(configuration)
        for place, entry in enumerate(menu.entries):
            is_default = not default_given and place == menu.default
            extra = join(
                menu.default_arguments if is_default else "",
                words(entry.sysappend, system, configuration.volume.uuid) if entry.sysappend else "",
            )
            found.append(_candidate(len(found) + 1, files, entry, is_default, extra))
        default_given = default_given or menu.default is not None
    return tuple(found)


def _candidate(index: int, files: _Files, entry: BootEntry, default: bool, extra: str) -> Candidate:
    kernel, arguments = _kernel(files, entry)
    return Candidate(
        index=index,
        configuration=files.configuration,
        entry=entry,
        default=default,
        kernel=kernel,
        initrds=_initrds(files, entry),
        fdt=files.find(entry.fdt) if entry.fdt and entry.fdt != "-" else None,
        cmdline=join(arguments, entry.append or "", extra),
    )


class _Files:
    """The files of one configuration. Each is looked for once: generations share kernels and initrds."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._found: dict[str, BootFile] = {}
        self._initrds: dict[str, BootFile] = {}

    def find(self, value: str) -> BootFile:
        """The file that a path of the configuration means. Never raises: a missing file has its `problem`."""
        if value not in self._found:
            self._found[value] = self._look(value)
        return self._found[value]

    def _look(self, value: str) -> BootFile:
        volume = self.configuration.volume
        first: BootFile | None = None
        for path in self.configuration.alternatives(value):
            try:
                host = volume.root + volume.follow(path)
                status = os.stat(host)
                if stat.S_ISREG(status.st_mode):
                    return BootFile(normalise(path), host, status.st_size)
                problem = f"{normalise(path)} is {file_type(status.st_mode)}, not a file"
            except PathError as error:
                problem = error.message
            except OSError as error:
                problem = f"{normalise(path)} cannot be read: {error.strerror}"
            first = first or BootFile(normalise(path), problem=problem)
        return first or BootFile(normalise(value), problem=f"{value} is no path")

    def find_initrd(self, value: str) -> BootFile:
        """The same for an initrd, whose legacy image header, if it has one, is not for the kernel."""
        if value not in self._initrds:
            self._initrds[value] = self._without_header(self.find(value))
        return self._initrds[value]

    def _without_header(self, file: BootFile) -> BootFile:
        if file.problem is not None or file.size < _UIMAGE_HEADER:
            return file
        try:
            magic = self.configuration.volume.read(file.path, len(_UIMAGE_MAGIC))
        except PathError as error:
            return replace(file, host="", problem=error.message)
        return replace(file, skip=_UIMAGE_HEADER) if magic == _UIMAGE_MAGIC else file


# U-Boot include/image.h: IH_MAGIC, at the start of a legacy image header of 64 bytes. Armbian and others keep their
# initrd (uInitrd) in such an image; the kernel wants what is behind it.
_UIMAGE_MAGIC = b"\x27\x05\x19\x56"
_UIMAGE_HEADER = 64


def _kernel(files: _Files, entry: BootEntry) -> tuple[BootFile | None, str]:
    """The kernel, and the arguments that stand after its path.

    To syslinux words after the path are arguments, to U-Boot blanks belong to the path. So: the whole value
    where it is a file, else the first word.
    """
    if entry.kernel is None or entry.kind is not Kind.LINUX:
        return None, ""
    whole = files.find(entry.kernel)
    path, _, arguments = entry.kernel.partition(" ")
    if whole.problem is None or not arguments:
        return _by_magic(files.configuration, entry, whole), ""
    return _by_magic(files.configuration, entry, files.find(path)), arguments.strip()


# To syslinux `KERNEL x.bin` is a boot sector and `x.img` a floppy image, to U-Boot both are kernels (its own
# documentation has kernels/install.bin): the file decides.
_UNCLEAR = (".bin", ".img")


def _by_magic(configuration: Configuration, entry: BootEntry, file: BootFile) -> BootFile:
    if entry.kernel_keyword != "KERNEL" or file.problem or not file.path.lower().endswith(_UNCLEAR):
        return file
    try:
        problem = inspect(configuration.volume.read(file.path, HEAD_SIZE), file.size).problem
    except PathError as error:
        problem = error.message
    return replace(file, problem=f"{file.path}: {problem}") if problem else file


# Microcode for two vendors, modules, an initramfs: real entries have four. Each file is looked for, so it is bounded.
_INITRD_LIMIT = 32


def _initrds(files: _Files, entry: BootEntry) -> tuple[BootFile, ...]:
    """The initrds in order. A comma separates (syslinux), unless a file has the whole value as its name (U-Boot)."""
    if entry.initrd is None:
        return ()
    whole = files.find(entry.initrd)
    if whole.problem is None or "," not in entry.initrd:
        return (files.find_initrd(entry.initrd),)
    parts = [part.strip() for part in entry.initrd.split(",") if part.strip()]
    if len(parts) > _INITRD_LIMIT:
        return (replace(whole, problem=f"{len(parts)} files are named, and {_INITRD_LIMIT} is the most there can be"),)
    return tuple(files.find_initrd(part) for part in parts)


def own_default(configuration: Configuration, among: Sequence[Candidate]) -> Candidate | None:
    """What a configuration boots by itself, be it the one that gives the machine its default or not.

    `among` has all of its entries; they may come from another reading of the same file.
    """
    file = configuration.volume.root, configuration.path
    own = [each for each in among if (each.configuration.volume.root, each.configuration.path) == file]
    number = configuration.menu.default
    return own[number] if number is not None and number < len(own) else None


# A longer number is none: int() takes its time over thousands of digits, and no menu has that many entries.
_MOST_DIGITS = 9


def choose(among: Sequence[Candidate], reference: str | None) -> Candidate:
    """The candidate that `reference` names: a label, else its number, else the default for None.

    Raises `NotFoundError`. Of several entries with one label the first is meant, as in syslinux.
    """
    if reference is None:
        for candidate in among:
            if candidate.default:
                return candidate
        if not among:
            raise NotFoundError("the configuration has no entry")
        raise NotFoundError("there is no default entry", hint="name one: `chainboot list` shows them")
    for candidate in among:
        if candidate.entry.label == reference:
            return candidate
    if (
        reference.isascii()
        and reference.isdigit()
        and len(reference) <= _MOST_DIGITS
        and 0 < int(reference) <= len(among)
    ):
        return among[int(reference) - 1]
    raise NotFoundError(
        f"there is no entry {clip(reference, 80) or repr(reference)}", hint="`chainboot list` shows labels and numbers"
    )
