"""Files of chainboot's own on a volume that somebody else may have written to: replaced whole, or added to.

The directory is looked for inside the volume and opened step by step, so that no link leads out of it. Knows nothing
of what the files say. Everything may raise `PathError` or `OSError`.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from types import TracebackType

from chainboot.boot.volume import PathError, Volume, file_type
from chainboot.boot.writing import System
from chainboot.sync import sync_directory

_MODE = 0o700


class OwnDirectory:
    """The directory `path` of the writable volume at `root`, open for the time of a `with`; it is made if missing."""

    def __init__(self, root: str, path: str, system: System) -> None:
        self._volume = Volume(root, root or "/")
        self._path = path
        self._system = system
        self._descriptor = -1

    def __enter__(self) -> OwnDirectory:
        self._descriptor = self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._system.close(self._descriptor)

    def size(self, name: str) -> int:
        """Bytes in the file `name`, 0 where there is none."""
        try:
            return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0

    def replace(self, name: str, data: bytes) -> None:
        """Put `data` in the place of the file `name`: after a power cut there is the old text or the new one."""
        # One name for all, so that what a power cut leaves behind is taken away by the next time.
        fresh = f".{name}.new"
        with suppress(OSError):
            self._system.remove(fresh, self._descriptor)
        try:
            self._write(fresh, os.O_CREAT | os.O_EXCL, data)
            self._system.rename(fresh, name, self._descriptor)
        except BaseException:
            with suppress(OSError):
                self._system.remove(fresh, self._descriptor)
            raise
        self._renamed(name)

    def add(self, name: str, data: bytes) -> None:
        """Put `data` behind what is in the file `name`. A power cut may tear it."""
        # A torn line must not swallow the one behind it.
        new = self.size(name) == 0
        self._write(name, os.O_CREAT | os.O_APPEND, data if new or self._ends_a_line(name) else b"\n" + data)
        if new:
            self.sync()

    def rotate(self, name: str) -> None:
        """The file `name` is now called `name.1`, and what was called so is gone."""
        self._system.rename(name, f"{name}.1", self._descriptor)
        self._renamed(f"{name}.1")

    def keep_newest(self, count: int, ending: str, *, but: str) -> None:
        """Remove the oldest files with this ending until there are `count`, and what `replace` has left unfinished.

        The file `but` stays, whatever the clock says. What cannot be removed stays too.
        """
        surplus: list[str] = []
        aged: list[tuple[int, str]] = []
        with os.scandir(self._descriptor) as entries:
            for entry in entries:
                if entry.name.endswith(f"{ending}.new"):
                    surplus.append(entry.name)
                elif entry.name.endswith(ending) and entry.name != but:
                    aged.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
        surplus += [name for _, name in sorted(aged, reverse=True)[count - 1 :]]
        for name in surplus:
            with suppress(OSError):
                self._system.remove(name, self._descriptor)

    def sync(self) -> None:
        """The names of the files, down to the disk."""
        sync_directory(self._system.sync, self._descriptor)

    def _renamed(self, name: str) -> None:
        """The new name of a file down to the disk, and then the file: FAT puts size and place beside the name then."""
        self.sync()
        descriptor = self._system.open(name, os.O_RDONLY | os.O_NONBLOCK, self._descriptor)
        try:
            self._system.sync(descriptor)
        finally:
            self._system.close(descriptor)

    def _ends_a_line(self, name: str) -> bool:
        descriptor = self._system.open(name, os.O_RDONLY | os.O_NONBLOCK, self._descriptor)
        try:
            size = self._system.status(descriptor).st_size
            return os.pread(descriptor, 1, size - 1) == b"\n"
        finally:
            self._system.close(descriptor)

    def _write(self, name: str, flags: int, data: bytes) -> None:
        descriptor = self._system.open(name, os.O_WRONLY | os.O_NONBLOCK | flags, self._descriptor)
        try:
            mode = self._system.status(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise PathError(f"{self._path}/{name} is {file_type(mode)}, not a file")
            while data:
                data = data[self._system.write(descriptor, data) :]
            self._system.sync(descriptor)
        finally:
            self._system.close(descriptor)

    def _open(self) -> int:
        path = ""
        for part in filter(None, self._path.split("/")):
            try:
                path = self._volume.follow(f"{path}/{part}")
            except PathError as error:
                if not error.missing:
                    raise
                os.mkdir(f"{self._volume.root}{path}/{part}", _MODE)
                parent = self._system.open(f"{self._volume.root}{path}" or "/", os.O_RDONLY | os.O_DIRECTORY)
                try:
                    sync_directory(self._system.sync, parent)
                finally:
                    self._system.close(parent)
                path = f"{path}/{part}"
        return self._system.open(f"{self._volume.root}{path}" or "/", os.O_RDONLY | os.O_DIRECTORY)
