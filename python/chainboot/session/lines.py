"""The menu as numbered lines, for what is no screen: a pipe, a printing console, TERM=dumb.

What a line means and which lines a state prints. The rules are those of `screen`: a line becomes an event. Pure; who
reads and writes the lines is `line_menu`.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.session.events import Ask, Boot, Edit, Event, Key, Replace
from chainboot.session.keys import UNKNOWN
from chainboot.session.state import Abilities, MenuItem, Mode, ScreenState, countdown, status
from chainboot.text import clip, printable

PROMPT = "chainboot: choose a number"
NEW_COMMAND_LINE = "chainboot: type the new command line"

# Seconds before the end at which the countdown is worth a line: an operator's console keeps every one of them.
_MOMENTS = (300, 120, 60, 30, 10, 5)
_LONGEST_TEXT = 4000
_LONGEST_NUMBER = 6
_KEYS = {
    "s": "s",
    "shell": "s",
    "r": "r",
    "rescan": "r",
    "q": "q",
    "quit": "q",
    "?": "?",
    "h": "?",
    "help": "?",
}
# Verbs that are typed as over SSH; the words after them are theirs.
_VERBS = frozenset(
    {"show", "plan", "status", "log", "hold", "resume", "reboot", "poweroff", "next", "rollback", "set-default"}
)
_WITH_ENTRY = ("show", "plan", "log", "next", "set-default")


def help_text(able: Abilities) -> tuple[str, ...]:
    """The help: a line for each thing that somebody with these abilities can type."""
    lines = (
        (able.can_boot, "N, LABEL, b N, b LABEL   boot this entry"),
        (able.can_boot, "an empty line            boot the entry that the prompt names"),
        (
            able.can_edit,
            "e N, e LABEL             edit its command line for this boot: it is shown, then type the new one",
        ),
        (True, "l                        list the entries again"),
        (able.can_shell, "s                        a rescue shell; leave it to come back"),
        (able.can_rescan, "r                        look for disks and entries again"),
        (able.can_quit, "q                        leave the menu, where there is something to go to"),
        (able.can_ask, "show N, plan N           everything about an entry; what booting it would run"),
        (able.can_ask, "status, log              what the machine waits for and who is here; what was done"),
        (able.can_ask, "log N                    why this entry failed"),
        (
            able.can_ask and able.can_boot,
            "next N, next N --once    what boots by itself from now on, or the next time only",
        ),
        (
            able.can_ask and able.can_boot,
            "rollback                 the newest other entry that is known to be good, from now on",
        ),
        (able.can_ask and able.can_edit, "set-default N            make it the default in the configuration file"),
        (able.can_ask and able.can_boot, "hold, resume             stop the countdown; let it go on"),
        (able.can_ask and able.can_boot, "reboot                   restart the machine"),
        (able.can_ask and able.can_shell, "poweroff                 switch the machine off"),
        (able.can_ask and able.can_edit, "boot N --append TEXT     boot an entry with words added to its command line"),
        (True, "Any line stops the countdown."),
    )
    return tuple(line for shown, line in lines if shown)


@dataclass(frozen=True, slots=True)
class Command:
    """What a line means: events for the menu, a sentence to answer with, and whether to list everything again."""

    events: tuple[Event, ...]
    answer: str = ""
    again: bool = False


def parse(line: str, state: ScreenState) -> Command:
    """What `line`, without its newline, means to a menu in `state`. Always at least one event: somebody is there."""
    if state.mode is Mode.EDIT:
        return _parse_command_line(line)
    # The help has been printed; there is nothing to leave.
    leave = (Key("Escape"),) if state.mode is Mode.HELP else ()
    command = _parse_word(line.strip(), state)
    return Command((*leave, *command.events), command.answer, command.again)


def _parse_command_line(line: str) -> Command:
    text = line.replace("\t", " ").strip(" ")
    if not text:
        return Command((Key("Escape"),), "Nothing was changed.")
    if printable(text) != text:  # an arrow key on a terminal that only prints
        return Command((Key("Escape"),), "The line holds control characters; nothing was changed.")
    return Command((Replace(text),))


def _parse_word(text: str, state: ScreenState) -> Command:
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    lower = word.lower()
    if not text:
        return Command((Key("Enter"),))
    # A label is what a configuration says, and may be any of the words below but those of the menu itself.
    if lower not in _KEYS and lower not in ("l", "list", "e", "edit") and _has_label(text, state):
        index = _index(text, state)
        return Command((Key(UNKNOWN),) if index is None else (Boot(index),))
    if state.abilities.can_ask and lower in _VERBS:
        named = _reference(rest, state) if lower in _WITH_ENTRY else rest
        return Command((Ask(f"{lower} {named}".strip()),))
    if state.abilities.can_ask and lower in ("b", "boot") and " --" in text and not _has_label(rest, state):
        return Command((Ask(f"boot {_reference(rest, state)}"),))
    if lower in ("l", "list") and not rest:
        return Command((Key(UNKNOWN),), again=True)
    if lower in _KEYS and not rest:
        return Command((Key(_KEYS[lower]),))
    if lower in ("e", "edit") and not rest:
        return Command((Key("e"),))
    editing = bool(rest) and lower in ("e", "edit")
    booting = bool(rest) and lower in ("b", "boot")
    named = rest if editing or booting else text
    index = _index(named, state)
    if index is not None:
        return Command((Edit(index) if editing else Boot(index),))
    if editing or booting or (named.isascii() and named.isdigit()):
        return Command((Key(UNKNOWN),), f"There is no entry {_quoted(named)}.")
    return Command((Key(UNKNOWN),), f"{_quoted(text)} is no command and no entry; ? for help.")


def _has_label(text: str, state: ScreenState) -> bool:
    return any(item.label == text for item in state.items)


def _reference(words: str, state: ScreenState) -> str:
    """An entry and options as the verbs read them: the entry by the label that it has, quoted, where one is meant."""
    known = _index(words, state) is not None
    named, dashes, options = (words, "", "") if known else words.partition(" --")
    index = _index(named.strip(), state)
    item = None if index is None else state.item(index)
    if item is None or named.strip().isdigit() or item.label.startswith("-"):
        return words
    import shlex  # late: most menus do without

    return f"{shlex.quote(item.label)}{dashes}{options}"


def _index(named: str, state: ScreenState) -> int | None:
    """The number of the entry that is called `named`: by number, by label, by label in other letters if that is one."""
    if named.isascii() and named.isdigit():
        number = int(named) if len(named) <= _LONGEST_NUMBER else -1
        if state.item(number) is not None:
            return number
    exact = next((item.index for item in state.items if item.label == named), None)
    if exact is not None:
        return exact
    # An operator's console may send capitals only.
    alike = [item.index for item in state.items if item.label.lower() == named.lower()]
    return alike[0] if len(alike) == 1 else None


def announce(before: ScreenState | None, after: ScreenState, *, answering: bool) -> list[str]:
    """The lines to print when `after` follows `before` (None: nothing was printed yet).

    `answering`: a line was read in between, which is answered even if it changed nothing.
    """
    if before is None or before.items != after.items:
        return [*listing(after), *_closing(after)]
    lines: list[str] = []
    if after.notice and (answering or after.notice != before.notice):
        lines.append(_shown(after.notice))
    if answering or after.mode is not before.mode:
        return [*lines, *_closing(after)]
    left, left_before = after.seconds_left, before.seconds_left
    if left is None or left_before is None:
        return [*lines, status(after)] if status(after) != status(before) else lines
    if any(left <= moment < left_before for moment in _MOMENTS) or left > left_before:
        lines.append(status(after))
    return lines


def listing(state: ScreenState) -> list[str]:
    """Title, facts and all entries."""
    number = len(str(max((item.index for item in state.items), default=0)))
    lines = [_shown(state.title) or "chainboot", *(_shown(fact) for fact in state.banner)]
    for item in state.items:
        default = "  (default)" if item.index == state.default else ""
        default += "  [locked]" if item.locked else ""
        default += f"  [{item.standing}]" if item.standing else ""
        indent = " " * min(item.indent, 16)
        lines.append(f"  {item.index:>{number}}  {indent}{_shown(item.title or item.label)}{default}")
        lines += [f"  {'':>{number}}  {indent}[cannot boot] {_shown(reason)}" for reason in item.reasons]
    return lines + [_shown(told) for told in (state.message, countdown(state)) if told]


def _closing(state: ScreenState) -> list[str]:
    """What ends every answer: what can be typed now, and the status line."""
    if state.choice is not None:
        return []
    if state.mode is Mode.HELP:
        return [*help_text(state.abilities), _prompt(state), status(state)]
    if state.mode is Mode.EDIT and state.editor is not None:
        asking = f"{NEW_COMMAND_LINE}; an empty line changes nothing and goes back"
        note = [_shown(state.current.note)] if state.current is not None and state.current.note else []
        return ["The command line is:", printable(state.editor.text), *note, asking, status(state)]
    return [_prompt(state), status(state)]


def _prompt(state: ScreenState) -> str:
    able = state.abilities
    words = [PROMPT] if state.items else ["chainboot: there is nothing to choose from"]
    words += ["e N to edit"] if state.items and able.can_edit else []
    words += ["s shell"] if able.can_shell else []
    words += ["r rescan"] if able.can_rescan else []
    words += ["q quit"] if able.can_quit else []
    item = state.current
    enter = (
        f"; Enter boots {item.index} ({_name(item)})" if item is not None and item.bootable and able.can_boot else ""
    )
    return f"{', '.join([*words, '? help'])}{enter}"


def _name(item: MenuItem) -> str:
    return clip(_shown(item.label), 60)


def _shown(text: str) -> str:
    return printable(text[:_LONGEST_TEXT])


def _quoted(text: str) -> str:
    return f"'{clip(_shown(text), 60)}'"
