"""The image while it grows: one content for one path, and links decide where things land."""

from __future__ import annotations

import pytest
from image.elf_files import elf_file

from chainboot.architecture import S390X, X86_64
from chainboot.errors import ChainbootError
from chainboot.image.cpio import Directory, Link
from chainboot.image.tree import ImageTree


def tree_with(*links: tuple[str, str]) -> ImageTree:
    tree = ImageTree(X86_64)
    tree.add_links((path, to, f"link {path}") for path, to in links)
    return tree


def test_files_land_behind_links() -> None:
    tree = tree_with(("/lib", "usr/lib"), ("/lib/x/y", "/lib/z"), ("/up", "lib/../.."))
    assert tree.add_file("/lib/a", 0o644, b"a", "g", "one") == "/usr/lib/a"
    assert tree.add_file("/usr/lib/a", 0o644, b"a", "g", "another") == "/usr/lib/a"
    assert tree.add_file("/lib/x/y/b", 0o644, b"", "g", "one") == "/usr/lib/z/b"
    assert tree.add_file("/up/c", 0o644, b"", "g", "one") == "/c"
    assert [entry.path for entry in tree.entries() if isinstance(entry.node, Link)] == ["/lib", "/up", "/usr/lib/x/y"]
    assert [entry.path for entry in tree.entries() if isinstance(entry.node, Directory)] == [
        "/usr",
        "/usr/lib",
        "/usr/lib/x",
        "/usr/lib/z",
    ]


def test_a_directory_keeps_its_mode_when_something_is_put_into_it() -> None:
    tree = tree_with()
    tree.add_directory("/tmp", 0o1777, "one")
    tree.add_file("/tmp/a", 0o644, b"", "g", "one")
    assert tree.entries()[0].node == Directory(0o1777)


@pytest.mark.parametrize(
    ("path", "data", "words"),
    [
        ("/a", b"2", "/a is wanted by two, and /a is already a file with other content, for one"),
        ("/a/b", b"", "/a/b is wanted by two, and /a is already a file with other content, for one"),
        ("/l", b"", "/l is wanted by two, and /l is already a link to a, for link /l"),
        ("/d", b"", "/d is wanted by two, and /d is already a directory, for one"),
        ("/r/x", b"", "/r leads through more than 40 symbolic links of the image"),
        ("/e", elf_file(S390X), "/e is for s390x (64 bit, big endian), and the image is for x86_64"),
    ],
)
def test_what_contradicts_itself_is_refused(path: str, data: bytes, words: str) -> None:
    tree = tree_with(("/l", "a"), ("/r", "r"))
    tree.add_file("/a", 0o644, b"1", "g", "one")
    tree.add_directory("/d", 0o755, "one")
    with pytest.raises(ChainbootError) as refused:
        tree.add_file(path, 0o644, data, "g", "two")
    assert str(refused.value) == words


def test_a_file_where_a_directory_is_wanted() -> None:
    tree = tree_with()
    tree.add_file("/a", 0o644, b"1", "g", "one")
    with pytest.raises(ChainbootError) as refused:
        tree.add_directory("/a", 0o755, "two")
    assert str(refused.value) == (
        "/a is wanted as a directory for two, and /a is already a file with other content, for one"
    )
