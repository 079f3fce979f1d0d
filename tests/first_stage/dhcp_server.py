"""A DHCP server for tests: one lease, whatever is asked. RFC 2131 and 2132, no more than busybox's udhcpc needs.

Run as a program, because it has to live in the network namespace of what it serves:
`dhcp_server.py INTERFACE FILE`, the lease being lines `OPTION HEX` of FILE, read again for each question; `ip HEX` is
the address. No answer where the file is empty or missing.
"""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path

_COOKIE = bytes((99, 130, 83, 99))
_SERVER = bytes((10, 9, 0, 1))


def main() -> None:
    interface, lease = sys.argv[1], Path(sys.argv[2])
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    server.bind(("", 67))
    while True:
        question = server.recv(2048)
        try:
            lines = [line.split() for line in lease.read_text().splitlines()]
        except FileNotFoundError:
            continue
        if lines:
            server.sendto(
                answer(question, {name: bytes.fromhex(value) for name, value in lines}), ("255.255.255.255", 68)
            )


def answer(question: bytes, lease: dict[str, bytes]) -> bytes:
    """DHCPOFFER to a DHCPDISCOVER, DHCPACK to everything else."""
    at = question.index(_COOKIE) + 4
    asked = 1
    while question[at] != 255:
        if question[at] == 53:
            asked = question[at + 2]
        at += 2 + question[at + 1]
    options = {53: bytes((2 if asked == 1 else 5,)), 54: _SERVER, 51: struct.pack(">I", 3600)}
    options |= {int(name): value for name, value in lease.items() if name != "ip"}
    head = struct.pack(">BBBB", 2, 1, 6, 0) + question[4:12] + bytes(4) + lease["ip"] + _SERVER + bytes(4)
    packed = b"".join(bytes((number, len(value))) + value for number, value in options.items())
    return head + question[28:44] + bytes(192) + _COOKIE + packed + b"\xff"


if __name__ == "__main__":
    main()
