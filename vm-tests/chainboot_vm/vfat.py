"""FAT file systems in image files: made without root, and read without a kernel.

mkfs.vfat makes an empty one; the files are put into it here. Reading is strict: a file whose clusters are not all its
own is an error, also where a kernel would not look. From Microsoft's "FAT: General Overview of On-Disk Format" (1.03);
FAT16 and FAT32. Knows nothing of what the files mean.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot_vm.artifacts import program

# `size` bytes of the disk from byte `at` on.
Read = Callable[[int, int], bytes]

_SLOT = 32
_LONG, _VOLUME, _DIRECTORY, _ARCHIVE = 0x0F, 0x08, 0x10, 0x20
_DELETED = 0xE5
# 2024-06-01 12:00
_DATE, _TIME = (2024 - 1980) << 9 | 6 << 5 | 1, 12 << 11
_LONG_LIMIT = 255


class VfatError(ChainbootError):
    """What stands on the disk is no FAT file system, or a file in it is not whole."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where everything is. Bytes, but for `root` (its first cluster; 0 on FAT16) and `clusters`, how many there are."""

    cluster: int
    fat_at: int
    fat_size: int
    fats: int
    root: int
    root_at: int
    root_size: int
    data_at: int
    clusters: int
    wide: bool

    def place(self, cluster: int) -> int:
        """The byte at which a cluster begins. Raises `VfatError` for one that does not exist."""
        if not 2 <= cluster < self.clusters + 2:
            raise VfatError(f"there is no cluster {cluster}")
        return self.data_at + (cluster - 2) * self.cluster

    @property
    def end(self) -> int:
        """The least number in the table that ends a chain."""
        return 0x0FFFFFF8 if self.wide else 0xFFF8


def geometry(read: Read) -> Geometry:
    """What the boot sector says. Raises `VfatError`."""
    boot = read(0, 512)
    sector, per_cluster, reserved, fats, entries, small, _, short = struct.unpack_from("<HBHBHHBH", boot, 11)
    (large,) = struct.unpack_from("<I", boot, 32)
    size32, _, _, root = struct.unpack_from("<IHHI", boot, 36)
    if boot[510:] != b"\x55\xaa" or not (sector and per_cluster and fats):
        raise VfatError("there is no FAT file system")
    fat_size, total = (short or size32) * sector, (small or large) * sector
    root_at = reserved * sector + fats * fat_size
    data_at = root_at + entries * _SLOT
    cluster = per_cluster * sector
    clusters = (total - data_at) // cluster
    if clusters < 4085:
        raise VfatError("FAT12 is not read here")
    return Geometry(
        cluster,
        reserved * sector,
        fat_size,
        fats,
        0 if short else root,
        root_at,
        entries * _SLOT,
        data_at,
        clusters,
        wide=not short,
    )


