"""From candidates to menu items and back: what the menu shows, which entry boots by itself, and when. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chainboot.boot.candidate import BootFile, Candidate
from chainboot.boot.cmdline import join
from chainboot.boot.consoles import added
from chainboot.boot.volume import Configuration
from chainboot.errors import Severity
from chainboot.session.state import MenuItem
from chainboot.session.trials import OFF, Trials
from chainboot.settings import Settings
from chainboot.text import counted
from chainboot.trial.assessment import Assessment, Kind

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
    trials: Trials = OFF,
) -> Autoboot:
    """What this machine does when nobody is there. `failed` holds the entries that did not load, and why.

    `unable` says why this machine can boot nothing at all: then it does not try one entry after the other. `trials` is
    what the records say: a bad entry gives way to the newest good one, and a request comes first.

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
    base = on_timeout[0] if on_timeout is not None and not _why_not(on_timeout[0], failed) else default
    assessed = trials.assess(configurations, among, base, lambda each: cannot_boot(each, failed))
    # Where nothing is left there is still what another disk has, as without any trials.
    decides = assessed is not None and assessed.kind is not Kind.NOTHING
    if assessed is not None and decides and (assessed.kind is not Kind.DEFAULT or assessed.reason):
        decided = _assessed(assessed, base, on_timeout, timeout_ds, total_ds, settings)
        if default is not None and base is not None and base.index == decided.index:
            decided = replace(decided, default=default.index)
        return decided
    if on_timeout is not None and not _why_not(on_timeout[0], failed):
        named, cmdline = on_timeout
        return Autoboot(named.index, timeout_ds, "", cmdline, total_ds, default.index if default else named.index)
    reason = _why_not(default, failed) if default else "there is no default entry"
    if default and not reason:
        return Autoboot(default.index, timeout_ds, "", None, total_ds, default.index)
    instead = next((candidate for candidate in among if not _why_not(candidate, failed)), None)
    blame = f"{default.entry.label} cannot boot: {reason}" if default else reason
    if instead is None:
        return Autoboot(None, None, f"{blame}. No entry is left that could boot by itself." if among else "")
    window = None if timeout_ds is None else max(timeout_ds, settings.retry_timeout_ds)
    return Autoboot(instead.index, window, f"{blame}. {instead.entry.label} is next.", None, total_ds, instead.index)


def _assessed(
    assessed: Assessment,
    base: Candidate | None,
    on_timeout: tuple[Candidate, str | None] | None,
    timeout_ds: int | None,
    total_ds: int | None,
    settings: Settings,
) -> Autoboot:
    """What `trials` say, as the timer wants it. Whoever is not the usual one comes after a window of its own."""
    own = base is not None and assessed.index == base.index
    cmdline = on_timeout[1] if own and on_timeout is not None and on_timeout[0] is base else None
    window: int | None = timeout_ds
    if window is not None and assessed.kind is Kind.FALLBACK:
        window = max(window, settings.retry_timeout_ds)
    if assessed.longer:
        # A person is wanted now. Without one the machine tries again in the end: what failed may have come and gone.
        longer = settings.trial_window * 10
        window, total_ds = (max(window or 0, longer) if longer and window is not None else None), None
    return Autoboot(assessed.index, window, assessed.reason, cmdline, total_ds, assessed.index)


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


def cannot_boot(candidate: Candidate, failed: Mapping[Identity, str]) -> str:
    """Why an entry cannot boot; "" where nothing is known that forbids it."""
    return "; ".join(candidate.reasons) or failed.get(identity(candidate), "")


def _why_not(candidate: Candidate, failed: Mapping[Identity, str]) -> str:
    """Why the timer passes an entry over; "" where it does not."""
    # A hidden entry (MENU HIDE) is for those who know its name, and no fallback unless it is the default itself.
    hidden = "it is hidden" if candidate.entry.hidden and not candidate.default else ""
    return "; ".join(candidate.reasons) or hidden or failed.get(identity(candidate), "")


def _timeout(configuration: Configuration | None, settings: Settings) -> int | None:
    """The configuration's TIMEOUT: 0 waits for ever, a negative one boots at once, none leaves it to the settings."""
    if configuration is None:
        return None
    given = configuration.menu.timeout_ds
    if given is None:
        return settings.timeout_ds
    return None if given == 0 else max(given, 0)


def menu_items(among: Sequence[Candidate], trials: Trials = OFF) -> tuple[MenuItem, ...]:
    """The candidates as the menu shows them. Hidden ones keep their numbers and can be booted by name."""
    return tuple(_item(candidate, trials) for candidate in among if not candidate.entry.hidden or candidate.default)


def _item(candidate: Candidate, trials: Trials) -> MenuItem:
    entry = candidate.entry
    verdict = trials.verdict(candidate)
    files = [("kernel", candidate.kernel), *(("initrd", initrd) for initrd in candidate.initrds)]
    detail = [f"menu  {' > '.join(entry.menu_path)}"] if entry.menu_path else []
    if verdict is not None:
        detail.insert(0, f"trials  {verdict.describe()}")
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
        standing=verdict.badge() if verdict is not None else "",
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
