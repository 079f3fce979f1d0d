"""The settings of chainboot: one table of keys for kernel parameters, file and manual. Pure.

A setting `NAME` is given on the first stage's kernel command line as `chainboot.NAME=VALUE`, or as a line
`NAME=VALUE` of /etc/chainboot.conf in its image; the command line wins. `/init` and its scripts read both in the
same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from chainboot.devices import parse as parse_devices

PREFIX = "chainboot."
FILE = "/etc/chainboot.conf"

# Where the first stage keeps what it knows while it runs; first-stage/functions.sh has the same.
RUNTIME = "/run/chainboot"

ROLES = ("view", "boot", "edit", "admin")


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. Times in `_ds` are tenths of a second, as in extlinux.conf; the others are in seconds."""

    timeout_ds: int = 100
    retry_timeout_ds: int = 50
    device_wait_ds: int = 100
    network_wait: int = 30
    ip: str = ""
    interfaces: str = ""
    ssh_port: int = 22
    ssh_window: int = 20
    ssh_grace: int = 30
    ssh_role: str = "admin"
    ssh_volume_keys: int = 0
    console_idle: int = 600
    s390x_devices: str = ""
    installed: str = ""
    add_console: int = 0
    tries: int = 2
    trial_window: int = 300
    trial_panic: int = 30
    trial_watchdog: int = 600
    trial_append: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A row of the table: the setting's name, what it takes, its help, and the largest number it can be."""

    name: str
    value: str
    help: str
    most: int = 10**8 - 1

    @property
    def field(self) -> str:
        """The field of `Settings`: a dot in the name, which says what machines it is for, is no part of a field's."""
        return self.name.replace(".", "_")


KEYS = (
    Key("timeout_ds", "tenths of a second", "how long the menu waits where the configuration has no TIMEOUT"),
    Key(
        "retry_timeout_ds",
        "tenths of a second",
        "how long the menu waits before the next entry boots by itself, after the default one failed to load",
    ),
    Key("device_wait_ds", "tenths of a second", "how long /init waits for the first disk before it shows the menu"),
    Key(
        "network_wait",
        "seconds",
        "how long the countdown waits for SSH to be reachable, from when the network is started, before it runs anyway",
    ),
    Key("ip", "kernel syntax", "addresses, as the kernel parameter `ip=` has them, several separated by blanks"),
    Key("interfaces", "names", "the network interfaces to use, separated by commas; all where it is empty"),
    Key("ssh_port", "port", "where the SSH server listens", 65535),
    Key("ssh_window", "seconds", "the least time for which the countdown runs where SSH is served"),
    Key("ssh_grace", "seconds", "how long the countdown runs after the last person has left, however they left"),
    Key("ssh_role", "role", "what a key without a role of its own may do: view, boot, edit, admin; none: nothing"),
    Key("ssh_volume_keys", "0 or 1", "1: authorized_keys in the directory chainboot of the boot volume count too", 1),
    Key("console_idle", "seconds", "after how long without a key a person at a console has left; 0: never"),
    Key("s390x.devices", "devices", "what is set online on IBM Z before disks are looked for, separated by commas"),
    Key(
        "installed",
        "identifier",
        "the first stage that the machine's loader started, as `chainboot install` names it; set by its entry",
    ),
    Key("add_console", "0 or 1", "1: an entry whose command line names no console gets the first stage's own", 1),
    Key("tries", "a number", "how often an entry may be started before it has proved itself; 0: trials are off", 99),
    Key("trial_window", "seconds", "how long the menu waits where no entry is known to be good; 0: for a person"),
    Key("trial_panic", "seconds", "after how long a panic of an entry on trial restarts the machine; 0: as it says"),
    Key("trial_watchdog", "seconds", "after how long without a sign of life a watchdog resets a trial; 0: none"),
    Key("trial_append", "kernel parameters", "what a trial gets besides, such as to let its initrd panic and not ask"),
)

# Of the identifier of a first stage.
_DIGITS = 12

# What takes any text; of devices each has to make sense, but costs only itself.
_TEXTS = ("kernel syntax", "kernel parameters", "names", "devices")

