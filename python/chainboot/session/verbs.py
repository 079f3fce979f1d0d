"""What each verb over SSH does. What may be done has been decided before (`request`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainboot.boot.candidate import Candidate, candidates, choose
from chainboot.boot.cmdline import join
from chainboot.boot.consoles import with_consoles, with_words
from chainboot.boot.discovery import Discovery
from chainboot.boot.plan import make_power_plan
from chainboot.boot.preflight import host_objections, host_remarks
from chainboot.boot.sysappend import SystemStrings
from chainboot.boot.volume import PathError
from chainboot.errors import NotFoundError, RefusedError
from chainboot.listing import Json, list_json, list_text, plan_json, show_json, show_text
from chainboot.process import Runner
from chainboot.remote.reach import Reach
from chainboot.remote.role import Role
from chainboot.session.choice import Autoboot, autoboot
from chainboot.session.departure import Departure
from chainboot.session.log import Log
from chainboot.session.overview import Overview
from chainboot.session.presence import Attached
from chainboot.session.request import VERBS, Request, Verb, allowed, usage
from chainboot.session.status import Status, log_json, log_text, status_json, status_text
from chainboot.session.trials import Trials
from chainboot.session.wishes import Wish, Wishes, failure


@dataclass(frozen=True, slots=True)
class Answer:
    """A verb's result: `json` where that was asked for, else `text`; `talk` is for stderr."""

    text: str = ""
    json: Json = None
    talk: tuple[str, ...] = ()


