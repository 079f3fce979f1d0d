"""Keys for tests. The private one was made for them by ssh-keygen, and nothing anywhere trusts it."""

from __future__ import annotations

import base64

OPENSSH = b"""-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCcgwVto/FKz+m03chd4fgyj9LmziBiOCMwqrF7GcXLRgAAAJB4QtALeELQ
CwAAAAtzc2gtZWQyNTUxOQAAACCcgwVto/FKz+m03chd4fgyj9LmziBiOCMwqrF7GcXLRg
AAAECzprqrHP3q7939ZDHfcU/y1Jygymb7Fqn+Xe3mEFNPHZyDBW2j8UrP6bTdyF3h+DKP
0ubOIGI4IzCqsXsZxctGAAAABnZlY3RvcgECAwQFBgc=
-----END OPENSSH PRIVATE KEY-----
"""
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJyDBW2j8UrP6bTdyF3h+DKP0ubOIGI4IzCqsXsZxctG vector"
# By dropbearconvert 2022.83 and by ssh-keygen -l.
DROPBEAR = bytes.fromhex(
    "0000000b7373682d6564323535313900000040b3a6baab1cfdeaefddfd6431df714ff2d49ca0ca66fb16a9fe5dede610534f1d"
    "9c83056da3f14acfe9b4ddc85de1f8328fd2e6ce2062382330aab17b19c5cb46"
)
FINGERPRINT = "ED25519 SHA256:PNy6YxzIQo7CAYI9z6lYArJE/2fGdEVemjWwrSU/FUw"


def string(data: bytes) -> bytes:
    """`data` as RFC 4251 packs a string."""
    return len(data).to_bytes(4, "big") + data


def blob(number: int, kind: str = "ssh-ed25519", *fields: bytes) -> str:
    """The base64 of the `number`th public key."""
    parts = fields or (number.to_bytes(32, "big"),)
    return base64.b64encode(b"".join(map(string, (kind.encode(), *parts)))).decode()


def public(number: int, comment: str = "anna@desk") -> str:
    """A line of a .pub file."""
    return f"ssh-ed25519 {blob(number)} {comment}".rstrip()


def another_dropbear(number: int) -> bytes:
    """A host key in dropbear's form, which is none in truth: its halves do not belong together."""
    return string(b"ssh-ed25519") + string(number.to_bytes(64, "big"))
