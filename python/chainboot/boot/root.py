"""Which file systems an entry's system is made of, and what to run in it: an entry and what the disks hold -> Root.

Reads through volumes and changes nothing; mounting is enter.py's. On NixOS the kernel command line says little about
disks (stage 1 has the list inside its initrd), but `init=` names the generation, and the generation carries its
fstab. So: what a person says, else `root=`, else the generation's fstab, else the volume that holds the generation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chainboot.boot.candidate import Candidate
from chainboot.boot.cmdline import values
from chainboot.boot.discovery import FILE_SYSTEMS
from chainboot.boot.fstab import Device, Line, find_device, parse_fstab
from chainboot.boot.volume import PathError, Volume, normalise
from chainboot.errors import NotFoundError, RefusedError
from chainboot.text import printable

_READ_ONLY = frozenset({"iso9660", "squashfs", "erofs"})

# An fstab is a file on that disk: of its options those are taken that say which part of the file system it is, and
# how it looks. (`ro` only below the root, which is wanted writable.)
_OPTIONS = frozenset(
    ("subvol", "subvolid", "compress", "compress-force", "noatime", "relatime", "nodev", "nosuid", "noexec", "umask",
     "fmask", "dmask", "uid", "gid", "iocharset", "codepage", "utf8", "shortname", "size", "mode")
)  # fmt: skip

# Without these there is no system to enter; others that cannot be mounted are said and left out.
_NEEDED = ("/", "/nix", "/nix/store")

# What the first stage puts there itself, and what is no place in a tree.
_OURS = ("/proc/", "/sys/", "/dev/", "/run/")

_FSTAB_SIZE = 1 << 16  # bytes
_PLACES = 32
_LINKS = 40
_DIRECTORIES = 64

# The last four are where the first stage itself finds chroot(8).
_PATH = "/run/wrappers/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system at `place` of the system ("/" first). `driver` is the kernel's name; `needed`: nothing without."""

    device: str
    driver: str
    place: str
    options: tuple[str, ...] = ()
    needed: bool = True

    @property
    def whole(self) -> bool:
        """Whether all of the file system is seen there, and not one of its subvolumes."""
        return not any(option.startswith("subvol") for option in self.options)


@dataclass(frozen=True, slots=True)
class Root:
    """A system that can be entered. `toplevel` is its NixOS generation; `command` the shell with its arguments.

    `remarks` are sentences about what will be missing in it.
    """

    label: str
    mounts: tuple[Mount, ...]
    toplevel: str | None
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Store:
    """`nix` is the path inside the volume that the running system calls /nix."""

    volume: Volume
    nix: str


def find_root(
    candidate: Candidate,
    volumes: Sequence[Volume],
    devices: Sequence[Device],
    *,
    device: str | None = None,
    subvol: str | None = None,
) -> Root:
    """The system that `candidate` boots. `device` and `subvol` are what a person said, and win.

    Raises `NotFoundError` where a device or the generation is not there, `RefusedError` where it cannot be told
    which file system is the root, or that one cannot be written to; the hint names what there is to choose from.
    """
    label = printable(candidate.entry.label)
    toplevel = _toplevel(candidate.cmdline)
    stores = _stores(toplevel, volumes, devices) if toplevel else ()
    lines = _store_fstab(stores[0], toplevel) if stores and toplevel else ()
    mount = _root_mount(candidate, stores, lines, devices, device, subvol)
    remarks = []
    if toplevel and not stores:
        remarks.append(f"{toplevel} is on no volume that can be read")
        toplevel = None
    view = _view(mount, volumes)
    if not toplevel and view is not None:
        lines = parse_fstab(_read(view, "/etc/fstab"))
    below, left_out = _below(lines, devices)
    boot = candidate.configuration.volume.device
    used = {each.device for each in (mount, *below)}
    if boot and boot not in used and all(each.place != "/boot" for each in below):
        below += [Mount(boot, each, "/boot", needed=False) for each in _drivers(boot, devices)]
    if toplevel and not _has_store(stores, mount, below):
        raise RefusedError(
            f"{label}: {toplevel} is not in the file systems that would be mounted",
            hint=f"name its root: --device DEVICE [--subvol NAME]; the generation is on {_names(stores)}",
        )
    path = f"{toplevel}/sw/bin:{toplevel}/sw/sbin:{_PATH}" if toplevel else _PATH
    shell = (f"{toplevel}/sw/bin/bash", "--login") if toplevel else (_shell(view),)
    environment = [("PATH", path), ("HOME", "/root"), ("SHELL", shell[0]), ("TMPDIR", "/tmp")]
    if toplevel:
        environment.append(("LOCALE_ARCHIVE", f"{toplevel}/sw/lib/locale/locale-archive"))
    mounts = (mount, *sorted(below, key=lambda each: each.place.count("/")))
    return Root(label, mounts, toplevel, shell, tuple(environment), (*remarks, *left_out))


