"""Which entry DEFAULT means, and what is said where it means none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainboot.extlinux.entry import BootEntry


@dataclass(frozen=True, slots=True)
class Default:
    """The default entry, counted from 0 (None: there is none), and words after its label in DEFAULT.

    `surprise` is the sentence to show where another entry was taken than the one the file names.
    """

    index: int | None
    arguments: str = ""
    surprise: str = ""


def choose_default(entries: Sequence[BootEntry], wanted: str | None, menu_default: int | None) -> Default:
    """The default among `entries`; `wanted` is the value of DEFAULT, `menu_default` what MENU DEFAULT marks.

    In this order: the whole value as a label (U-Boot: Fedora's labels have blanks), its first word with the
    rest as arguments (syslinux), NixOS's old names, MENU DEFAULT, the first entry that can boot.
    """
    by_label: dict[str, int] = {}
    for index, entry in enumerate(entries):
        by_label.setdefault(entry.label, index)
    fallback = menu_default
    if fallback is None:
        fallback = next((index for index, entry in enumerate(entries) if not entry.reasons), None)
    if wanted is None:
        return Default(fallback)
    if wanted in by_label:
        return Default(by_label[wanted])
    word, _, arguments = wanted.partition(" ")
    arguments = arguments.strip()
    if word in by_label:
        return Default(by_label[word], arguments)
    if word.startswith("nixos-") and f"{word}-default" in by_label:
        # NixOS still suggests `DEFAULT nixos-42` in its files, though that label became nixos-42-default.
        surprise = f"there is no label {word}; {word}-default is the default instead"
        return Default(by_label[f"{word}-default"], arguments, surprise)
    instead = "there is no default" if fallback is None else f"{entries[fallback].label} is the default instead"
    return Default(fallback, "", f"DEFAULT names no label of this file ({wanted}); {instead}")
