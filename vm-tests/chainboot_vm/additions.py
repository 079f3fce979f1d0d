"""What a scenario adds to the first stage's image: settings, authorized keys, a host key.

Knows where the image wants them. Building an image takes long, so they come as a small archive behind it: the kernel
unpacks archives one after the other (Documentation/driver-api/early-userspace/buffer-format.rst).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.image import cpio
from chainboot.remote import authorized_keys, host_key
from chainboot_vm.access import HOST, Access
from chainboot_vm.artifacts import BUILD, key_of, once

_ALIGNMENT = 4


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
    return once(target, key, lambda fresh: _write(fresh, image + bytes(-len(image) % _ALIGNMENT) + behind))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def archive(additions: Additions, access: Access) -> bytes:
    """The cpio archive with the files of `additions`."""
    nodes: list[tuple[str, cpio.Node]] = [
        ("/etc", cpio.Directory(0o755)),
        ("/etc/chainboot", cpio.Directory(0o755)),
    ]
    if additions.settings:
        text = "".join(f"{name}={value}\n" for name, value in additions.settings.items())
        nodes.append(("/etc/chainboot.conf", cpio.File(0o644, text.encode())))
    if additions.keys:
        text = access.authorized_keys(additions.keys)
        found, problems = authorized_keys.parse(text, default=None, source="authorized_keys")
        if problems:
            raise ChainbootError(f"the keys of the tests are refused: {'; '.join(problems)}")
        nodes.append(("/etc/chainboot/authorized_keys", cpio.File(0o600, authorized_keys.render(found).encode())))
    if additions.host_key:
        own = host_key.to_dropbear(access.private(HOST).read_bytes())
        nodes.append(("/etc/chainboot/host_key", cpio.File(0o600, own)))
    return b"".join(cpio.pack(nodes))
