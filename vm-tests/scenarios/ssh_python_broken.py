"""A module of the menu is missing from the image: an administrator gets a busybox shell over SSH, others the reason."""

from chainboot_vm import sample
from chainboot_vm.first_stage import Variant
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network

DISKS = (sample.disk(),)
NETWORKS = (Network(),)
IMAGE = Variant("no-menu", without=("/chainboot/cli.",))

REASON = "chainboot does not work: ModuleNotFoundError: No module named 'chainboot.cli'"


def run(machine: Networked) -> None:
    machine.start()
    admin, view = machine.ssh("admin"), machine.ssh("view")
    admin.wait_for_ssh()

    with machine.subtest("the administrator, at a terminal and without one"):
        session = admin.open()
        session.wait_for(r"this is a busybox shell; 'exit' ends the connection")
        session.send("echo answer: $((6 * 7)); exit 3\n")
        session.wait_for("answer: 42")
        assert session.wait_for_exit() == 3
        assert REASON in "\n".join(session.lines()), session.lines()
        done = admin.run("shell", input="echo answer: $((6 * 7))\nexit 4\n")
        assert (done.code, done.stdout) == (4, "answer: 42\n"), f"{done.code}: {done.stdout}{done.stderr}"

    with machine.subtest("a verb, and who has no shell"):
        for done, hint in (
            (admin.run("list"), "; `ssh HOST shell` gives a busybox shell\n"),
            (view.run("list"), "; an administrator's key gets a shell\n"),
            (view.run("shell"), "; an administrator's key gets a shell\n"),
        ):
            assert (done.code, done.stdout) == (1, ""), f"{done.code}: {done.stdout}{done.stderr}"
            assert done.stderr.startswith(REASON), done.stderr
            assert done.stderr.endswith(hint), done.stderr
        session = view.open()
        assert session.wait_for_exit() == 1
        assert REASON in "".join(session.lines()), session.lines()
