"""The SSH keys of the tests: one for each role, one for nobody, and the first stage's own.

Knows ssh-keygen and where the keys are kept: build/ssh, made once, worth nothing to anybody. Knows nothing of machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chainboot.process import Runner, run
from chainboot_vm.artifacts import BUILD, key_of, once, program

ROLES = ("view", "boot", "edit", "admin")

# A key that is authorised nowhere.
STRANGER = "stranger"

# The name by which clients know the first stage, whatever port it is behind.
HOST = "first-stage"

_PEOPLE = {
    "view": "vera@view",
    "boot": "boris@boot",
    "edit": "edith@edit",
    "admin": "anna@admin",
    STRANGER: "mallory@nowhere",
    HOST: f"root@{HOST}",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Keys by name: a role, `STRANGER`, or `HOST` for the first stage's own. Each is ed25519 without a passphrase."""

    directory: Path

    def private(self, name: str) -> Path:
        """The OpenSSH private key file of `name`."""
        return self.directory / name

    def public(self, name: str) -> str:
        """The public key of `name`: kind, base64 and comment on one line without an end."""
        return (self.directory / f"{name}.pub").read_text().strip()

    def comment(self, name: str) -> str:
        """Whose key it is, such as "anna@admin"; logs show it."""
        return _PEOPLE[name]

    def authorized_keys(self, roles: Sequence[str]) -> str:
        """A line for each role, with its forced command as README tells people to write it."""
        return "".join(f'command="chainboot login --role {role}" {self.public(role)}\n' for role in roles)

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file that has exactly the first stage's key."""
        return self.directory / "known_hosts"


def keys(*, build: Path = BUILD, runner: Runner = run) -> Access:
    """The keys below `build`, made by ssh-keygen unless they are there. Raises `ChainbootError`."""
    access = Access(build / "ssh")
    for name, comment in _PEOPLE.items():
        public = access.directory / f"{name}.pub"

        def make(fresh: Path, comment: str = comment, public: Path = public) -> None:
            runner(
                (program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(fresh)),
                check=True,
                timeout=60,
            )
            fresh.with_name(f"{fresh.name}.pub").replace(public)

        once(access.private(name), key_of(comment), make)
    kind, blob, *_ = access.public(HOST).split()
    line = f"{HOST} {kind} {blob}\n"

    def write_known_hosts(fresh: Path) -> None:
        fresh.write_text(line)

    once(access.known_hosts, key_of(line), write_known_hosts)
    return access
