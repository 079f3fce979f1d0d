"""How a file starts that a kernel would take for an initrd, and how several are put together. Pure; unpacks nothing."""

from __future__ import annotations

# Kernel Documentation/driver-api/early-userspace/buffer-format.rst (cpio: 070701 or 070702) and lib/decompress.c,
# compressed_formats[].
_STARTS = (
    b"070701", b"070702", b"\x1f\x8b", b"\x1f\x9e", b"BZh", b"\x5d\x00", b"\xfd7zXZ", b"\x89LZO", b"\x02\x21\x4c\x18",
    b"\x28\xb5\x2f\xfd",
)  # fmt: skip

# The bytes that `is_initrd` wants to see.
HEAD_SIZE = 8


# At a multiple of this the kernel looks for the next archive (buffer-format.rst). Zero bytes fill the gap.
ALIGNMENT = 4


def padding(size: int) -> bytes:
    """What has to stand between the first `size` bytes and the next archive."""
    return bytes(-size % ALIGNMENT)


def is_initrd(head: bytes) -> bool:
    """Whether the kernel would try to unpack a file with this start. Zero bytes may come before an archive."""
    return head.lstrip(b"\0").startswith(_STARTS)
