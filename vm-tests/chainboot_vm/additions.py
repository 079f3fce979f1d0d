"""What a scenario adds to the first stage's image: settings, authorized keys, a host key.

Knows where the image wants them. Building an image takes long, so they come as a small archive behind it: the kernel
unpacks archives one after the other (Documentation/driver-api/early-userspace/buffer-format.rst).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chainboot.boot.initrd import padding
from chainboot.errors import ChainbootError
from chainboot.image import secrets
from chainboot.image.access import HOST_KEY_FILE, KEYS_FILE, AddedFile
from chainboot.remote import authorized_keys, host_key
from chainboot.settings import FILE
from chainboot_vm.access import HOST, Access
from chainboot_vm.artifacts import BUILD, key_of, once


@dataclass(frozen=True, slots=True)
class Additions:
    """`settings` go to /etc/chainboot.conf. `keys` are the roles whose keys are authorized.

    Without `host_key` the first stage has to make its own.
    """

    settings: Mapping[str, str | int] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    host_key: bool = False

    @property
    def any(self) -> bool:
        """Whether something is added at all."""
        return bool(self.settings or self.keys or self.host_key)


def append(additions: Additions, initrd: Path, access: Access, *, build: Path = BUILD) -> Path:
    """`initrd` with `additions` behind it, made below `build` unless it is there; `initrd` itself if there are none.

    Raises `ChainbootError` when a key is not one that the first stage would take.
    """
    if not additions.any:
        return initrd
    image, behind = initrd.read_bytes(), archive(additions, access)
    key = key_of(image, behind)
    target = build / "initrds" / f"{initrd.stem}-{key_of(str(initrd.resolve()), behind)[:12]}.initrd"

    def make(fresh: Path) -> None:
        fresh.write_bytes(image + padding(len(image)) + behind)

    return once(target, key, make)


def archive(additions: Additions, access: Access) -> bytes:
    """The cpio archive with the files of `additions`."""
    files: list[AddedFile] = []
    if additions.settings:
        text = "".join(f"{name}={value}\n" for name, value in additions.settings.items())
        files.append(AddedFile(FILE, 0o644, text.encode(), "SETTINGS"))
    if additions.keys:
        text = access.authorized_keys(additions.keys)
        found, problems = authorized_keys.parse(text, default=None, source="authorized_keys")
        if problems:
            raise ChainbootError(f"the keys of the tests are refused: {'; '.join(problems)}")
        files.append(AddedFile(KEYS_FILE, 0o600, authorized_keys.render(found).encode(), "KEYS"))
    if additions.host_key:
        own = host_key.to_dropbear(access.private(HOST).read_bytes())
        files.append(AddedFile(HOST_KEY_FILE, 0o600, own, "HOST_KEY"))
    return secrets.archive(files)
