"""The record of trial boots: what is known of each entry, what was started last, and what was asked for. Pure.

Vocabulary of systemd's Automatic Boot Assessment (https://systemd.io/AUTOMATIC_BOOT_ASSESSMENT): an entry has tries
left, is good once a system that it started has blessed it, and is bad once its tries are spent.
"""

from __future__ import annotations

from dataclasses import dataclass

# The file, in `boot.writable.own_directory` of the configuration.
FILE = "trials"


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """What is known of one entry. `digest` is that of `entry_id`.

    `tries_done` counts starts since it was last good or new; `boots` how often it was blessed. `since` is in seconds
    since 1970, when it became what it is, 0 where that is not known; `why` is a sentence or "".
    """

    digest: str
    good: bool = False
    tries_left: int = 0
    tries_done: int = 0
    boots: int = 0
    since: int = 0
    why: str = ""

    @property
    def bad(self) -> bool:
        """Its tries are spent, and nobody has blessed it."""
        return not self.good and self.tries_left == 0


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked the next boot to be.

    `once`: for one boot; else it stays, for as long as the configuration's own default has the digest `instead_of`.
    `who` asked, `when` is in seconds since 1970.
    """

    digest: str
    once: bool
    instead_of: str = ""
    who: str = ""
    when: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """The whole record. `entries` are those that changed last first.

    `started` is the digest of the entry whose try was spent last and which has not proved itself yet, "" for none;
    `expired`: its own system has given it up, and must not bless it any more.
    """

    sequence: int = 0
    entries: tuple[EntryRecord, ...] = ()
    started: str = ""
    expired: bool = False
    request: Request | None = None

    def find(self, digest: str) -> EntryRecord | None:
        """What is known of the entry with this digest."""
        return next((entry for entry in self.entries if entry.digest == digest), None)
