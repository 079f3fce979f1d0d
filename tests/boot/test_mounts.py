"""The kernel's table of mounts, with the names that it writes in its own way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainboot.boot.mounts import Mounted, read_mounts


def table(tmp_path: Path, text: bytes) -> tuple[Mounted, ...]:
    (tmp_path / "mountinfo").write_bytes(text)
    return read_mounts(str(tmp_path / "mountinfo"))


def test_a_line_is_read_whatever_tags_it_has(tmp_path: Path) -> None:
    text = b"22 1 94:1 / /boot rw,noatime - ext4 /dev/dasda1 rw\n23 1 0:9 /a /b ro shared:1 master:2 - tmpfs x rw\n"
    assert table(tmp_path, text) == (
        Mounted("/boot", "94:1", "ext4", "/dev/dasda1"),
        Mounted("/b", "0:9", "tmpfs", "x"),
    )


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (rb"/a\040b", "/a b"),
        (rb"/a\011b\012c", "/a\tb\nc"),
        (rb"/a\134040b", r"/a\040b"),
        (rb"/a\134134", r"/a\134"),
        (rb"\043a", "#a"),
        (rb"/a\777\04", r"/a\777\04"),
        (b"/a\rb\x0bc", "/a\rb\x0bc"),
        ("/ä\u2028b".encode(), "/ä\u2028b"),
        (b"/\xff", "/\udcff"),
    ],
)
def test_names_are_as_they_are(tmp_path: Path, written: bytes, name: str) -> None:
    text = b"1 0 8:1 / " + written + b" rw - ext4 " + written + b" rw\n2 0 8:2 / /other rw - ext4 /dev/x rw\n"
    assert table(tmp_path, text) == (
        Mounted(name, "8:1", "ext4", name),
        Mounted("/other", "8:2", "ext4", "/dev/x"),
    )


def test_what_is_no_line_of_the_kernels_is_left_out(tmp_path: Path) -> None:
    assert table(tmp_path, b"\n1 0 8:1 / /a rw\n1 0 8:1 / - ext4 x rw\n1 0 8:1 / /a rw - ext4\n") == ()


def test_this_machine_has_mounts() -> None:
    if not os.path.exists("/proc/self/mountinfo"):
        pytest.skip("no proc file system")
    assert any(each.path == "/" for each in read_mounts())
