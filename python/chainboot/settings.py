"""The settings of chainboot: one table of keys for kernel parameters, file and manual. Pure.

A setting `NAME` is given on the first stage's kernel command line as `chainboot.NAME=VALUE`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

PREFIX = "chainboot."


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. Times are in tenths of a second, as in extlinux.conf, where a name ends in `_ds`."""

    timeout_ds: int = 100
    retry_timeout_ds: int = 50
    device_wait_ds: int = 100


@dataclass(frozen=True, slots=True)
class Key:
    """A row of the table: the field of `Settings`, what it takes, and its help."""

    name: str
    value: str
    help: str


KEYS = (
    Key("timeout_ds", "tenths of a second", "how long the menu waits where the configuration has no TIMEOUT"),
    Key(
        "retry_timeout_ds",
        "tenths of a second",
        "how long the menu waits before the next entry boots by itself, after the default one failed to load",
    ),
    Key("device_wait_ds", "tenths of a second", "how long /init waits for the first disk before it shows the menu"),
)


def from_parameters(words: Iterable[str]) -> tuple[Settings, tuple[str, ...]]:
    """The settings that the words of a kernel command line give, and a sentence for each that makes no sense.

    A bad value costs itself: the default stays.
    """
    settings = Settings()
    complaints: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not name.startswith(PREFIX):
            continue
        name = name.removeprefix(PREFIX)
        if name not in {field.name for field in fields(Settings)}:
            complaints.append(f"{PREFIX}{name} is no setting of chainboot")
        elif not equals or not (value.isascii() and value.isdigit() and len(value) < 9):
            complaints.append(f"{PREFIX}{name}={value} was ignored: it wants a whole number, in tenths of a second")
        else:
            settings = replace(settings, **{name: int(value)})
    return settings, tuple(complaints)
