"""Locks that the kernel keeps: who is here, who boots, and that the dead hold nothing."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest
from session.sessions import child_of, elsewhere, go_on_in_a_child, kill, wait_until

from chainboot.session.presence import Attached, Presence


def presence(tmp_path: Path, name: str = "anna", *, remote: bool = True) -> Presence:
    return Presence(str(tmp_path / "run"), name=name, remote=remote)


def files(tmp_path: Path) -> list[str]:
    return os.listdir(tmp_path / "run/sessions")


def test_an_attached_session_is_seen_by_the_others(tmp_path: Path) -> None:
    here, there = presence(tmp_path), presence(tmp_path, "boris")
    assert there.others() == ()
    here.attach()
    here.attach()
    assert here.attached
    assert there.others() == (Attached("anna", True),)
    assert here.others() == ()
    here.detach()
    here.detach()
    assert not here.attached
    assert there.others() == ()
    assert files(tmp_path) == []


def test_everybody_is_named_and_told_apart(tmp_path: Path) -> None:
    sessions = [presence(tmp_path, f"person {number}", remote=number % 2 == 0) for number in range(20)]
    for session in sessions:
        session.attach()
    seen = sessions[0].others()
    assert {each.name for each in seen} == {f"person {number}" for number in range(1, 20)}
    assert all(each.remote == (int(each.name.split()[1]) % 2 == 0) for each in seen)


def test_whoever_comes_back_is_seen_again(tmp_path: Path) -> None:
    here, there = presence(tmp_path), presence(tmp_path, "boris")
    here.attach()
    here.detach()
    here.attach()
    assert there.others() == (Attached("anna", True),)


def test_asking_does_not_attach(tmp_path: Path) -> None:
    here, there = presence(tmp_path), presence(tmp_path)
    here.others()
    assert there.others() == ()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[2Jb\u202ec\nd", "a\ufffd[2Jb\ufffdc\ufffdd"),
        ("x" * 1000, "x" * 200),
        ("", "somebody"),
        ("\udcff", "\ufffd"),
    ],
)
def test_names_are_harmless(tmp_path: Path, name: str, shown: str) -> None:
    here, there = presence(tmp_path, name), presence(tmp_path)
    here.attach()
    assert there.others() == (Attached(shown, True),)
    here.hold()
    assert there.holder() == shown


def test_a_long_name_of_wide_characters_is_cut_without_harm(tmp_path: Path) -> None:
    here, there = presence(tmp_path, "漢" * 300), presence(tmp_path)
    here.attach()
    (seen,) = there.others()
    assert seen.name.startswith("漢" * 60)


def test_what_somebody_else_left_in_the_directory_is_nobody(tmp_path: Path) -> None:
    here = presence(tmp_path)
    (tmp_path / "run/sessions/remote-1-dead").write_text("ghost")
    (tmp_path / "run/sessions/.remote-2-not-yet").write_text("half written")
    assert here.others() == ()
    assert files(tmp_path) == [".remote-2-not-yet"], "the dead are removed"


def test_a_directory_that_is_gone_has_nobody_in_it(tmp_path: Path) -> None:
    here = presence(tmp_path)
    (tmp_path / "run/sessions").rmdir()
    assert here.others() == ()


# -- other processes


def test_a_killed_session_holds_nothing(tmp_path: Path) -> None:
    here = presence(tmp_path)

    def act() -> None:
        there = presence(tmp_path, "boris")
        there.attach()
        assert there.claim_boot("boris boots nixos-42-default") is None

    with elsewhere(act) as child:
        assert here.others() == (Attached("boris", True),)
        assert here.boot_claimed()
        assert here.claim_boot("y") == "boris boots nixos-42-default"
        kill(child)
        assert here.others() == ()
        assert files(tmp_path) == []
        assert not here.boot_claimed()
        assert here.claim_boot("y") is None


def test_a_session_that_starts_is_here_until_it_attaches_or_dies(tmp_path: Path) -> None:
    watching = presence(tmp_path, "the menu", remote=False)

    def wait_for_ever() -> None:
        pass

    with elsewhere(wait_for_ever) as child:
        starting = tmp_path / f"run/sessions/remote-starting-{child}"
        starting.write_text("somebody from 192.0.2.7")
        assert watching.others() == (Attached("somebody from 192.0.2.7", True),)
        arriving = Presence(str(tmp_path / "run"), name="anna", remote=True, starting=str(starting))
        assert arriving.others() == (), "nobody is another to themselves"
        arriving.attach()
        assert watching.others() == (Attached("anna", True),)
        arriving.detach()
        starting.write_text("somebody from 192.0.2.7")
        kill(child)
    assert watching.others() == ()
    assert files(tmp_path) == []


def test_sessions_that_only_ask_do_not_hold_each_other(tmp_path: Path) -> None:
    (tmp_path / "run/sessions").mkdir(parents=True)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asking = presence(tmp_path)
                seen = 0
                for number in range(200):
                    (tmp_path / f"run/sessions/remote-dead-{number}").touch()
                    seen += len(asking.others())
                code = int(seen > 0)
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0, 0, 0, 0]


def test_a_claim_is_not_refused_because_somebody_asks_who_boots(tmp_path: Path) -> None:
    here = presence(tmp_path)
    until = time.monotonic() + 60

    def ask() -> None:
        child = os.fork()
        if child == 0:
            try:
                there = presence(tmp_path)
                while time.monotonic() < until and os.getppid() != 1:
                    there.boot_claimed()
                    time.sleep(0.001)
            finally:
                os._exit(0)
        children.append(child)

    children: list[int] = []
    for _ in range(3):
        ask()
    try:
        for _ in range(100):
            assert here.claim_boot("anna boots") is None
            here.release_boot()
    finally:
        for child in children:
            kill(child)


def test_a_process_that_goes_on_with_the_boot_keeps_the_claim_and_is_nobody(tmp_path: Path) -> None:
    there = presence(tmp_path, "boris")

    def act() -> None:
        here = presence(tmp_path)
        here.attach()
        assert here.claim_boot("anna boots") is None
        go_on_in_a_child(here.hand_over, tmp_path / "child")

    with elsewhere(act) as session, child_of(tmp_path / "child") as end:
        assert there.others() == (Attached("anna", True),), "the session is still there"
        kill(session)
        assert there.others() == ()
        assert there.boot_claimed()
        assert there.claim_boot("boris boots") == "anna boots"
        end()
        wait_until(lambda: not there.boot_claimed())


def test_handing_over_without_anybody_here_is_nothing(tmp_path: Path) -> None:
    here = presence(tmp_path)
    here.hand_over()
    assert not here.attached


# -- the right to boot


def test_one_boots_and_the_other_is_told_what(tmp_path: Path) -> None:
    here, there = presence(tmp_path), presence(tmp_path)
    assert not there.boot_claimed()
    assert here.claim_boot("anna boots nixos-42-default") is None
    assert here.boot_claimed(), "one's own claim is one"
    assert there.boot_claimed()
    assert there.claim_boot("other") == "anna boots nixos-42-default"
    here.release_boot()
    assert not here.boot_claimed()
    assert not there.boot_claimed()
    assert there.claim_boot("other") is None
    there.release_boot()
    assert here.claim_boot("again") is None


def test_what_is_told_is_harmless_short_and_never_nothing(tmp_path: Path) -> None:
    here, there = presence(tmp_path), presence(tmp_path)
    here.claim_boot("\x1b[2J" + "x" * 1000)
    told = there.claim_boot("other")
    assert told is not None
    assert told.startswith("\ufffd[2Jxxx")
    assert len(told) <= 400
    here.release_boot()
    here.claim_boot("")
    assert there.claim_boot("other") == "another session boots"


def no_room() -> None:
    """No byte goes into a file from here on: as little as on a full /run, with another error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def test_without_room_one_boots_all_the_same(tmp_path: Path) -> None:
    there = presence(tmp_path, "boris")

    def act() -> None:
        here = presence(tmp_path)
        no_room()
        assert here.claim_boot("anna boots") is None
        here.release_boot()
        assert here.claim_boot("anna boots again") is None

    with elsewhere(act):
        assert there.boot_claimed()
        assert there.claim_boot("boris boots") == "another session boots"
    assert not there.boot_claimed()


