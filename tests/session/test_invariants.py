"""What holds for any entries, any events and any size."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session.menus import HOSTILE, after, menu, sized

from chainboot.session.events import Boot, Edit, Event, Key, Resize, Surroundings, Tick
from chainboot.session.screen import (
    Action,
    MenuItem,
    Mode,
    open_menu,
    render,
    status,
    update,
)
from chainboot.text import width

LABELS = st.one_of(st.text(max_size=40), st.just(HOSTILE), st.just("漢" * 150), st.just("x" * 300), st.just(""))
ITEMS = st.lists(st.tuples(LABELS, LABELS, LABELS, st.lists(LABELS, max_size=2), st.integers(0, 30)), max_size=30).map(
    lambda rows: tuple(
        MenuItem(at, label, title, cmdline, (title, cmdline), tuple(reasons), indent)
        for at, (label, title, cmdline, reasons, indent) in enumerate(rows, 1)
    )
)
NAMES = "Up Down j k g G Home End PageUp PageDown e e ? h Escape Backspace Left Home C-w C-u Tab é 漢 1 2 0 Unknown q"
MOMENTS = st.one_of(st.none(), st.integers(0, 3000))
SURROUNDINGS = st.builds(
    Surroundings,
    MOMENTS,
    MOMENTS,
    st.booleans(),
    st.lists(LABELS, max_size=5).map(tuple),
    LABELS,
    st.lists(LABELS, max_size=5).map(tuple),
    st.one_of(st.just(""), LABELS),
    st.booleans(),
)
EVENTS = st.lists(
    st.one_of(
        st.sampled_from(NAMES.split(" ")).map(Key),
        st.builds(Resize, st.integers(20, 200), st.integers(6, 60)),
        st.builds(Tick, st.integers(1000, 1100)),
        SURROUNDINGS,
        st.builds(Boot, st.integers(0, 40)),
        st.builds(Edit, st.integers(0, 40)),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(
    ITEMS,
    EVENTS,
    st.one_of(st.none(), st.integers(1, 30)),
    st.one_of(st.none(), st.integers(0, 100)),
    LABELS,
    st.lists(LABELS, max_size=3),
    st.integers(20, 120),
    st.integers(6, 40),
)
def test_any_events_keep_the_screen_sound(
    items: tuple[MenuItem, ...],
    events: list[Event],
    default: int | None,
    timeout_ds: int | None,
    message: str,
    banner: list[str],
    columns: int,
    rows: int,
) -> None:
    state = open_menu(
        items,
        default=default,
        timeout_ds=timeout_ds,
        now_ds=1000,
        title=message,
        message=message,
        banner=tuple(banner),
    )
    for event in [None, Resize(columns, rows), *events]:
        state = update(state, event) if event is not None else state
        if isinstance(event, Resize):
            columns, rows = event.columns, event.rows
        # At the size it knows, and at one that nobody told it.
        for size in ((columns, rows), (20, 6)):
            frame = render(state, *size)
            assert len(frame.lines) <= size[1] - 1
            assert all(width(line) <= size[0] - 1 for line in frame.lines)
            assert not any(unicodedata.category(char)[0] == "C" for line in frame.lines for char in line)
            if frame.cursor is not None:
                assert 0 <= frame.cursor[0] < len(frame.lines)
                assert 0 <= frame.cursor[1] < size[0]
            assert (frame.cursor is None) == (state.mode is not Mode.EDIT)
            if state.mode is Mode.LIST and items:
                assert frame.selected_row is not None
                assert frame.lines[frame.selected_row].startswith(">")
                assert sum(line.startswith(">") for line in frame.lines) >= 1
        line = status(state)
        assert not any(unicodedata.category(char)[0] == "C" for char in line)
        assert line.startswith("chainboot: ")
        assert not items or 0 <= state.selected < len(items)
        if state.choice is not None and state.choice.action is Action.BOOT:
            chosen = state.item(state.choice.index)
            assert chosen is not None
            assert chosen.bootable


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (2, 2), (3, 3), (5, 4), (19, 5), (1, 60), (300, 1)])
@pytest.mark.parametrize("keys", ["", "?", "e", "3 Enter", "G"])
def test_a_screen_that_is_far_too_small_is_no_reason_to_crash(columns: int, rows: int, keys: str) -> None:
    state = after(sized(menu(20, banner=("fact",)), columns, rows), *keys.split())
    frame = render(state, columns, rows)
    assert len(frame.lines) <= rows - 1
    assert all(width(line) <= columns - 1 for line in frame.lines)
