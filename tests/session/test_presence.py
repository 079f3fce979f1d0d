"""Locks that the kernel keeps: who is attached, who boots, and that the dead hold nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from chainboot.session.presence import Presence


def test_an_attached_session_holds_the_others(tmp_path: Path) -> None:
    here, there = Presence(str(tmp_path)), Presence(str(tmp_path))
    assert not there.others_attached()
    here.attach()
    here.attach()
    assert there.others_attached()
    assert not here.others_attached()
    here.detach()
    assert not there.others_attached()


def test_asking_does_not_attach(tmp_path: Path) -> None:
    here, there = Presence(str(tmp_path)), Presence(str(tmp_path))
    here.others_attached()
    assert not there.others_attached()


def test_one_boots_and_the_other_is_told_what(tmp_path: Path) -> None:
    here, there = Presence(str(tmp_path)), Presence(str(tmp_path))
    assert here.claim_boot("nixos-42-default") is None
    assert there.claim_boot("other") == "nixos-42-default"
    here.release_boot()
    assert there.claim_boot("other") is None
    there.close()
    assert here.claim_boot("again") is None


def test_a_killed_session_holds_nothing(tmp_path: Path) -> None:
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        presence = Presence(str(tmp_path))
        presence.attach()
        presence.claim_boot("x")
        os.write(go, b"x")
        signal.pause()
    os.read(ready, 1)
    here = Presence(str(tmp_path))
    assert here.others_attached()
    assert here.claim_boot("y") == "x"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not here.others_attached()
    assert here.claim_boot("y") is None


def test_sessions_that_only_ask_do_not_hold_each_other(tmp_path: Path) -> None:
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            asking = Presence(str(tmp_path))
            os._exit(sum(asking.others_attached() for _ in range(200)) > 0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0, 0, 0, 0]