@dataclass
class Verbs:
    """The verbs of one session that give a result and end. Raises `ChainbootError` where something is refused."""

    run: Runner
    overview: Overview
    departure: Departure
    log: Log
    discover: Callable[[], Discovery]
    strings: SystemStrings
    memory: Callable[[], tuple[int | None, int | None]]
    complaints: tuple[str, ...] = ()
    consoles: str = ""
    problems: Callable[[], tuple[str, ...]] = tuple

    def do(self, request: Request) -> Answer:
        """The answer to `request`."""
        return {
            "list": self._list,
            "show": self._show,
            "plan": self._plan,
            "status": self._status,
            "log": self._log,
            "next": self._next,
            "rollback": self._rollback,
            "set-default": self._set_default,
            "boot": self._boot,
            "hold": self._hold,
            "resume": self._resume,
            "rescan": self._rescan,
            "reboot": self._power,
            "poweroff": self._power,
            "help": self._help,
        }[request.verb](request)

    def _help(self, _request: Request) -> Answer:
        role = self.overview.person.role
        return Answer(usage(role), help_json(role))

    def _find(self) -> tuple[Discovery, tuple[Candidate, ...]]:
        discovery = self.discover()
        return discovery, with_consoles(candidates(discovery.configurations, self.strings), self.consoles)

    def _list(self, _request: Request) -> Answer:
        discovery, among = self._find()
        trials = self.departure.trials(discovery)
        talk = discovery.problems if among else (*discovery.problems, discovery.summary())
        unable = host_objections(self.departure.host())
        standing = {each.index: verdict for each in among if (verdict := trials.verdict(each)) is not None}
        listed = list_json(discovery.configurations, among, unable, standing=standing)
        return Answer(list_text(among, standing), listed, (*talk, *trials.problems(discovery.configurations)))

    def _show(self, request: Request) -> Answer:
        candidate = self.departure.fitting(choose(self._find()[1], request.entry))
        against = self.departure.objections(candidate, candidate.boot_cmdline)
        try:
            image = candidate.image()
        except PathError as error:
            raise NotFoundError(error.message) from error
        return Answer(show_text(candidate, image, against), show_json(candidate, image, against))

    def _plan(self, request: Request) -> Answer:
        discovery, among = self._find()
        candidate = self.departure.fitting(choose(among, request.entry))
        cmdline = asked_cmdline(candidate, request)
        plan = self.departure.rehearse(candidate, cmdline, discovery)
        against = self.departure.objections(candidate, cmdline)
        talk = tuple(f"this boot would be refused: {objection}" for objection in against)
        return Answer(plan.describe(), plan_json(plan, against), talk)

    def _boot(self, request: Request) -> Answer:
        discovery, among = self._find()
        candidate = self.departure.fitting(choose(among, request.entry))
        cmdline = asked_cmdline(candidate, request)
        if request.dry_run:
            plan = self.departure.rehearse(candidate, cmdline, discovery)
            against = self.departure.objections(candidate, cmdline)
            if against:
                raise RefusedError(f"{candidate.entry.label} would not boot: {'; '.join(against)}")
            return Answer(plan.describe(), plan_json(plan, against))
        reason = self.departure.boot(candidate, cmdline, discovery)
        if reason:
            raise RefusedError(reason)
        return Answer("", {"boots": candidate.entry.label, "title": candidate.entry.title, "cmdline": cmdline})

    def _power(self, request: Request) -> Answer:
        if request.dry_run:
            plan = make_power_plan(request.verb)
            return Answer(plan.describe(), plan_json(plan, ()))
        reason = self.departure.power(request.verb)
        if reason:
            raise RefusedError(reason)
        return Answer("", {"does": request.verb})

    def _hold(self, request: Request) -> Answer:
        self.overview.presence.hold()
        self.log.write(self.overview.person.name, "holds the countdown")
        return self._status(request)

    def _resume(self, request: Request) -> Answer:
        done = self.overview.presence.resume()
        self.log.write(self.overview.person.name, "lets the countdown go on")
        answer = self._status(request)
        return answer if done else Answer(answer.text, answer.json, ("nobody held the countdown by `hold`",))

    def _rescan(self, request: Request) -> Answer:
        self.run(["load-modules"], check=False)
        self.overview.shared.look_again()
        self.log.write(self.overview.person.name, "looks for disks and entries again")
        return self._list(request)

    def _wishes(self) -> Wishes:
        discovery, among = self._find()
        trials = self.departure.trials(discovery)
        decided = self._decided(discovery, among, trials)
        return Wishes(self.departure, self.overview, self.log, discovery, among, trials, decided)

    def _next(self, request: Request) -> Answer:
        return _told(self._wishes().next(request.entry, once=request.once))

    def _rollback(self, _request: Request) -> Answer:
        return _told(self._wishes().rollback())

    def _set_default(self, request: Request) -> Answer:
        return _told(self._wishes().set_default(request.entry, force=request.force, dry_run=request.dry_run))

    def _log(self, request: Request) -> Answer:
        if request.entry is not None:
            discovery, among = self._find()
            return Answer(
                *failure(choose(among, request.entry), self.departure.trials(discovery), self.departure.runtime)
            )
        acts = self.log.read()
        return Answer(log_text(acts), log_json(acts))

    def _decided(self, discovery: Discovery, among: Sequence[Candidate], trials: Trials) -> Autoboot:
        """What boots by itself."""
        overview = self.overview
        unable = host_objections(self.departure.host())
        failed = overview.shared.failed()
        return autoboot(discovery.configurations, among, overview.settings, failed, unable, trials)

    def _status(self, _request: Request) -> Answer:
        discovery, among = self._find()
        overview = self.overview
        host = self.departure.host()
        unable = host_objections(host)
        trials = self.departure.trials(discovery)
        decided = self._decided(discovery, among, trials)
        looked = overview.look(decided, (), overview.shared.looks())
        boots = next((each.entry.label for each in among if each.index == decided.index), None)
        attached: tuple[Attached, ...] = overview.presence.others()
        reach: Reach = overview.reach()
        surprises = (decided.surprise,) if decided.surprise and not unable else ()
        status = Status(
            person=overview.person,
            now_ds=overview.clock(),
            surroundings=looked,
            decided=decided,
            boots=boots,
            entries=len(among),
            attached=attached,
            holder=overview.presence.holder(),
            reach=reach,
            memory=self.memory(),
            problems=(
                *unable,
                *host_remarks(host),
                *self.complaints,
                *self.problems(),
                *discovery.problems,
                *trials.problems(discovery.configurations),
                *surprises,
            ),
            remarks=trials.remarks(discovery.configurations),
        )
        return Answer(status_text(status), status_json(status))


def _told(wish: Wish) -> Answer:
    return Answer(wish.text, wish.json, wish.notes)


def help_json(role: Role, verbs: tuple[Verb, ...] = VERBS) -> Json:
    """The object that `help --json` prints: the verbs that this role may use, with the least role of each."""
    return {
        "verbs": [
            {"name": verb.name, "role": verb.role.value, "usage": verb.usage, "help": verb.help}
            for verb in allowed(role, verbs)
        ]
    }


def asked_cmdline(candidate: Candidate, request: Request) -> str:
    """The command line that a request to boot asks for: its own, or the entry's, with what is to be appended."""
    if request.cmdline is not None:
        return join(request.cmdline, *request.append)
    return with_words(candidate, join(*request.append))