def _toplevel(cmdline: str) -> str | None:
    """/nix/store/...-nixos-system-... from `init=`, or None where another system boots."""
    init = (values(cmdline, "init") or ("",))[-1]
    path = init.removesuffix("/init")
    inside = path.startswith("/nix/store/") and path == normalise(path) and path.isprintable()
    return path if inside and path != init else None


def _stores(toplevel: str, volumes: Sequence[Volume], devices: Sequence[Device]) -> tuple[_Store, ...]:
    """Where the generation lies. In btrfs the store may be in a subvolume, which is a directory from outside."""
    name = toplevel.split("/")[3]
    kinds = {each.path: each.kind for each in devices}
    found: dict[tuple[str, str], _Store] = {}
    for volume in volumes:
        prefixes = ["", *(_directories(volume) if kinds.get(volume.device or "") == "btrfs" else ())]
        for nix in (f"{prefix}{tail}" for prefix in prefixes for tail in ("/nix", "")):
            if _is_directory(volume, f"{nix}/store/{name}"):
                found[volume.root, nix] = _Store(volume, nix)
    return tuple(found.values())


def _directories(volume: Volume) -> tuple[str, ...]:
    try:
        names = sorted(os.listdir(volume.root))[:_DIRECTORIES]
    except OSError:
        return ()
    return tuple(f"/{name}" for name in names if _is_directory(volume, f"/{name}"))


def _is_directory(volume: Volume, path: str) -> bool:
    try:
        return volume.follow(path) == path and os.path.isdir(volume.root + path)
    except PathError:
        return False


def _store_fstab(store: _Store, toplevel: str) -> tuple[Line, ...]:
    """The fstab of a generation. Its links are written for the running system, so /nix is put in their place."""
    view = Volume(store.volume.root + store.nix, store.volume.name)
    path = f"{toplevel}/etc/fstab"
    for _ in range(_LINKS):
        here = ""
        for part in path.split("/")[1:]:
            parent, here = here, f"{here}/{part}"
            place = view.root + here.removeprefix("/nix")
            if os.path.islink(place):
                rest = path.removeprefix(here)
                path = normalise(os.path.join(parent or "/", os.readlink(place)) + rest)
                break
        else:
            return parse_fstab(_read(view, path.removeprefix("/nix")))
        if not path.startswith("/nix/store/"):
            return ()
    return ()


def _read(volume: Volume, path: str) -> str:
    try:
        return volume.read(path, _FSTAB_SIZE).decode("utf-8", "surrogateescape")
    except PathError:
        return ""


def _root_mount(
    candidate: Candidate,
    stores: Sequence[_Store],
    lines: Sequence[Line],
    devices: Sequence[Device],
    device: str | None,
    subvol: str | None,
) -> Mount:
    label = printable(candidate.entry.label)
    listed = next((line for line in lines if line.place == "/"), None)
    given = (values(candidate.cmdline, "root") or ("",))[-1]
    flags = _kept(",".join(values(candidate.cmdline, "rootflags")).split(","))
    if "=" not in given and not given.startswith("/dev/"):
        given = ""  # root=fstab, root=gpt-auto: for systemd's generators in the initrd, no device
    options: tuple[str, ...] = ()
    if device or given:
        chosen = find_device(device or given, devices)
        options = () if device else flags
        if not options and listed and _same(listed.spec, chosen, devices):
            options = _kept(listed.options)
    elif listed and listed.kind == "tmpfs":
        return Mount("tmpfs", "tmpfs", "/", _kept(listed.options))
    elif listed:
        chosen = find_device(listed.spec, devices)
        options = _kept(listed.options)
    else:
        store = _only(label, stores)
        chosen = find_device(store.volume.device or "", devices)
        prefix = store.nix.removesuffix("/nix")
        if not (store.nix.endswith("/nix") and _is_directory(store.volume, f"{prefix}/etc")) and subvol is None:
            names = ", ".join(name[1:] for name in _directories(store.volume) if chosen.kind == "btrfs") or "none"
            raise RefusedError(
                f"{label}: its store is on {store.volume.name}, but nothing says which file system is the root",
                hint=f"name it: --device DEVICE [--subvol NAME]; directories that may be subvolumes: {names}",
            )
        options = (f"subvol={prefix}",) if prefix else ()
    if subvol is not None:
        options = (*(option for option in options if not option.startswith("subvol")), f"subvol={subvol}")
    for driver in _drivers(chosen.path, devices):
        return Mount(chosen.path, driver, "/", options)
    raise RefusedError(
        f"{label}: its root {chosen.path} holds {printable(chosen.kind) or 'nothing that is known'}, "
        "which cannot be mounted for writing here",
        hint="name another: --device DEVICE",
    )


