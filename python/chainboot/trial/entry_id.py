"""What an entry is known by in the record, however it is labelled, numbered or mounted. Pure.

Knows what an entry of a configuration says; knows nothing of its files, and nothing of the record.
"""

from __future__ import annotations

from chainboot.extlinux.entry import BootEntry

DIGITS = 16
_HEXADECIMAL = frozenset("0123456789abcdef")


def entry_id(entry: BootEntry) -> str:
    """16 hexadecimal digits for what `entry` boots: kernel, initrd and command line, as the configuration has them.

    Labels are renumbered and mount points change; these three do not, so `nixos-default` and `nixos-5-default` of one
    generation have the same id. The contents of the files do not count either: where an update puts another kernel in
    the place of /vmlinuz, the entry stays what it was.
    """
    # Late: a machine without trials needs no hash.
    from hashlib import sha256

    digest = sha256()
    for text in (entry.kernel, entry.initrd, entry.append):
        # surrogatepass: bytes of the file that are not UTF-8 are surrogates here, and no text may be refused.
        data = b"" if text is None else text.encode("utf-8", "surrogatepass")
        # The length first: ("a", "b") and ("ab", "") are two entries. -1: not given, which is not the same as empty.
        digest.update(b"%d:%s," % (-1 if text is None else len(data), data))
    return digest.hexdigest()[:DIGITS]


def is_entry_id(text: str) -> bool:
    """Whether `text` has the form of an id: 16 lower-case hexadecimal digits."""
    return len(text) == DIGITS and _HEXADECIMAL.issuperset(text)
