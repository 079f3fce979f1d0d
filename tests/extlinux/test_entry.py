"""Labels that NixOS writes and has written, and what a kernel keyword starts."""

from __future__ import annotations

import pytest

from chainboot.extlinux.entry import Kind, NixosName, kind_of


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("nixos-default", NixosName(None, None)),
        ("nixos-default-hardened", NixosName(None, "hardened")),
        ("nixos-42", NixosName(42, None)),
        ("nixos-42-default", NixosName(42, None)),
        ("nixos-42-hardened", NixosName(42, "hardened")),
        ("nixos-101-10g-lan", NixosName(101, "10g-lan")),
        ("nixos-", None),
        ("nixos", None),
        ("nixos-42-", None),
        ("nixos-x", None),
        ("nixos-4٢", None),
        ("nixos-99999999999999999999", None),
        ("arch", None),
        ("Nixos-42", None),
    ],
)
def test_nixos_labels(label: str, name: NixosName | None) -> None:
    assert NixosName.from_label(label) == name


@pytest.mark.parametrize(
    ("keyword", "value", "kind"),
    [
        ("LINUX", "../nixos/k", Kind.LINUX),
        ("LINUX", "odd.c32", Kind.LINUX),
        ("KERNEL", "/vmlinuz", Kind.LINUX),
        ("KERNEL", "install.bin", Kind.LINUX),
        ("KERNEL", "menu.c32 arg", Kind.COM32),
        ("KERNEL", "pxelinux.0", Kind.PXE),
        ("KERNEL", "win.BSS", Kind.BOOT_SECTOR),
        ("KERNEL", "/fit.itb#conf-1", Kind.FIT),
        ("LOCALBOOT", "-1", Kind.LOCALBOOT),
        ("CONFIG", "other.cfg", Kind.CONFIG),
        ("MENU EXIT", ".top", Kind.NAVIGATION),
    ],
)
def test_what_a_kernel_keyword_starts(keyword: str, value: str, kind: Kind) -> None:
    assert kind_of(keyword, value) is kind
