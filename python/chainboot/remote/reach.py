"""Whether this machine can be reached over SSH, and how: what /proc and the notes of serve-ssh say.

Looked at every second, so it reads a few small files and starts nothing. Knows nothing of keys and screens.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.settings import RUNTIME
from chainboot.text import printable

ON = "on"
OFF = "off"
STARTING = "starting"

_PORT = 22

# Bytes of one file. Listening sockets stand first in /proc/net/tcp, however many connections follow.
_LIMIT = 256 << 10
_PROBLEMS = 20

# linux/if_addr.h: addresses that are not to be used, because another machine has them or may have them.
_DAD_FAILED = 0x08
_TENTATIVE = 0x40
_GLOBAL = 0x00  # scope, include/net/ipv6.h

_LISTEN = "0A"  # TCP_LISTEN, include/net/tcp_states.h


@dataclass(frozen=True, slots=True)
class Reach:
    """How the machine can be reached. `state` is `on`, `starting`, `off` or `off: REASON`.

    `fingerprint` is such as `ED25519 SHA256:...`, empty while there is none. `started` is when the network was, in
    seconds after the kernel.
    """

    state: str
    port: int = _PORT
    addresses: tuple[str, ...] = ()
    listening: bool = False
    fingerprint: str = ""
    problems: tuple[str, ...] = ()
    started: int = 0

    @property
    def served(self) -> bool:
        """Whether SSH is meant to answer, now or soon."""
        return self.state.partition(":")[0].strip() != OFF

    @property
    def answers(self) -> bool:
        """Whether a client would get an answer now."""
        return self.served and self.listening and bool(self.addresses)

    def facts(self) -> tuple[str, ...]:
        """The lines that tell a person how to come here, or why it does not work yet. None where SSH is no topic."""
        if not self.served:
            reason = self.state.partition(":")[2].strip()
            return ((f"SSH is off: {reason}",) if reason else ()) + self.problems
        lines: list[str] = []
        if not self.addresses:
            lines.append("network: no address yet")
        if self.listening:
            port = "" if self.port == _PORT else f"-p {self.port} "
            lines += [f"ssh {port}root@{address}" for address in self.addresses]
        else:
            lines += [f"network: {address}" for address in self.addresses]
            lines.append("SSH is starting" if self.state == STARTING else f"SSH does not answer on port {self.port}")
        if self.fingerprint:
            lines.append(f"host key {self.fingerprint}")
        return (*lines, *self.problems)


def read_reach(runtime: str = RUNTIME, proc: str = "/proc") -> Reach:
    """What the files below `runtime` and `proc` say now. Never raises: what cannot be read is not there.

    Without the notes of serve-ssh it is about to start in the first stage, and nothing to speak of elsewhere.
    """
    notes = f"{runtime}/ssh"
    state = _line(f"{notes}/state") or (STARTING if _exists(f"{runtime}/first-stage") else OFF)
    port = _line(f"{notes}/port")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else _PORT
    started = _line(f"{runtime}/network/started")
    problems = [printable(line.strip()) for line in _text(f"{notes}/problems").split("\n") if line.strip()]
    return Reach(
        state=state,
        port=number,
        addresses=addresses(_text(f"{proc}/net/fib_trie"), _text(f"{proc}/net/if_inet6")),
        listening=listening(_text(f"{proc}/net/tcp"), _text(f"{proc}/net/tcp6"), number),
        fingerprint=_line(f"{notes}/fingerprint"),
        problems=tuple(problems[:_PROBLEMS]),
        started=int(started) if started.isascii() and started.isdigit() and len(started) < 9 else 0,
    )


def addresses(fib_trie: str, if_inet6: str) -> tuple[str, ...]:
    """The addresses of this machine that others may use, IPv4 first, from the text of /proc/net/fib_trie and if_inet6.

    IPv4: a leaf `|-- 10.0.2.15` with `/32 host LOCAL` below it, outside of 127/8. IPv6: global scope, in the short
    form of RFC 5952, and not while the kernel still asks whether another machine has it.
    """
    found: dict[str, None] = {}
    leaf = ""
    for line in fib_trie.split("\n"):
        words = line.split()
        if words[:1] == ["|--"] and len(words) == 2:
            leaf = words[1]
        elif words == ["/32", "host", "LOCAL"] and leaf and not leaf.startswith("127."):
            found[leaf] = None
    for line in if_inet6.split("\n"):
        words = line.split()
        if len(words) < 6 or len(words[0]) != 32:
            continue
        try:
            number, scope, flags = int(words[0], 16), int(words[3], 16), int(words[4], 16)
        except ValueError:
            continue
        if scope == _GLOBAL and not flags & (_TENTATIVE | _DAD_FAILED):
            found[_short(number)] = None
    return tuple(printable(address) for address in found)


def listening(tcp: str, tcp6: str, port: int) -> bool:
    """Whether a socket listens on `port`, from the text of /proc/net/tcp and tcp6 (proc(5))."""
    wanted = f":{port:04X}"
    for line in f"{tcp}\n{tcp6}".split("\n"):
        words = line.split(maxsplit=4)
        if len(words) > 3 and words[3] == _LISTEN and words[1].endswith(wanted):
            return True
    return False


def _short(number: int) -> str:
    """An IPv6 address as RFC 5952 wants it. By hand: `ipaddress` takes longer to import than the menu to be drawn."""
    groups = [f"{number >> shift & 0xFFFF:x}" for shift in range(112, -16, -16)]
    start = length = 0
    for at in range(8):
        zeros = 0
        while at + zeros < 8 and groups[at + zeros] == "0":
            zeros += 1
        if zeros > length:
            start, length = at, zeros
    if length < 2:
        return ":".join(groups)
    return f"{':'.join(groups[:start])}::{':'.join(groups[start + length :])}"


def _line(path: str) -> str:
    return printable(_text(path).partition("\n")[0].strip())


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LIMIT).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _exists(path: str) -> bool:
    try:
        with open(path, "rb"):
            return True
    except (OSError, ValueError):
        return False
