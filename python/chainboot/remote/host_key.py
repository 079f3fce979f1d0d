"""The key by which a client knows this machine: from OpenSSH's file to dropbear's, public part, fingerprint. Pure.

ed25519 only: every client since 2014 knows it, and one kind is one fingerprint to compare.

Sources: OpenSSH's PROTOCOL.key (openssh-key-v1); RFC 8709 and RFC 4253 section 6.6 for the public part; dropbear
2022.83's file is the string "ssh-ed25519" and a string of 64 bytes, seed and public key, checked against dropbearkey
and dropbearconvert.
"""

from __future__ import annotations

import binascii

from chainboot.errors import ChainbootError

KIND = b"ssh-ed25519"
SIZE_LIMIT = 64 << 10

_MAGIC = b"openssh-key-v1\0"
_BEGIN = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_END = b"-----END OPENSSH PRIVATE KEY-----"
_MAKE = "make one with: ssh-keygen -t ed25519 -N '' -f host_key"


def to_dropbear(data: bytes) -> bytes:
    """The key in dropbear's form, from an OpenSSH private key file or from dropbear's own form, which stays as it is.

    Raises `ChainbootError` for everything that is not a whole ed25519 private key without a passphrase.
    """
    if len(data) > SIZE_LIMIT:
        raise _refused("it is too large for a key")
    if not data.strip():
        raise _refused("the file is empty")
    if data.startswith(b"\0\0\0"):
        return _packed(*_seed_and_public(data))
    text = data.strip()
    if text.startswith(_BEGIN):
        return _from_openssh(text)
    if text.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        raise ChainbootError(
            "this is a public key, and the machine needs the private one",
            hint="it is the file of the same name without .pub",
        )
    if text.startswith(b"-----BEGIN ") and b"PRIVATE KEY-----" in text[:64]:
        raise _refused("it is no ed25519 key in OpenSSH's own format")
    raise _refused("it is no private key of OpenSSH or dropbear")


def public_blob(dropbear: bytes) -> bytes:
    """The public part as SSH sends it (RFC 8709), which is what stands in known_hosts in base64."""
    _, public = _seed_and_public(dropbear)
    return _string(KIND) + _string(public)


def fingerprint(dropbear: bytes) -> str:
    """`ED25519 SHA256:...`, the parts of what `ssh-keygen -l` prints that a person compares."""
    import hashlib  # late: only what serves SSH needs it

    digest = hashlib.sha256(public_blob(dropbear)).digest()
    return f"ED25519 SHA256:{binascii.b2a_base64(digest, newline=False).decode('ascii').rstrip('=')}"


def _seed_and_public(dropbear: bytes) -> tuple[bytes, bytes]:
    reader = _Reader(dropbear)
    kind = reader.string()
    if kind != KIND:
        raise _refused(f"it is a {_shown(kind)} key, and the server here has an ed25519 one")
    secret = reader.string()
    if len(secret) != 64 or reader.rest():
        raise _damaged()
    return secret[:32], secret[32:]


def _packed(seed: bytes, public: bytes) -> bytes:
    return _string(KIND) + _string(seed + public)


def _from_openssh(text: bytes) -> bytes:
    body, end, after = text[len(_BEGIN) :].partition(_END)
    if not end or after:
        raise _damaged()
    try:
        reader = _Reader(binascii.a2b_base64(b"".join(body.split()), strict_mode=True))
    except binascii.Error as error:
        raise _damaged() from error
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise _damaged()
    cipher, derivation, _ = reader.string(), reader.string(), reader.string()
    if cipher != b"none" or derivation != b"none":
        raise ChainbootError(
            "the host key is locked with a passphrase, and nobody is there to type it",
            hint="take it off from a copy: ssh-keygen -p -N '' -f FILE",
        )
    if reader.number() != 1:
        raise _refused("the file holds more than one key")
    public, private = _Reader(reader.string()), _Reader(reader.string())
    kind = public.string()
    if kind != KIND:
        raise _refused(f"it is a {_shown(kind)} key, and the server here has an ed25519 one")
    checks = private.number(), private.number()
    kind, outer, inner, secret = private.string(), public.string(), private.string(), private.string()
    private.string()  # the comment
    padding = private.rest()
    if checks[0] != checks[1] or kind != KIND or len(secret) != 64 or not outer == inner == secret[32:]:
        raise _damaged()
    if padding != bytes(range(1, len(padding) + 1)) or public.rest() or reader.rest():
        raise _damaged()
    return _packed(secret[:32], inner)


class _Reader:
    """Takes numbers and strings of RFC 4251 from the front of some bytes; what ends too early is damaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, size: int) -> bytes:
        if len(self._data) < size:
            raise _damaged()
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def rest(self) -> bytes:
        return self._data


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _shown(kind: bytes) -> str:
    return kind[:40].decode("ascii", "replace")


def _refused(why: str) -> ChainbootError:
    return ChainbootError(f"the host key cannot be used: {why}", hint=_MAKE)


def _damaged() -> ChainbootError:
    return ChainbootError("the host key is damaged or cut off", hint=f"copy it again, or {_MAKE}")