_WANTED = {
    "tenths of a second": "a whole number, in tenths of a second",
    "seconds": "a whole number of seconds",
    "port": "a port, from 1 to 65535",
    "role": f"one of {', '.join(ROLES)}, none",
    "0 or 1": "0 or 1",
    "a number": "a whole number, at most 99",
    "identifier": f"{_DIGITS} hexadecimal digits, or nothing",
    **dict.fromkeys(_TEXTS, "a value after ="),
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a setting: a sentence about it, and where it stands.

    `where` is `FILE: ` or `chainboot.`, as the sentence begins. `line` and `column` are those of the file, from 1, a
    column being a character; 0 for a word of a command line. `name` is what was written as the setting's name.
    """

    where: str
    sentence: str
    name: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class _Given:
    """A setting as it was written."""

    where: str
    text: str
    line: int = 0
    column: int = 0


def read_settings(file: str, words: Iterable[str]) -> tuple[Settings, tuple[str, ...]]:
    """The settings of the text of a file and of the words of a kernel command line, and a sentence for each mistake.

    A bad value costs itself: what held before it stays.
    """
    settings, mistakes = examine_settings(file, words)
    return settings, tuple(f"{mistake.where}{mistake.sentence}" for mistake in mistakes)


def examine_settings(file: str, words: Iterable[str]) -> tuple[Settings, tuple[Mistake, ...]]:
    """As `read_settings`, with the place of each mistake."""
    settings = Settings()
    mistakes: list[Mistake] = []
    given = list(_lines(file))
    addresses: list[str] = []
    for word in words:
        if word.startswith(PREFIX):
            given.append(_Given(PREFIX, word.removeprefix(PREFIX)))
        elif word.startswith(f'"{PREFIX}'):
            mistakes.append(Mistake("", f"{word} was ignored: write it without quotes", word))
        elif word.startswith("ip="):
            addresses.append(word.removeprefix("ip="))
    for each in given:
        name, equals, value = (part.strip() for part in each.text.partition("="))
        key = next((key for key in KEYS if key.name == name), None)
        said: list[str] = []
        at = 0
        if key is None:
            said.append(f"{name} is no setting of chainboot")
        elif equals and (accepted := _accept(key, value)) is not None:
            settings = replace(settings, **{key.field: accepted})  # type: ignore[arg-type]  # _accept knows the type
            if key.value == "devices":
                said += (f"{name}: {mistake}" for mistake in parse_devices(value)[1])
                at = each.text.index("=") + 1
        else:
            said.append(f"{name}={value} was ignored: it wants {_WANTED[key.value]}")
            at = each.text.find("=") + 1
        at += len(each.text[at:]) - len(each.text[at:].lstrip())
        mistakes += (Mistake(each.where, one, name, each.line, each.column + at if each.line else 0) for one in said)
    # The kernel's own parameter is the more usual one, and where both stand, somebody typed it for this boot.
    if addresses:
        settings = replace(settings, ip=" ".join(addresses))
    return settings, tuple(mistakes)


def _lines(file: str) -> Iterator[_Given]:
    """The lines of a file that hold a setting. They end at LF and at nothing else, as in the shell."""
    for number, line in enumerate(file.split("\n"), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield _Given(f"{FILE}: ", text, number, line.index(text) + 1)


def _accept(key: Key, value: str) -> int | str | None:
    """The value of a setting, or None where it makes no sense."""
    if key.value in _TEXTS:
        return value
    if key.value == "identifier":
        return value if not value or is_identifier(value) else None
    if key.value == "role":
        return value if value in (*ROLES, "none") else None
    if not (value.isascii() and value.isdigit() and len(value) < 9):
        return None
    number = int(value)
    return number if number <= key.most and (key.value != "port" or number > 0) else None


def is_identifier(text: str) -> bool:
    """Whether `text` can name a first stage: 12 hexadecimal digits, in small letters."""
    return len(text) == _DIGITS and set(text) <= set("0123456789abcdef")


def field_names() -> frozenset[str]:
    """The names of all settings."""
    return frozenset(key.name for key in KEYS)