def _only(label: str, stores: Sequence[_Store]) -> _Store:
    """The one place where the generation is; raises where there is none, or more than one."""
    if not stores:
        raise NotFoundError(
            f"{label}: neither root= nor init= on its command line leads to a root file system",
            hint="name it: --device DEVICE [--subvol NAME]; LUKS, LVM and RAID are not opened here",
        )
    if len({(store.volume.root, store.nix) for store in stores}) > 1:
        raise RefusedError(
            f"{label}: its generation is in several places: {_names(stores)}",
            hint="name the root: --device DEVICE [--subvol NAME]",
        )
    return stores[0]


def _names(stores: Sequence[_Store]) -> str:
    return ", ".join(f"{store.volume.name} {store.nix or '/'}" for store in stores)


def _same(spec: str, device: Device, devices: Sequence[Device]) -> bool:
    try:
        return find_device(spec, devices).path == device.path
    except (NotFoundError, RefusedError):
        return False


def _drivers(path: str, devices: Sequence[Device]) -> tuple[str, ...]:
    """The driver that mounts it for writing, or nothing."""
    kinds = [each.kind for each in devices if each.path == path]
    return tuple(FILE_SYSTEMS[kind][0] for kind in kinds[:1] if kind in FILE_SYSTEMS and kind not in _READ_ONLY)


def _kept(options: Iterable[str]) -> tuple[str, ...]:
    return tuple(option for option in options if option.partition("=")[0] in _OPTIONS)


def _view(mount: Mount, volumes: Sequence[Volume]) -> Volume | None:
    """The root as discovery mounted it: the volume, or the directory in it that is the subvolume."""
    for volume in volumes:
        if volume.device == mount.device:
            if mount.whole:
                return volume
            name = next((option[7:] for option in mount.options if option.startswith("subvol=")), "")
            path = normalise(name)
            return Volume(volume.root + path, volume.name) if name and _is_directory(volume, path) else None
    return None


def _shell(view: Volume | None) -> str:
    for path in _SHELLS if view is not None else ():
        try:
            if view is not None and view.follow(path):
                return path
        except PathError:
            continue
    return _SHELLS[-1]


def _below(lines: Iterable[Line], devices: Sequence[Device]) -> tuple[list[Mount], list[str]]:
    """What else the fstab mounts, and a sentence for each that will be missing."""
    mounts: dict[str, Mount] = {}
    remarks: list[str] = []
    for line in lines:
        place = line.place
        if place == "/" or not place.startswith("/") or line.kind == "swap" or f"{place}/".startswith(_OURS):
            continue
        if "noauto" in line.options and "x-systemd.automount" not in line.options:
            continue
        needed = place in _NEEDED
        try:
            if place != normalise(place) or len(mounts) >= _PLACES:
                raise RefusedError("the fstab is not one that can be followed")
            options = (*_kept(line.options), *(("ro",) if "ro" in line.options and not needed else ()))
            if line.kind == "tmpfs":
                mounts[place] = Mount("tmpfs", "tmpfs", place, options, needed)
                continue
            device = find_device(line.spec, devices)
            for driver in _drivers(device.path, devices):
                mounts[place] = Mount(device.path, driver, place, options, needed)
            if place not in mounts:
                raise RefusedError(f"{device.path} holds {device.kind or 'nothing that is known'}")
        except (NotFoundError, RefusedError) as error:
            if needed:
                raise
            remarks.append(f"{printable(place)} is left out: {error.message}")
    return list(mounts.values()), remarks


def _has_store(stores: Sequence[_Store], root: Mount, below: Sequence[Mount]) -> bool:
    used = {each.device for each in (root, *below)}
    return any(store.volume.device in used for store in stores)
