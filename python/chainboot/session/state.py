"""The menu as data: its entries, what is selected, what is being typed, what was decided; and its status line.

Pure. Knows entries as labels, titles and command lines; knows nothing of disks, of kexec or of keys: what an event
makes of a state is in `screen`, how a state is shown in `frame` and `lines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from chainboot.session.editor import LineEditor
from chainboot.session.layout import Layout, arrange, wrap
from chainboot.text import clip, printable

# What a machine that reads the console may wait for; `status` begins with one of these.
READY = "chainboot: menu ready"
EDITING = "chainboot: editing"
HELP_SHOWN = "chainboot: help"
CANNOT_BOOT = "chainboot: cannot boot"
NO_ENTRIES = "chainboot: no entries"

# A message is a sentence or two; what a hostile disk put into it is cut.
_LONGEST_MESSAGE = 2000
_LABEL_CELLS = 60


class Action(Enum):
    """What is to happen next."""

    BOOT = "boot"
    SHELL = "shell"
    RESCAN = "rescan"
    QUIT = "quit"
    STAY = "stay"  # nothing, after all: look at everything anew
    LEAVE = "leave"  # the machine boots what another session chose
    ASK = "ask"  # a verb in words: its answer is shown, and the menu is back


class Mode(Enum):
    """What the person is looking at."""

    LIST = "list"
    EDIT = "edit"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One entry as the menu shows it. All text is raw, as the disk has it; it is cleaned where it is shown."""

    index: int  # the number a person types, from 1
    label: str
    title: str
    cmdline: str  # what the kernel will be given
    detail: tuple[str, ...] = ()  # lines about it: kernel, initrds, volume; shown where there is room
    reasons: tuple[str, ...] = ()  # why it cannot boot; empty: it can
    indent: int = 0  # in cells
    hotkey: str | None = None  # a letter that selects it, in lower case
    locked: bool = False  # the configuration asks for a password, which is not asked for here
    note: str = ""  # what `cmdline` has that the configuration has not
    standing: str = ""  # what its trials have shown, in a word or two; empty: nothing is counted

    @property
    def bootable(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Choice:
    """The decision. `cmdline` is the edited command line, None: the entry's; `by_timer`: nobody was there.

    `words` are those of ASK.
    """

    action: Action
    index: int | None = None
    cmdline: str | None = None
    by_timer: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the person in front of this menu may do."""

    can_boot: bool = True
    can_rescan: bool = True
    can_shell: bool = True
    can_edit: bool = True
    can_quit: bool = False  # there is something to quit to: a menu in a running system
    can_ask: bool = False  # there are verbs to type where the menu is lines: in the first stage


@dataclass(frozen=True, slots=True)
class ScreenState:
    """All there is to know about a menu. `selected` and `top` are positions in `items`, from 0."""

    items: tuple[MenuItem, ...]
    default: int | None  # index of the default entry
    timer: int | None  # index of the entry that the timer boots: the default, unless ONTIMEOUT names another
    title: str
    message: str  # why the menu is back, or why there is nothing: stays
    banner: tuple[str, ...]
    abilities: Abilities
    timeout_ds: int | None
    deadline_ds: int | None  # None: no countdown, or it was stopped
    total_deadline_ds: int | None  # TOTALTIMEOUT: a countdown that no key stops
    now_ds: int
    selected: int = 0
    top: int = 0  # first entry shown
    help_top: int = 0  # first line of the help shown
    columns: int = 80
    rows: int = 24
    mode: Mode = Mode.LIST
    editor: LineEditor | None = None
    notice: str = ""  # the answer to the last key: goes with the next one
    refused: int | None = None  # index of the entry that was just refused
    typed: str = ""  # digits of a number that is being typed
    attached: bool = False  # this session counts as somebody who is here, which stops the countdown of all views
    others: tuple[str, ...] = ()  # who else is here
    waiting: str = ""  # what the countdown has not begun for
    timer_cmdline: str | None = None  # the command line that ONTIMEOUT gives, None: the entry's own
    choice: Choice | None = None

    @property
    def end_ds(self) -> int | None:
        """When the timer boots; None: never."""
        ends = [end for end in (self.deadline_ds, self.total_deadline_ds) if end is not None]
        return min(ends, default=None)

    @property
    def timed(self) -> bool:
        """Whether something boots by itself here when nobody is there."""
        item = self.item(self.timer)
        return (
            item is not None and item.bootable and (self.timeout_ds is not None or self.total_deadline_ds is not None)
        )

    @property
    def current(self) -> MenuItem | None:
        return self.items[self.selected] if self.items else None

    def item(self, index: int | None) -> MenuItem | None:
        """The entry with the number `index`."""
        return next((item for item in self.items if item.index == index), None)

    @property
    def seconds_left(self) -> int | None:
        """Whole seconds of the countdown, rounded up; None if there is none."""
        return None if self.end_ds is None else max(0, -((self.now_ds - self.end_ds) // 10))

    def told(self) -> list[str]:
        """The message as it is shown: the answer to the last key, or else why the menu is back; then the countdown."""
        cells = max(self.columns - 1, 2)
        said = wrap(printable((self.notice or self.message)[:_LONGEST_MESSAGE]), cells, 4)
        return [*said, *wrap(countdown(self), cells, 2)]

    def layout(self) -> Layout:
        """How the screen is shared out in LIST."""
        return arrange(self.rows, entries=len(self.items), banner=len(self.banner), message=len(self.told()))


# Names of people in a sentence.
_SHOWN_PEOPLE = 3


def countdown(state: ScreenState) -> str:
    """What happens by itself and when, for a person; empty if nothing does."""
    item = state.item(state.timer)
    if item is None or not (state.timed or state.seconds_left is not None):
        return ""
    label = clip(printable(item.label), _LABEL_CELLS)
    if state.seconds_left is not None:
        stops = "Any key stops the countdown." if state.deadline_ds is not None else "No key stops that (TOTALTIMEOUT)."
        return f"Booting in {state.seconds_left} s: {label}. {stops}"
    if state.others:
        return f"Held by {people(state.others)}: {label} does not boot by itself."
    if state.attached:
        return f"{label} does not boot by itself while you are here."
    return f"{label} boots by itself, but not yet: {printable(state.waiting)}." if state.waiting else ""


def people(names: tuple[str, ...]) -> str:
    """Who: `anna`, `anna and boris`, `anna, boris, carla and 3 more`."""
    shown = [clip(printable(name), _LABEL_CELLS) for name in names[:_SHOWN_PEOPLE]]
    more = len(names) - len(shown)
    listed = [*shown, f"{more} more"] if more else shown
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"


def status(state: ScreenState) -> str:
    """The state as one whole line that a machine can read; it begins with one of the constants above."""
    item = state.current
    if state.mode is Mode.HELP:
        line = HELP_SHOWN
    elif not state.items:
        line = f"{NO_ENTRIES}: {state.message or 'nothing to boot was found'}"
    elif state.mode is Mode.EDIT and item is not None:
        line = f"{EDITING} {clip(item.label, _LABEL_CELLS)}"
    elif state.refused is not None and (refused := state.item(state.refused)) is not None:
        line = f"{CANNOT_BOOT} {clip(refused.label, _LABEL_CELLS)}: {'; '.join(refused.reasons)}"
    else:
        default = state.item(state.default)
        counted = f"{len(state.items)} entr{'y' if len(state.items) == 1 else 'ies'}"
        preset = f"default {clip(default.label, _LABEL_CELLS)}" if default else "no default"
        line = f"{READY}: {counted}, {preset}, {_waiting(state)}"
    return printable(line[:_LONGEST_MESSAGE])


def _waiting(state: ScreenState) -> str:
    if state.seconds_left is not None:
        return f"booting in {state.seconds_left} s"
    if not state.timed:
        return "waiting"
    if state.attached or not (state.others or state.waiting):
        return "countdown stopped"
    return "countdown held" if state.others else "countdown not begun"
