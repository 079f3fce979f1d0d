"""The files that INCLUDE names: each is read once, and all together are bounded. Pure."""

from __future__ import annotations

from collections.abc import Callable

from chainboot.extlinux.parser import LINE_LIMIT, SIZE_LIMIT, Document


class _Allowance:
    """What is left of the lines and characters that one configuration may have."""

    def __init__(self) -> None:
        self._lines, self._characters = LINE_LIMIT, SIZE_LIMIT

    def take(self, lines: int, characters: int) -> bool:
        """Take the size of a document away; False, and nothing is taken, where it is more than is left."""
        if lines > self._lines or characters > self._characters:
            return False
        self._lines -= lines
        self._characters -= characters
        return True


class IncludedFiles:
    """What `read` returned, by name. `full` says that files were left unread, because there would be too much.

    All files together may be as large as one, because they are held at the same time; and so may be all that is
    included, each file counted as often as it is, because that is what is gone through.
    """

    def __init__(self, read: Callable[[str], Document | None], files: int) -> None:
        self.full = False
        self._read = read
        self._files_left = files
        self._held = _Allowance()
        self._gone_through = _Allowance()
        self._by_name: dict[str, Document | None] = {}
        self._sizes: dict[str, tuple[int, int]] = {}

    def find(self, name: str) -> Document | None:
        """The file `name`, read now or before (Debian includes stdmenu.cfg many times); None without one."""
        if name not in self._by_name:
            self._by_name[name] = self._read_bounded(name)
        return self._by_name[name]

    def admits(self, name: str) -> bool:
        """Whether a file that was found may be included once more; it counts from then on."""
        return self._gone_through.take(*self._sizes[name])

    def _read_bounded(self, name: str) -> Document | None:
        self.full = self.full or self._files_left == 0
        document = None if self.full else self._read(name)
        if document is None:
            return None
        self._files_left -= 1
        self._sizes[name] = len(document.lines), sum(map(len, document.lines))
        self.full = not self._held.take(*self._sizes[name])
        return None if self.full else document
