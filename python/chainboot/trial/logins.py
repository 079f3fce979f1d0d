"""Who has logged in over SSH, as systemd-logind tells it. Knows loginctl; knows nothing of trials."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.text import clip, printable

_SHORT_S = 10.0
_MOST = 200

# How often it is looked, and how long between two looks: a session is announced before it is open, and the path unit
# that starts us does not watch while we run. One that opens slowly (its user's manager has to come up, the home may be
# on the network) is looked at for a minute.
_LOOKS = 4
_LOOKS_OPENING = 41
_PAUSE_S = 1.5


def find_login(run: Runner, besides: Collection[str], sleep: Callable[[float], None]) -> str | None:
    """Whoever is logged in over SSH: "NAME from ADDRESS"; None for nobody. `besides` are users who do not count.

    Raises `ChainbootError` where logind does not answer. loginctl(1); sd_session_get_class(3): what is no session of a
    user (a greeter, systemd's own manager) has another class.
    """
    for look in range(_LOOKS_OPENING):
        if look:
            sleep(_PAUSE_S)
        opening = False
        listed = run(["loginctl", "list-sessions", "--no-legend", "--no-pager"], check=True, timeout=_SHORT_S).stdout
        for line in listed.splitlines()[:_MOST]:
            words = line.split()
            values = _session(run, words[0]) if words else {}
            if not _counts(values, besides):
                continue
            if values.get("State") == "active":
                return _name(values)
            opening = opening or values.get("State") == "opening"
        if not opening and look + 1 >= _LOOKS:
            break
    return None


def _session(run: Runner, session: str) -> dict[str, str]:
    names = ("Remote", "Service", "Class", "State", "Name", "RemoteHost")
    try:
        ask = ["loginctl", "show-session", *(f"--property={name}" for name in names), "--", session]
        told = run(ask, check=True, timeout=_SHORT_S).stdout
    except ChainbootError:  # it has just ended
        return {}
    return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


def _counts(values: Mapping[str, str], besides: Collection[str]) -> bool:
    user = values.get("Name", "")
    return (
        values.get("Remote") == "yes"
        and values.get("Service") == "sshd"
        and values.get("Class", "").partition("-")[0] == "user"
        and user != ""
        and user not in besides
    )


def _name(values: Mapping[str, str]) -> str:
    user, where = values.get("Name", ""), values.get("RemoteHost", "")
    return printable(clip(f"{user} from {where}" if where else user, 120))
