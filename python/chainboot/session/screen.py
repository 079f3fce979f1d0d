"""What a key, a second or a new window size makes of the menu, and when it has decided.

Pure. This is also the face of the menu: what its callers need of `state` and `frame` can be had from here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from chainboot.session.editor import LineEditor
from chainboot.session.events import Ask, Boot, Edit, EndOfInput, Event, Key, Replace, Resize, Surroundings, Tick
from chainboot.session.frame import Frame, help_rows, render
from chainboot.session.state import (
    CANNOT_BOOT,
    EDITING,
    HELP_SHOWN,
    NO_ENTRIES,
    READY,
    Abilities,
    Action,
    Choice,
    MenuItem,
    Mode,
    ScreenState,
    status,
)

__all__ = [
    "CANNOT_BOOT",
    "EDITING",
    "HELP_SHOWN",
    "NO_ENTRIES",
    "READY",
    "Abilities",
    "Action",
    "Choice",
    "Frame",
    "MenuItem",
    "Mode",
    "ScreenState",
    "open_menu",
    "render",
    "status",
    "update",
]

# No menu has a million entries; more digits are a cat on the keyboard.
_LONGEST_NUMBER = 6

_NO_QUIT = "There is nothing to quit to: boot an entry, or press ? for help."


def open_menu(
    items: tuple[MenuItem, ...],
    *,
    default: int | None,
    timeout_ds: int | None,
    now_ds: int,
    title: str,
    message: str = "",
    banner: tuple[str, ...] = (),
    abilities: Abilities = Abilities(),  # noqa: B008 - frozen
    timer: int | None = None,
    timer_cmdline: str | None = None,
    total_timeout_ds: int | None = None,
) -> ScreenState:
    """A menu at its start.

    `timeout_ds` is in tenths of a second: None waits for ever, 0 boots with the first `Tick`. What boots then is the
    default, unless `timer` names another entry; without one that can boot nothing boots by itself: the menu says so and
    waits. `total_timeout_ds` is a countdown that keys do not stop; it waits for a person to leave the editor.
    """
    timer = default if timer is None else timer
    by_itself = next((item for item in items if item.index == timer), None)
    deadline = None if timeout_ds is None else now_ds + timeout_ds
    total = None if total_timeout_ds is None else now_ds + total_timeout_ds
    if (deadline is not None or total is not None) and items and (by_itself is None or not by_itself.bootable):
        deadline = total = None
        waiting = "No entry boots by itself: the menu waits."
        if by_itself is not None:
            waiting = f"The default {by_itself.label} cannot boot ({'; '.join(by_itself.reasons)}): the menu waits."
        message = f"{message} {waiting}" if message else waiting
    if not items:
        deadline = total = None
    first = next((at for at, item in enumerate(items) if item.index == default), None)
    if first is None:
        first = next((at for at, item in enumerate(items) if item.bootable), 0)
    state = ScreenState(
        items=items,
        default=default,
        title=title,
        message=message,
        banner=banner,
        abilities=abilities,
        timeout_ds=timeout_ds,
        deadline_ds=deadline,
        total_deadline_ds=total,
        timer=timer,
        timer_cmdline=timer_cmdline,
        now_ds=now_ds,
        selected=first,
    )
    return _scrolled(state)


def update(state: ScreenState, event: Event) -> ScreenState:
    """The state after `event`. `choice` is set once the person or the timer has decided; then nothing changes it."""
    if state.choice is not None:
        return state
    match event:
        case Tick():
            return _tick(state, event.now_ds)
        case Resize():
            return _scrolled(replace(state, columns=max(event.columns, 1), rows=max(event.rows, 1)))
        case Surroundings():
            return _surrounded(state, event)
        case EndOfInput():
            return replace(state, choice=Choice(Action.QUIT)) if state.end_ds is None else state
        case Key() | Boot() | Edit() | Replace() | Ask():
            # Whatever is typed, somebody is there.
            quiet = replace(state, deadline_ds=None, notice="", refused=None)
        case _:
            assert_never(event)
    match event:
        case Key():
            after = _press(quiet, event.name)
        case Boot():
            item = quiet.item(event.index)
            after = _boot(quiet, item) if item else _no_such(quiet, str(event.index))
        case Edit():
            item = quiet.item(event.index)
            after = _edit(quiet, item) if item else _no_such(quiet, str(event.index))
        case Replace():
            after = _press_in_editor(_retyped(quiet, event.text), "Enter") if quiet.editor else quiet
        case Ask():
            after = replace(quiet, choice=Choice(Action.ASK, words=event.words)) if quiet.abilities.can_ask else quiet
        case _:
            assert_never(event)
    return _scrolled(after)


def _tick(state: ScreenState, now_ds: int) -> ScreenState:
    state = replace(state, now_ds=now_ds)
    item = state.item(state.timer)
    if item is None or not item.bootable or state.end_ds is None or now_ds < state.end_ds or state.mode is Mode.EDIT:
        return state
    return replace(state, choice=Choice(Action.BOOT, state.timer, state.timer_cmdline, by_timer=True))


def _surrounded(state: ScreenState, seen: Surroundings) -> ScreenState:
    """Take over what all views share: the countdown above all, which a key here stops only by way of them."""
    after = replace(
        state,
        deadline_ds=seen.deadline_ds,
        total_deadline_ds=seen.total_deadline_ds,
        attached=seen.attached,
        others=seen.others,
        waiting=seen.waiting,
        banner=seen.facts,
    )
    if seen.leaving:
        return replace(after, choice=Choice(Action.LEAVE))
    if after.mode is Mode.EDIT and after.end_ds is not None and not seen.attached:
        # Whoever opened the editor has gone: what they typed must not keep the machine for ever.
        after = replace(after, mode=Mode.LIST, editor=None)
    if seen.look_again and state.mode is Mode.LIST and not state.typed:
        return replace(after, choice=Choice(Action.RESCAN, by_timer=True))
    return after if after == state else _scrolled(after)


def _press(state: ScreenState, key: str) -> ScreenState:
    match state.mode:
        case Mode.LIST:
            return _press_in_list(state, key)
        case Mode.EDIT:
            return _press_in_editor(state, key)
        case Mode.HELP:
            return _press_in_help(state, key)
        case _:
            assert_never(state.mode)


def _press_in_list(state: ScreenState, key: str) -> ScreenState:
    if len(key) == 1 and key in "0123456789":
        return _type_number(state, state.typed + key)
    if key == "Backspace" and state.typed:
        return _type_number(state, state.typed[:-1])
    if key == "Enter":
        return _enter(state)
    state = replace(state, typed="")
    page = max(state.layout().entries - 1, 1)
    last = max(len(state.items) - 1, 0)
    match key:
        case "Up" | "k" | "C-p":
            return _select(state, state.selected - 1)
        case "Down" | "j" | "C-n":
            return _select(state, state.selected + 1)
        case "PageUp" | "C-b":
            return _select(state, state.selected - page)
        case "PageDown" | "C-f":
            return _select(state, state.selected + page)
        case "Home" | "g":
            return _select(state, 0)
        case "End" | "G":
            return _select(state, last)
        case "e":
            return _edit(state, state.current) if state.current else _nothing(state)
        case "s":
            if not state.abilities.can_shell:
                return replace(state, notice="A shell is not available here.")
            return replace(state, choice=Choice(Action.SHELL))
        case "r" if not state.abilities.can_rescan:
            return replace(state, notice="Looking again is not available here.")
        case "r":
            return replace(state, choice=Choice(Action.RESCAN))
        case "q" | "C-c" if state.abilities.can_quit:
            return replace(state, choice=Choice(Action.QUIT))
        case "q":
            return replace(state, notice=_NO_QUIT)
        case "?" | "h" | "F1":
            return replace(state, mode=Mode.HELP, help_top=0)
        case _:
            # MENU LABEL's hotkey: it selects, as in syslinux; letters that mean something here keep their meaning.
            letter = key.lower()
            marked = (at for at, item in enumerate(state.items) if item.hotkey is not None and item.hotkey == letter)
            at = next(marked, None)
            return state if at is None else _select(state, at)


def _press_in_editor(state: ScreenState, key: str) -> ScreenState:
    editor, item = state.editor, state.current
    if editor is None or item is None or key in ("Escape", "C-c", "C-g"):
        return replace(state, mode=Mode.LIST, editor=None)
    if key != "Enter":
        return replace(state, editor=editor.press(key))
    return replace(state, choice=Choice(Action.BOOT, item.index, editor.text if editor.changed else None))


def _retyped(state: ScreenState, text: str) -> ScreenState:
    return replace(state, editor=replace(state.editor, text=text, cursor=len(text))) if state.editor else state


def _press_in_help(state: ScreenState, key: str) -> ScreenState:
    """Keys that move scroll where not all of the help fits; any other key leaves it."""
    lines, shown = help_rows(state)
    steps = {"Up": -1, "k": -1, "Down": 1, "j": 1, "PageUp": -shown, "PageDown": shown, " ": shown}
    step = steps.get(key)
    if step is None or lines <= shown:
        return replace(state, mode=Mode.LIST)
    return replace(state, help_top=max(min(state.help_top + step, lines - shown), 0))


def _type_number(state: ScreenState, typed: str) -> ScreenState:
    """A digit. Up to nine entries it selects; with more, digits gather into a number that Enter boots."""
    if not state.items:
        return _nothing(state)
    named = next((at for at, item in enumerate(state.items) if typed and item.index == int(typed)), None)
    if max(item.index for item in state.items) <= 9:
        return _no_such(state, typed) if named is None else _select(state, named)
    typed = typed[:_LONGEST_NUMBER]
    if not typed:
        return replace(state, typed="")
    if named is None:
        return replace(state, typed=typed, notice=f"Entry {typed}: there is none with this number.")
    return replace(_select(state, named), typed=typed, notice=f"Entry {typed}: Enter boots it.")


def _enter(state: ScreenState) -> ScreenState:
    if not state.items:
        return _nothing(state)
    item = state.item(int(state.typed)) if state.typed else state.current
    state, typed = replace(state, typed=""), state.typed
    return _boot(state, item) if item else _no_such(state, typed)


def _select(state: ScreenState, position: int) -> ScreenState:
    return replace(state, selected=max(min(position, len(state.items) - 1), 0))


def _boot(state: ScreenState, item: MenuItem) -> ScreenState:
    if not state.abilities.can_boot:
        return replace(state, notice="You may look, and boot nothing.")
    if not item.bootable:
        return _refuse(state, item)
    return replace(state, choice=Choice(Action.BOOT, item.index))


def _edit(state: ScreenState, item: MenuItem) -> ScreenState:
    if not state.abilities.can_edit:
        return replace(state, notice="Command lines may not be edited here.")
    if not item.bootable:
        return _refuse(state, item)
    return replace(
        state,
        mode=Mode.EDIT,
        selected=state.items.index(item),
        editor=LineEditor(item.cmdline, len(item.cmdline), item.cmdline),
    )


def _refuse(state: ScreenState, item: MenuItem) -> ScreenState:
    return replace(state, refused=item.index, notice=f"{item.label} cannot boot: {'; '.join(item.reasons)}")


def _no_such(state: ScreenState, number: str) -> ScreenState:
    return replace(state, notice=f"There is no entry {number}.")


def _nothing(state: ScreenState) -> ScreenState:
    return replace(state, notice="There is no entry to boot.")


def _scrolled(state: ScreenState) -> ScreenState:
    """With `top` moved as little as needed to show the selected entry."""
    if state.mode is not Mode.LIST:
        return state
    shown = max(state.layout().entries, 1)
    top = min(max(state.top, state.selected - shown + 1, 0), state.selected)
    return replace(state, top=max(min(top, len(state.items) - shown), 0))
