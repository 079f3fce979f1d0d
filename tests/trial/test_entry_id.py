"""What an entry is known by: what it boots, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainboot.errors import SourcePosition
from chainboot.extlinux.entry import BootEntry
from chainboot.extlinux.evaluation import resolve
from chainboot.extlinux.parser import parse
from chainboot.trial.entry_id import entry_id, is_entry_id

ENTRY = BootEntry(
    "nixos-5-default",
    "NixOS 24.05",
    SourcePosition("/extlinux/extlinux.conf", 9, 1),
    kernel="../nixos/linux",
    initrd="../nixos/initrd",
    append="init=/nix/store/a/init loglevel=4",
)
TEXTS = st.none() | st.text(max_size=8)


def test_the_id_never_changes() -> None:
    # A first stage of today must know what one of last year has recorded.
    assert entry_id(ENTRY) == "ebe4741efa6225fc"


def test_label_number_place_and_title_do_not_matter() -> None:
    other = replace(
        ENTRY, label="nixos-default", title="x", position=SourcePosition("/boot/extlinux/extlinux.conf", 1, 1), indent=3
    )
    assert entry_id(other) == entry_id(ENTRY)


def test_the_default_and_its_generation_are_one_entry() -> None:
    conf = (
        "DEFAULT nixos-default\n"
        "LABEL nixos-default\n  LINUX ../nixos/k\n  INITRD ../nixos/i\n  APPEND init=/nix/store/b/init quiet\n"
        "LABEL nixos-7-default\n  LINUX ../nixos/k\n  INITRD ../nixos/i\n  APPEND init=/nix/store/b/init quiet\n"
        "LABEL nixos-6-default\n  LINUX ../nixos/k\n  INITRD ../nixos/i\n  APPEND init=/nix/store/a/init quiet\n"
    )
    entries = resolve(parse(conf.encode(), "/extlinux/extlinux.conf"), lambda _: None).entries
    default, same, other = (entry_id(entry) for entry in entries)
    assert default == same
    assert default != other


@pytest.mark.parametrize("field", ["kernel", "initrd", "append"])
@pytest.mark.parametrize("value", [None, "", "x"], ids=["none", "empty", "other"])
def test_kernel_initrd_and_command_line_matter(field: str, value: str | None) -> None:
    other = {
        "kernel": replace(ENTRY, kernel=value),
        "initrd": replace(ENTRY, initrd=value),
        "append": replace(ENTRY, append=value),
    }[field]
    assert entry_id(other) != entry_id(ENTRY)


@settings(deadline=None)
@given(st.tuples(TEXTS, TEXTS, TEXTS), st.tuples(TEXTS, TEXTS, TEXTS))
def test_different_texts_have_different_ids(
    one: tuple[str | None, str | None, str | None], two: tuple[str | None, str | None, str | None]
) -> None:
    ids = [
        entry_id(replace(ENTRY, kernel=kernel, initrd=initrd, append=append)) for kernel, initrd, append in (one, two)
    ]
    assert (ids[0] == ids[1]) == (one == two)


def test_text_that_is_not_utf_8_has_an_id() -> None:
    assert is_entry_id(entry_id(replace(ENTRY, append="quiet\udcff\ud800")))


def test_what_has_the_form_of_an_id() -> None:
    assert is_entry_id("0123456789abcdef")
    for text in ("", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcde\n", "x" * 16):
        assert not is_entry_id(text), text
