"""Menus that several tests look at."""

from __future__ import annotations

from chainboot.session.events import Event, Key, Resize
from chainboot.session.screen import Abilities, MenuItem, ScreenState, open_menu, update

COMMAND_LINE = "init=/nix/store/x1z-nixos-system/init console=ttyS0,115200 loglevel=4"

# ESC, CSI as one byte, a bidi override, a line separator, a lone surrogate: what a hostile label may hold.
HOSTILE = "a\x1b[2Jb\x9bc\u202ed\u2028e\udcfff\r\ng\x00h"


def entry(index: int) -> MenuItem:
    """A generation as NixOS writes it; 3 lacks its kernel."""
    return MenuItem(
        index=index,
        label="nixos-default" if index == 1 else f"nixos-{43 - index}-default",
        title="NixOS - Default" if index == 1 else f"NixOS - Configuration {43 - index} (2024-05-{index:02} - 24.05)",
        cmdline=COMMAND_LINE,
        detail=("volume  vda1 (ext4, nixos)", "kernel  /boot/nixos/k1-bzImage (8.1 MiB)"),
        reasons=("the kernel /boot/nixos/k0-bzImage does not exist",) if index == 3 else (),
    )


def entries(count: int) -> tuple[MenuItem, ...]:
    return tuple(entry(index) for index in range(1, count + 1))


def menu(
    count: int = 5,
    *,
    items: tuple[MenuItem, ...] | None = None,
    default: int | None = 1,
    timeout_ds: int | None = 50,
    message: str = "",
    banner: tuple[str, ...] = (),
    abilities: Abilities | None = None,
    timer: int | None = None,
    timer_cmdline: str | None = None,
    total_timeout_ds: int | None = None,
) -> ScreenState:
    """A menu at time 1000."""
    return open_menu(
        entries(count) if items is None else items,
        default=default,
        timeout_ds=timeout_ds,
        now_ds=1000,
        title="chainboot: NixOS",
        message=message,
        banner=banner,
        abilities=abilities or Abilities(),
        timer=timer,
        timer_cmdline=timer_cmdline,
        total_timeout_ds=total_timeout_ds,
    )


def after(state: ScreenState, *events: Event | str) -> ScreenState:
    """`state` after these events; a string is the name of a key."""
    for event in events:
        state = update(state, Key(event) if isinstance(event, str) else event)
    return state


def sized(state: ScreenState, columns: int, rows: int) -> ScreenState:
    return update(state, Resize(columns, rows))
