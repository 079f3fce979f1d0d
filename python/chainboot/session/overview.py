"""What one session sees of the whole machine: who is here, the countdown, the network, what is about to happen.

Every view looks at the same few files and at the kernel's own tables, every second; nothing is kept between two looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chainboot.remote.reach import Reach, read_reach
from chainboot.session.choice import Autoboot
from chainboot.session.clock import clock
from chainboot.session.countdown import Circumstances, observe, restarted
from chainboot.session.events import Surroundings
from chainboot.session.person import Person
from chainboot.session.presence import Presence
from chainboot.session.shared import Shared
from chainboot.settings import Settings

_REMOTE_LOOK_DS = 100

# Sessions end within seconds and a jump takes a moment. After this long it did not happen, and SSH is needed again;
# first-stage/functions.sh has the same limit.
_LEAVING_DS = 1200


@dataclass
class Overview:
    """Looks for one session. What it reads comes in as arguments, so that tests hand in their own."""

    person: Person
    settings: Settings
    presence: Presence
    shared: Shared
    reach: Callable[[], Reach] = read_reach
    clock: Callable[[], int] = clock
    _known: tuple[int, Reach] | None = field(default=None, init=False)

    def look(self, decided: Autoboot, banner: tuple[str, ...], looks: int) -> Surroundings:
        """What this session's menu shows. `looks` is the number of the last look at disks and entries."""
        reach = self._reach()
        others = self.presence.others()
        holder = self.presence.holder()
        remote = bool(holder) or any(each.remote for each in others) or (self.presence.attached and self.person.remote)
        seen = self._circumstances(decided, reach, bool(others) or self.presence.attached, remote)
        now = self.shared.countdown(lambda before: observe(before, seen))
        return Surroundings(
            deadline_ds=now.deadline_ds,
            total_deadline_ds=None if remote else now.total_ds,
            attached=self.presence.attached,
            others=(*(each.name for each in others), *((f"{holder} (hold)",) if holder else ())),
            waiting="" if now.started else self.waiting(reach),
            facts=(*self.person.facts(), *reach.facts(), *banner),
            leaving=self.leaving(),
            look_again=self.shared.looks() != looks,
        )

    def due(self, decided: Autoboot) -> bool:
        """Whether the timer may still boot: somebody may have come, or said `hold`, since this view looked last."""
        end_ds = self.look(decided, (), self.shared.looks()).end_ds
        return end_ds is not None and end_ds <= self.clock()

    def restart(self, decided: Autoboot) -> None:
        """Start the countdown to the next entry, after one that did not load."""
        seen = self._circumstances(decided, self.reach(), attached=False, remote=False, floor=False)
        self.shared.countdown(lambda _: restarted(seen))

    def _reach(self) -> Reach:
        """How the machine can be reached. A session that came in over SSH knows that it can, and looks less often."""
        now = self.clock()
        if self._known is None or not self.person.remote or now - self._known[0] >= _REMOTE_LOOK_DS:
            self._known = (now, self.reach())
        return self._known[1]

    def leaving(self) -> str:
        """What the machine is about to do: nothing, where whoever said so has died or hangs."""
        told, since = self.shared.leaving()
        if told and (not self.presence.boot_claimed() or self.clock() - since > _LEAVING_DS):
            self.shared.stay()
            return ""
        return told

    def waiting(self, reach: Reach) -> str:
        """What the countdown has not begun for; empty: nothing."""
        # The clock counts from the kernel's start, so every view comes to the same answer.
        late = self.clock() >= (reach.started + self.settings.network_wait) * 10
        if not reach.served or reach.answers or late:
            return ""
        return "the network is not up yet" if not reach.addresses else "SSH does not answer yet"

    def _circumstances(
        self, decided: Autoboot, reach: Reach, attached: bool, remote: bool, floor: bool = True
    ) -> Circumstances:
        # "Boot at once" must not close the only window in which a person could come in.
        least = self.settings.ssh_window * 10 if reach.served and floor else 0
        window = decided.timeout_ds if decided.index is not None else None
        total = decided.total_timeout_ds if decided.index is not None else None
        return Circumstances(
            now_ds=self.clock(),
            ready=not self.waiting(reach),
            window_ds=None if window is None else max(window, least),
            total_window_ds=None if total is None else max(total, least),
            grace_ds=self.settings.ssh_grace * 10,
            attached=attached,
            remote=remote,
        )
