"""From candidates to menu items and back: what the menu shows, which entry boots by itself, and when. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainboot.boot.candidate import BootFile, Candidate
from chainboot.boot.cmdline import join
from chainboot.boot.consoles import added
from chainboot.boot.volume import Configuration
from chainboot.errors import Severity
from chainboot.session.state import MenuItem
from chainboot.settings import Settings
from chainboot.text import counted

Identity = tuple[str, str, int]
"""What an entry is known by while the first stage runs: volume, file, line. Its number may change with a rescan."""


def identity(candidate: Candidate) -> Identity:
    """See `Identity`."""
    position = candidate.entry.position
    return candidate.configuration.volume.root, position.file, position.line


@dataclass(frozen=True, slots=True)
class Autoboot:
    """The entry that the timer boots (None: none), after how long (None: never), and a sentence if that is a surprise.

    Times are in tenths of a second; 0 boots at once. `cmdline` replaces the entry's own where ONTIMEOUT gives
    arguments, still without the console that may be added. `total_timeout_ds` is TOTALTIMEOUT, which no key stops.
    `default` is the entry that Enter boots.
    """

    index: int | None
    timeout_ds: int | None
    surprise: str = ""
    cmdline: str | None = None
    total_timeout_ds: int | None = None
    default: int | None = None


def autoboot(
    configurations: Sequence[Configuration],
    among: Sequence[Candidate],
    settings: Settings,
    failed: Mapping[Identity, str],
    unable: Sequence[str] = (),
) -> Autoboot:
    """What this machine does when nobody is there. `failed` holds the entries that did not load, and why.

    `unable` says why this machine can boot nothing at all: then it does not try one entry after the other.

    That is the entry of ONTIMEOUT, else the default. Where it cannot boot, the first one that can takes its place (in
    NixOS's order the newest generation), after a window in which a person can still step in: a machine nobody can
    reach must not wait for one.
    """
    first = next((configuration for configuration in configurations if configuration.menu.entries), None)
    timeout_ds = _timeout(first, settings)
    total_ds = (first.menu.total_timeout_ds or None) if first else None
    default = next((candidate for candidate in among if candidate.default), None)
    if unable and among:
        return Autoboot(
            None, None, f"Nothing boots by itself: {'; '.join(unable)}.", default=default.index if default else None
        )
    on_timeout = _on_timeout(first, among)
    if on_timeout is not None and not _why_not(on_timeout[0], failed):
        named, cmdline = on_timeout
        return Autoboot(named.index, timeout_ds, "", cmdline, total_ds, default.index if default else named.index)
    why_not = _why_not(default, failed) if default else "there is no default entry"
    if default and not why_not:
        return Autoboot(default.index, timeout_ds, "", None, total_ds, default.index)
    instead = next((candidate for candidate in among if not _why_not(candidate, failed)), None)
    blame = f"{default.entry.label} cannot boot: {why_not}" if default else why_not
    if instead is None:
        return Autoboot(None, None, f"{blame}. No entry is left that could boot by itself." if among else "")
    window = None if timeout_ds is None else max(timeout_ds, settings.retry_timeout_ds)
    return Autoboot(instead.index, window, f"{blame}. {instead.entry.label} is next.", None, total_ds, instead.index)


def _on_timeout(configuration: Configuration | None, among: Sequence[Candidate]) -> tuple[Candidate, str | None] | None:
    """The entry that ONTIMEOUT names, and its own command line with the words after the label."""
    value = configuration.menu.on_timeout if configuration else None
    if configuration is None or value is None:
        return None
    own = [candidate for candidate in among if candidate.configuration is configuration]
    label, _, arguments = value.partition(" ")
    for wanted, words in ((value, ""), (label, arguments.strip())):
        for candidate in own:
            if candidate.entry.label == wanted:
                return candidate, join(candidate.cmdline, words) if words else None
    return None


def _why_not(candidate: Candidate, failed: Mapping[Identity, str]) -> str:
    if candidate.reasons:
        return "; ".join(candidate.reasons)
    # A hidden entry (MENU HIDE) is for those who know its name, and no fallback unless it is the default itself.
    if candidate.entry.hidden and not candidate.default:
        return "it is hidden"
    return failed.get(identity(candidate), "")


def _timeout(configuration: Configuration | None, settings: Settings) -> int | None:
    """The configuration's TIMEOUT: 0 waits for ever, a negative one boots at once, none leaves it to the settings."""
    if configuration is None:
        return None
    given = configuration.menu.timeout_ds
    if given is None:
        return settings.timeout_ds
    return None if given == 0 else max(given, 0)


def menu_items(among: Sequence[Candidate]) -> tuple[MenuItem, ...]:
    """The candidates as the menu shows them. Hidden ones keep their numbers and can be booted by name."""
    return tuple(_item(candidate) for candidate in among if not candidate.entry.hidden or candidate.default)


def _item(candidate: Candidate) -> MenuItem:
    entry = candidate.entry
    files = [("kernel", candidate.kernel), *(("initrd", initrd) for initrd in candidate.initrds)]
    detail = [f"menu  {' > '.join(entry.menu_path)}"] if entry.menu_path else []
    detail.append(f"volume  {candidate.configuration.volume.name}")
    detail += [f"{role}  {_described(file)}" for role, file in files if file is not None]
    note = added(candidate, candidate.boot_cmdline)
    detail += [f"note  {note}"] if note else []
    if entry.needs_env:
        detail.append(f"variables that nobody puts in here  {', '.join(entry.needs_env)}")
    if entry.locked:
        detail.append("locked  the configuration asks for a password; it is not asked for here")
    return MenuItem(
        index=candidate.index,
        label=entry.label,
        title=entry.title,
        cmdline=candidate.boot_cmdline,
        detail=tuple(detail) + tuple(line.strip() for line in entry.help),
        reasons=candidate.reasons,
        indent=entry.indent + 2 * len(entry.menu_path),
        hotkey=entry.hotkey,
        locked=entry.locked,
        note=note,
    )


def _described(file: BootFile) -> str:
    return file.problem or f"{file.path} ({file.size / 1048576:.1f} MiB)"


def remarks(configurations: Sequence[Configuration]) -> tuple[str, ...]:
    """A line for each configuration that had something wrong with it."""
    lines: list[str] = []
    for configuration in configurations:
        found = configuration.menu.diagnostics
        errors = sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
        if found:
            told = f"{counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}"
            lines.append(f"{configuration.path}: {told}; the first: {found[0].message}")
    return tuple(lines)


_PRODUCT = "chainboot"


def menu_title(configurations: Sequence[Configuration]) -> str:
    """The title of the menu: the first one that a configuration gives."""
    titles = (configuration.menu.title or "" for configuration in configurations)
    # NixOS writes a row of dashes for a title.
    return next((f"{_PRODUCT}: {title}" for title in titles if title.strip("-")), _PRODUCT)
