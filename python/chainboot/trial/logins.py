"""Who has logged in over SSH, as systemd-logind tells it. Knows loginctl; knows nothing of trials."""

from __future__ import annotations

from collections.abc import Callable, Collection

from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.text import clip, printable

_SHORT_S = 10.0
_MOST = 200

# How often it is looked, and how long between two looks: a session is announced before it is open, and the path unit
# that starts us does not watch while we run.
_LOOKS = 4
_PAUSE_S = 1.5


def find_login(run: Runner, besides: Collection[str], sleep: Callable[[float], None]) -> str | None:
    """Whoever is logged in over SSH: "NAME from ADDRESS"; None for nobody. `besides` are users who do not count.

    Raises `ChainbootError` where logind does not answer. loginctl(1); sd_session_get_class(3): what is no session of a
    user (a greeter, systemd's own manager) has another class.
    """
    for look in range(_LOOKS):
        if look:
            sleep(_PAUSE_S)
        listed = run(["loginctl", "list-sessions", "--no-legend", "--no-pager"], check=True, timeout=_SHORT_S).stdout
        for line in listed.splitlines()[:_MOST]:
            words = line.split()
            found = _person(run, words[0], besides) if words else None
            if found is not None:
                return found
    return None


def _person(run: Runner, session: str, besides: Collection[str]) -> str | None:
    names = ("Remote", "Service", "Class", "State", "Name", "RemoteHost")
    try:
        ask = ["loginctl", "show-session", *(f"--property={name}" for name in names), "--", session]
        told = run(ask, check=True, timeout=_SHORT_S).stdout
    except ChainbootError:  # it has just ended
        return None
    values = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    user = values.get("Name", "")
    counts = (
        values.get("Remote") == "yes"
        and values.get("Service") == "sshd"
        and values.get("Class", "").partition("-")[0] == "user"
        and values.get("State") == "active"
        and user != ""
        and user not in besides
    )
    if not counts:
        return None
    where = values.get("RemoteHost", "")
    return printable(clip(f"{user} from {where}" if where else user, 120))