class Vfat:
    """A FAT file system as it stands on the disk at this moment. Every call looks again."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._geometry = geometry(read)

    def file(self, path: str) -> bytes | None:
        """The file at `path`, which has no leading slash; None where there is none.

        Raises `VfatError` where it is not whole, or where a directory on the way is not.
        """
        slots = self._root()
        *above, name = path.split("/")
        for part in above:
            found = self._find(slots, part, _DIRECTORY)
            if found is None:
                return None
            slots = b"".join(self._chain(found[0]))
        found = self._find(slots, name, 0)
        if found is None:
            return None
        first, size = found
        clusters = list(self._chain(first)) if first else []
        if len(clusters) != -(-size // self._geometry.cluster):
            raise VfatError(f"{path} has {size} bytes and {len(clusters)} clusters")
        return b"".join(clusters)[:size]

    def _root(self) -> bytes:
        g = self._geometry
        return b"".join(self._chain(g.root)) if g.wide else self._read(g.root_at, g.root_size)

    def _chain(self, first: int) -> Iterator[bytes]:
        """The clusters of a file from the first on. Raises `VfatError` where one of them is free."""
        g, cluster = self._geometry, first
        for _ in range(g.clusters):
            yield self._read(g.place(cluster), g.cluster)
            width, form = (4, "<I") if g.wide else (2, "<H")
            (following,) = struct.unpack(form, self._read(g.fat_at + cluster * width, width))
            following &= 0x0FFFFFFF
            if following >= g.end:
                return
            if following < 2:
                raise VfatError(f"cluster {cluster} belongs to a file and counts as free")
            cluster = following
        raise VfatError("a chain of clusters has no end")

    def _find(self, slots: bytes, name: str, kind: int) -> tuple[int, int] | None:
        """First cluster and size of the entry with this name, long or short. Case does not matter, as in Linux.

        `kind` is `_DIRECTORY` or 0 for a file.
        """
        long: dict[int, str] = {}
        for at in range(0, len(slots), _SLOT):
            slot = slots[at : at + _SLOT]
            if slot[0] == 0:
                return None
            if slot[0] == _DELETED:
                long = {}
            elif slot[11] == _LONG:
                long[slot[0] & 0x1F] = (slot[1:11] + slot[14:26] + slot[28:32]).decode("utf-16-le")
            else:
                whole = "".join(long[number] for number in sorted(long)).partition("\0")[0]
                short = (slot[:8].rstrip() + (b"." if slot[8:11].strip() else b"") + slot[8:11].rstrip()).decode(
                    "cp437"
                )
                long = {}
                if slot[11] & (_VOLUME | _DIRECTORY) == kind and name.lower() in (whole.lower(), short.lower()):
                    high, low, size = struct.unpack_from("<H4xHI", slot, 20)
                    return high << 16 | low, size
        return None


def make(
    image: Path,
    files: Mapping[str, bytes],
    *,
    label: str,
    size_mib: int,
    sectors_per_cluster: int,
    bits: int,
    run: Runner,
) -> None:
    """Write the file `image`: a FAT16 or FAT32 with `files`, whose paths have no leading slash.

    Raises `ChainbootError`, also for what does not fit.
    """
    with image.open("wb") as empty:
        empty.truncate(size_mib << 20)
    run(
        (
            *(program("mkfs.vfat"), "-F", str(bits), "-s", str(sectors_per_cluster)),
            *("-n", label.upper(), "-i", "c4a1b007", "--invariant", str(image)),
        ),
        check=True,
        timeout=60,
    )
    with image.open("r+b") as disk:

        def read(at: int, size: int) -> bytes:
            disk.seek(at)
            return disk.read(size)

        written = _Filling(geometry(read), read).fill(files)
        for at, data in written.items():
            disk.seek(at)
            disk.write(data)


class _Filling:
    """Files put into an empty file system, one cluster after the other."""

    def __init__(self, found: Geometry, read: Read) -> None:
        self._geometry = found
        self._old_root = read(found.root_at, found.root_size) if not found.wide else read(found.data_at, found.cluster)
        self._info = read(512, 512) if found.wide else b""
        self._next = 3 if found.wide else 2
        self._table: dict[int, int] = {}
        self._out: dict[int, bytes] = {}

    def fill(self, files: Mapping[str, bytes]) -> dict[int, bytes]:
        """What is to be written, by place."""
        g = self._geometry
        label = self._old_root[:_SLOT]  # mkfs.vfat writes the label as the first entry
        content = label + self._directory(files, "", g.root, 0)
        if g.wide:
            self._store(content, [g.root, *self._take(len(content) - g.cluster)])
            free = g.clusters - (self._next - 2)
            self._out[512] = self._info[:488] + struct.pack("<II", free, self._next - 1) + self._info[496:]
        elif len(content) <= g.root_size:
            self._out[g.root_at] = content
        else:
            raise VfatError("the root directory has no room for so many files")
        form = "<I" if g.wide else "<H"
        for cluster, following in self._table.items():
            for fat in range(g.fats):
                at = g.fat_at + fat * g.fat_size + cluster * struct.calcsize(form)
                self._out[at] = struct.pack(form, following)
        return self._out

    def _directory(self, files: Mapping[str, bytes], above: str, own: int, parent: int) -> bytes:
        """The slots of a directory whose first cluster is `own`; what is in it is stored."""
        slots = b""
        if above:
            slots = _short(b".          ", _DIRECTORY, own, 0) + _short(b"..         ", _DIRECTORY, parent, 0)
        inside = {path.removeprefix(above): data for path, data in files.items() if path.startswith(above)}
        for number, name in enumerate(dict.fromkeys(path.partition("/")[0] for path in sorted(inside)), 1):
            short = f"F{number:07}   ".encode()
            if name in inside:
                clusters = self._take(len(inside[name]))
                self._store(inside[name], clusters)
                entry = _short(short, _ARCHIVE, clusters[0] if clusters else 0, len(inside[name]))
            else:
                (first,) = self._take(1)
                # The parent of a directory in the root is 0, also on FAT32.
                content = self._directory(files, f"{above}{name}/", first, own if above else 0)
                self._store(content, [first, *self._take(len(content) - self._geometry.cluster)])
                entry = _short(short, _DIRECTORY, first, 0)
            slots += _long(name, short) + entry
        return slots

    def _take(self, size: int) -> list[int]:
        count = max(0, -(-size // self._geometry.cluster))
        self._next += count
        return list(range(self._next - count, self._next))

    def _store(self, data: bytes, clusters: list[int]) -> None:
        size = self._geometry.cluster
        for number, cluster in enumerate(clusters):
            self._out[self._geometry.place(cluster)] = data[number * size : (number + 1) * size].ljust(size, b"\0")
            last = 0x0FFFFFFF if self._geometry.wide else 0xFFFF
            self._table[cluster] = clusters[number + 1] if number + 1 < len(clusters) else last


def _short(name: bytes, attributes: int, cluster: int, size: int) -> bytes:
    return struct.pack(
        "<11sBBBHHHHHHHI",
        name,
        attributes,
        0,
        0,
        _TIME,
        _DATE,
        _DATE,
        cluster >> 16,
        _TIME,
        _DATE,
        cluster & 0xFFFF,
        size,
    )


def _long(name: str, short: bytes) -> bytes:
    """The slots with the long name, last part first."""
    if not 0 < len(name) <= _LONG_LIMIT:
        raise VfatError(f"no name for a file on FAT: {name!r}")
    check = 0
    for byte in short:
        check = ((check & 1) << 7 | check >> 1) + byte & 0xFF
    units = (name + "\0" if len(name) % 13 else name).encode("utf-16-le")
    units += b"\xff" * (-len(units) % 26)
    parts = [units[at : at + 26] for at in range(0, len(units), 26)]
    slots = []
    for number, part in reversed(list(enumerate(parts, 1))):
        order = number | (0x40 if number == len(parts) else 0)
        head = bytes((order,)) + part[:10] + bytes((_LONG, 0, check))
        slots.append(head + part[10:22] + b"\0\0" + part[22:])
    return b"".join(slots)