# -- holding


def test_a_hold_outlives_the_session(tmp_path: Path) -> None:
    there = presence(tmp_path, "boris")
    assert there.holder() == ""
    with elsewhere(lambda: presence(tmp_path).hold()) as child:
        kill(child)
    assert there.holder() == "anna"
    assert there.resume()
    assert there.holder() == ""
    assert not there.resume()


def test_the_last_one_who_holds_is_named(tmp_path: Path) -> None:
    presence(tmp_path, "anna").hold()
    presence(tmp_path, "boris").hold()
    assert presence(tmp_path).holder() == "boris"


def test_two_who_hold_at_once_do_not_share_a_file(tmp_path: Path) -> None:
    here = presence(tmp_path)
    # What another, in the middle of it, has not yet renamed.
    (tmp_path / "run/hold.new").mkdir()
    (tmp_path / f"run/hold.{os.getpid() + 1}.new").mkdir()
    here.hold()
    assert here.holder() == "anna"


def test_a_hold_for_which_there_is_no_room_is_none_and_leaves_nothing(tmp_path: Path) -> None:
    there = presence(tmp_path, "boris")

    def act() -> None:
        here = presence(tmp_path)
        before = sorted(os.listdir(tmp_path / "run"))
        no_room()
        with pytest.raises(OSError, match="File too large"):
            here.hold()
        assert sorted(os.listdir(tmp_path / "run")) == before

    with elsewhere(act):
        assert there.holder() == ""


def test_a_hold_without_a_name_is_a_hold(tmp_path: Path) -> None:
    here = presence(tmp_path)
    (tmp_path / "run/hold").touch()
    assert here.holder() == "somebody"
