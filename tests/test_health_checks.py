"""The health checks, with made-up programs: what they call well, and how long they wait for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CHECKS = Path(__file__).parents[1] / "python/health"


class Place:
    """A directory with programs of a test; each writes how it was called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.program("sleep", "")  # nobody waits here, and each second is written down
        # The time that /proc/uptime says: a second for each sleep, and what a program wrote down as `took`.
        took = f"grep -c '^sleep ' {root}/calls; sed -n 's/^took //p' {root}/calls"
        add = "sum=5; while read -r each; do sum=$((sum + each)); done; echo $sum"
        self.program("cut", f"{{ {took}; }} | {{ {add}; }}")

    def program(self, name: str, body: str) -> None:
        path = self.root / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.root}/calls\n{body}\n')
        path.chmod(0o755)

    def run(self, check: str, *arguments: str) -> tuple[int, str, str]:
        environment = {"PATH": f"{self.root}:{os.environ['PATH']}"}
        argv = ["sh", str(CHECKS / check), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment)
        return done.returncode, done.stdout, done.stderr

    def calls(self, name: str) -> list[str]:
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def routes(place: Place, routes: str, neighbour: str = "") -> None:
    """ip, with these default routes of IPv4 and this answer about the router."""
    place.program("ip", f"case $* in '-4 route'*) printf '{routes}' ;; 'neigh '*) printf '{neighbour}' ;; esac")


ROUTE = "default via 192.0.2.1 dev eth0 proto dhcp metric 100\\n192.0.2.0/24 dev eth0\\n"


def test_a_router_that_answers_a_ping(place: Place) -> None:
    routes(place, ROUTE)
    place.program("ping", "exit 0")
    assert place.run("check-route") == (0, "check-route: the router 192.0.2.1 on eth0 answers\n", "")
    assert place.calls("ping") == ["-c 1 -W 1 -I eth0 192.0.2.1"]


@pytest.mark.parametrize(
    ("neighbour", "code"),
    [
        ("192.0.2.1 lladdr 52:54:00:00:00:01 REACHABLE\\n", 0),
        ("192.0.2.1 lladdr 52:54:00:00:00:01 PERMANENT\\n", 0),
        ("192.0.2.1 lladdr 52:54:00:00:00:01 STALE\\n", 1),
        ("192.0.2.1 lladdr 52:54:00:00:00:01 DELAY\\n", 1),
        ("192.0.2.1 FAILED\\n", 1),
        ("", 1),
    ],
)
def test_a_router_that_answers_no_ping_but_is_there(place: Place, neighbour: str, code: int) -> None:
    routes(place, ROUTE, neighbour)
    place.program("ping", "exit 1")
    assert place.run("check-route", "2")[0] == code


def test_of_several_routes_one_is_enough(place: Place) -> None:
    routes(place, f"default via 198.51.100.1 dev eth1\\ndefault via inet6 fe80::1 dev eth2\\n{ROUTE}")
    place.program("ping", "case $* in *eth2*) exit 0 ;; esac; exit 1")
    assert place.run("check-route", "0")[:2] == (0, "check-route: the router fe80::1 on eth2 answers\n")


def test_a_route_that_comes_late_is_waited_for(place: Place) -> None:
    counted = f'[ "$(grep -c "^ip -4" {place.root}/calls)" -lt 4 ] || printf "{ROUTE}"'
    place.program("ip", f"case $* in '-4 route'*) {counted} ;; esac")
    place.program("ping", "exit 0")
    assert place.run("check-route", "10")[0] == 0
    assert len(place.calls("sleep")) == 3


def test_no_route_and_no_router(place: Place) -> None:
    routes(place, "")
    assert place.run("check-route", "3") == (1, "", "check-route: there was no default route in 3 s\n")
    assert len(place.calls("sleep")) == 3
    routes(place, ROUTE)
    place.program("ping", "exit 1")
    assert place.run("check-route", "1")[2] == "check-route: no router answered in 1 s: 192.0.2.1 eth0 \n"


def test_an_ssh_server_that_greets(place: Place) -> None:
    place.program("ssh-keyscan", 'case $* in *::1) echo "::1 ssh-ed25519 AAAA" ;; *) echo refused >&2; exit 1 ;; esac')
    assert place.run("check-sshd", "2222") == (0, "check-sshd: the SSH server on port 2222 answers\n", "")
    assert place.calls("ssh-keyscan") == ["-T 4 -p 2222 127.0.0.1", "-T 4 -p 2222 ::1"]


def test_no_ssh_server(place: Place) -> None:
    place.program("ssh-keyscan", "exit 1")
    said = "check-sshd: no SSH server answered on port 22 in 2 s\n"
    assert place.run("check-sshd", "22", "2") == (1, "", said)
    assert len(place.calls("sleep")) == 2


def test_a_name_that_resolves(place: Place) -> None:
    place.program("getent", 'echo "192.0.2.7 STREAM $2"; echo "192.0.2.7 DGRAM"')
    assert place.run("check-name", "example.org") == (0, "check-name: example.org is 192.0.2.7\n", "")
    assert place.calls("getent") == ["ahosts example.org"]


def test_a_name_that_does_not_resolve(place: Place) -> None:
    place.program("getent", "exit 2")
    assert place.run("check-name", "example.org", "1") == (1, "", "check-name: example.org did not resolve in 1 s\n")


@pytest.mark.parametrize(
    ("check", "arguments"),
    [("check-route", ("soon",)), ("check-sshd", ("ssh",)), ("check-sshd", ("22", "-1")), ("check-name", ()),
     ("check-name", ("a", "x"))],
)  # fmt: skip
def test_what_makes_no_sense_is_said_at_once(place: Place, check: str, arguments: tuple[str, ...]) -> None:
    code, _, said = place.run(check, *arguments)
    assert (code, said.startswith(f"{check}: ")) == (2, True)
    assert place.calls("sleep") == []


def test_programs_that_take_long_count_as_waiting(place: Place) -> None:
    place.program("getent", f'echo "took 10" >>{place.root}/calls; exit 2')
    assert place.run("check-name", "example.org", "30")[0] == 1
    assert len(place.calls("getent")) == 3
    routes(place, ROUTE)
    (place.root / "calls").unlink()
    place.program("ping", f'echo "took 3" >>{place.root}/calls; exit 1')
    assert place.run("check-route", "10")[0] == 1
    assert len(place.calls("ping")) == 3
    (place.root / "calls").unlink()
    place.program("ssh-keyscan", f'echo "took 4" >>{place.root}/calls; exit 1')
    assert place.run("check-sshd", "22", "16")[0] == 1
    assert len(place.calls("ssh-keyscan")) == 4


def test_a_route_with_several_next_hops(place: Place) -> None:
    hops = "\\tnexthop via 192.0.2.1 dev eth0 weight 1\\n\\tnexthop via 192.0.2.2 dev eth1 weight 1\\n"
    routes(place, f"default proto static metric 100\\n{hops}")
    place.program("ping", "case $* in *eth1*) exit 0 ;; esac; exit 1")
    assert place.run("check-route", "0")[:2] == (0, "check-route: the router 192.0.2.2 on eth1 answers\n")
