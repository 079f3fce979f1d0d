"""The image while it grows: each path once, with what it is, what it counts as, and why it is there.

Sorts every path through the image's own directory links (`/lib -> usr/lib`), so that a file named by either path lands
in one place. Knows paths and nodes; knows nothing of where they come from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from chainboot.architecture import Architecture
from chainboot.errors import ChainbootError
from chainboot.image.architecture import require_architecture
from chainboot.image.cpio import Device, Directory, File, Link, Node

_MAX_LINKS = 40  # as the kernel: path_resolution(7)


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of the image. `group` is what its bytes are counted under; `because` says who asked for it."""

    path: str
    node: Node
    group: str
    because: str


@dataclass(slots=True)
class ImageTree:
    """Collects entries. Adding the same content to the same path again is harmless, anything else is refused."""

    architecture: Architecture
    _entries: dict[str, Entry] = field(default_factory=dict)

    def entries(self) -> tuple[Entry, ...]:
        """All entries, sorted by path."""
        return tuple(self._entries[path] for path in sorted(self._entries))

    def add_links(self, links: Iterable[tuple[str, str, str]]) -> None:
        """Symbolic links, as (path, to, because). To be called before anything is put below one of them."""
        waiting = [(str(PurePosixPath(path)), to, because) for path, to, because in links]
        # Shallow ones first: a link may lie below another link.
        for path, to, because in sorted(waiting, key=lambda link: (link[0].count("/"), link[0])):
            self._put(path, Link(to), "links", because)

    def add_directory(self, path: str, mode: int, because: str) -> None:
        """A directory with these permission bits. An existing one takes them over."""
        place = self._place(path)
        known = self._entries.get(place)
        if known is not None and not isinstance(known.node, Directory):
            raise ChainbootError(f"{path} is wanted as a directory for {because}, and {_said(known)}")
        if place != "/":
            self._parents(place, because)
            self._entries[place] = Entry(place, Directory(mode), "directories", because)

    def add_file(self, path: str, mode: int, data: bytes, group: str, because: str) -> str:
        """A file. Returns the path it got. An ELF file for another machine is refused."""
        require_architecture(data, self.architecture, path)
        return self._put(path, File(mode, data), group, because)

    def add_device(self, path: str, device: Device, because: str) -> None:
        """A device node."""
        self._put(path, device, "devices", because)

    def holds(self, path: str) -> bool:
        """Whether there is something at `path`."""
        return self._place(path) in self._entries

    def _put(self, path: str, node: Node, group: str, because: str) -> str:
        pure = PurePosixPath(path)
        place = str(PurePosixPath(self._place(str(pure.parent))) / pure.name)
        known = self._entries.get(place)
        if known is not None and known.node != node:
            raise ChainbootError(f"{path} is wanted by {because}, and {_said(known)}")
        if known is None:
            self._parents(place, because)
            self._entries[place] = Entry(place, node, group, because)
        return place

    def _parents(self, place: str, because: str) -> None:
        for parent in reversed(PurePosixPath(place).parents):
            path = str(parent)
            if path == "/":
                continue
            known = self._entries.get(path)
            if known is None:
                self._entries[path] = Entry(path, Directory(0o755), "directories", because)
            elif not isinstance(known.node, Directory):
                raise ChainbootError(f"{place} is wanted by {because}, and {_said(known)}")

    def _place(self, path: str) -> str:
        """Where `path` leads in the image, its own links followed; what does not exist yet stands for itself."""
        todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        done = PurePosixPath("/")
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                done = done.parent
                continue
            known = self._entries.get(str(done / part))
            if known is None or not isinstance(known.node, Link):
                done = done / part
                continue
            links += 1
            if links > _MAX_LINKS:
                raise ChainbootError(f"{path} leads through more than {_MAX_LINKS} symbolic links of the image")
            if known.node.to.startswith("/"):
                done = PurePosixPath("/")
            todo += [step for step in reversed(known.node.to.split("/")) if step not in ("", ".")]
        return str(done)


def _said(known: Entry) -> str:
    match known.node:
        case Directory():
            what = "a directory"
        case Link():
            what = f"a link to {known.node.to}"
        case Device():
            what = "a device node"
        case File():
            what = "a file with other content"
    return f"{known.path} is already {what}, for {known.because}"
