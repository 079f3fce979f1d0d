"""A machine with network cards and a real SSH client that calls it.

Knows which port of this machine leads to which card, and ends the clients with the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol

from chainboot_vm import qemu
from chainboot_vm.access import Access
from chainboot_vm.emulator import EmulatorFactory, OwnQemu
from chainboot_vm.machine import ONE_CONSOLE, Machine, MachineError, QemuMachine
from chainboot_vm.qemu import Network
from chainboot_vm.ssh import Client, Target
from chainboot_vm.ssh_session import Session


class Networked(Machine, Protocol):
    """A machine that is reached over a network. The NixOS test driver's own is not; nixos_driver.py adds it."""

    def ssh(self, role: str | None = "admin", *, options: tuple[str, ...] = (), card: int = 0) -> Client:
        """An SSH client with the key of `role`, `access.STRANGER`'s, or none.

        `options` are `NAME=VALUE` as in ssh_config(5). `card` is the network card it goes through, counting from 0.
        """

    def forwarded_port(self, card: int = 0) -> int:
        """The TCP port of this machine that leads to the guest's SSH server."""

    def plug_in_router(self, card: int = 0) -> None:
        """Give a network that is not routed its DHCP server and the way in."""

    def set_carrier(self, up: bool, card: int = 0) -> None:
        """Pull out the cable of a card, or put it back."""

    def note(self, what: str) -> None:
        """Say something in the log."""

    def subtest(self, name: str) -> AbstractContextManager[None]:
        """Say what the next steps are about. The NixOS test driver has it too."""

    def seconds(self) -> float:
        """How long ago the machine was started."""

    def seconds_of(self, regex: str) -> float | None:
        """When the first line on the first console that matches came, in seconds since the start; None if none has."""


class NetworkedQemuMachine(QemuMachine):
    """A `QemuMachine` whose command has `networks`, and clients that have the keys of `access`.

    `pinned` says that the guest has the host key of `access`; otherwise the first one that is seen is taken, and from
    then on no other.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        networks: Sequence[Network],
        access: Access,
        pinned: bool = True,
        say: Callable[[str], None] = lambda _: None,
        echo: Callable[[str], None] = lambda _: None,
        consoles: Sequence[Sequence[str]] = ONE_CONSOLE,
        emulator: EmulatorFactory = OwnQemu,
    ) -> None:
        super().__init__(command, log=log, say=say, echo=echo, consoles=consoles, emulator=emulator)
        self._networks = tuple(networks)
        self._access = access
        self._pinned = pinned
        self._known_hosts = access.known_hosts if pinned else log.with_suffix(".known_hosts")
        self._ports: dict[int, int] = {}
        self._sessions: list[Session] = []
        if not pinned:
            self._known_hosts.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for session in self._sessions:
            session.close()
        super().__exit__(kind, error, traceback)

    def start(self, allow_reboot: bool = False) -> None:
        if not self.is_up():
            self._ports = {}
        super().start(allow_reboot)

    def ssh(self, role: str | None = "admin", *, options: tuple[str, ...] = (), card: int = 0) -> Client:
        identity = None if role is None else self._access.private(role)
        target = Target(identity, self._known_hosts, pinned=self._pinned, options=options)
        name = role or "nobody"
        return Client(name, target, lambda: self.forwarded_port(card), self, self._sessions.append)

    def forwarded_port(self, card: int = 0) -> int:
        if card not in self._ports:
            port = qemu.forwarded_port(card, self.send_monitor_command("info usernet"))
            if port is None:
                raise MachineError(f"no port leads to network card {card}")
            self._ports[card] = port
        return self._ports[card]

    def plug_in_router(self, card: int = 0) -> None:
        for command in qemu.route(card, self._networks[card]):
            said = self.send_monitor_command(command).strip()
            if said:
                raise MachineError(f"QEMU refused {command}: {said}")

    def set_carrier(self, up: bool, card: int = 0) -> None:
        said = self.send_monitor_command(qemu.carrier(card, up)).strip()
        if said:
            raise MachineError(f"QEMU refused: {said}")
