"""Names on the boot volume: where an installed first stage lies, and what the names mean. Pure.

    DIR/chainboot/first-stage/ID/      kernel, initrd, parameters: never changed once the directory has this name
    DIR/chainboot/first-stage/ID/      installed (number of the last install that ended), proved (see `boot.proved`)
    DIR/chainboot/zipl/N/              one install: zipl.conf, zipl's bootmap, files of `skip`, which ids it leads to
    *.new, *.old, *.damaged-N          being made, being removed, found to be damaged

A boot record on the disk leads to blocks, not to names: a directory may be renamed while it is needed, never emptied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainboot.boot.cmdline import split, with_parameters
from chainboot.boot.proved import FIRST_STAGES
from chainboot.boot.writable import OWN
from chainboot.settings import is_identifier

KERNEL, INITRD, PARAMETERS = "kernel", "initrd", "parameters"
# In a first stage's directory; its text is the number of the install that has put it on the disk.
COMMITTED = "installed"

ZIPL_CONF, FIRST_STAGE, PREVIOUS = "zipl.conf", "first-stage", "previous"
SKIP_KERNEL, SKIP_INITRD, SKIP_PARAMETERS = "skip-kernel", "skip-initrd", "skip-parameters"
# zipl calls its file `bootmap`, and `bootmap_temp.XXXXXX` before it renames it (bootmap.c, bootmap_create).
BOOTMAP = "bootmap"

_MARK = "chainboot.installed="


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below `root`, the boot volume as it is mounted here: absolute, without links."""

    root: str

    @property
    def own(self) -> str:
        """Where everything lies that `chainboot install` writes."""
        return f"{self.root.rstrip('/')}/{OWN}"

    @property
    def lock(self) -> str:
        """Held by an install while it works."""
        return f"{self.own}/.lock"

    @property
    def first_stages(self) -> str:
        """The directory of all first stages."""
        return f"{self.own}/{FIRST_STAGES}"

    @property
    def installs(self) -> str:
        """The directory of all installs with zipl."""
        return f"{self.own}/zipl"

    def first_stage(self, name: str) -> str:
        """The directory of one first stage."""
        return f"{self.first_stages}/{name}"

    def install(self, number: int) -> str:
        """The directory of one install."""
        return f"{self.installs}/{number}"


def is_number(text: str) -> bool:
    """Whether `text` can name an install: a decimal number from 1, without leading zeros."""
    return text.isascii() and text.isdigit() and len(text) <= 9 and not text.startswith("0")


def is_rest(name: str) -> bool:
    """Whether a directory of this name is one that was being made or being removed: nothing leads to it."""
    stem, _, end = name.rpartition(".")
    return end in ("new", "old") and (is_identifier(stem) or is_number(stem) or is_damaged(stem))


def is_damaged(name: str) -> bool:
    """Whether a directory of this name is a first stage that was found damaged; the disk may still lead to it."""
    stem, _, number = name.partition(".damaged-")
    return is_identifier(stem) and is_number(number)


def identifier(kernel: bytes, initrd: bytes, parameters: str) -> str:
    """The id of a first stage: from SHA-256 digests of its kernel and initrd, and its parameters without the mark."""
    import hashlib

    text = parameters.encode("utf-8", "surrogateescape")
    return hashlib.sha256(kernel + initrd + hashlib.sha256(text).digest()).hexdigest()[:12]


def marked(parameters: str, name: str) -> str:
    """The parameters of the first stage `name` as it gets them: it must know which one it is."""
    return with_parameters(parameters, _MARK + name)


def unmarked(parameters: str | Sequence[str]) -> str:
    """Parameters with one blank between words, without the mark: `marked` can be undone by it."""
    words = split(parameters) if isinstance(parameters, str) else parameters
    return " ".join(word for word in words if not word.startswith(_MARK))
