"""No wrong key and no password gets in, nothing is forwarded, and who only keeps the line busy is put out."""

import re
import time
from contextlib import ExitStack, suppress

from chainboot_vm import sample
from chainboot_vm.access import HOST, STRANGER
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network

DISKS = (sample.disk(timeout=0),)
NETWORKS = (Network(),)
SETTINGS = {"network_wait": 60}

# ssh's own code for a connection that did not come about.
NO_CONNECTION = 255

SILENT = 100
# Seconds from the last of them to a login: the server ends those that have said nothing.
PATIENCE = 60
PAUSE = 1


def run(machine: Networked) -> None:
    machine.start()
    admin = machine.ssh("admin")
    admin.wait_for_ssh()

    with machine.subtest("who is not authorised"):
        password = ("PreferredAuthentications=password,keyboard-interactive", "PubkeyAuthentication=no")
        for client in (machine.ssh(STRANGER), machine.ssh(None), machine.ssh("admin", options=password)):
            done = client.run("list")
            assert done.code == NO_CONNECTION, f"exit code {done.code}: {done.stdout}{done.stderr}"
            assert "Permission denied (publickey)" in done.stderr, done.stderr
            assert done.stdout == "", done.stdout

    with machine.subtest("forwarding"):
        options = ("ExitOnForwardFailure=yes", "RemoteForward=127.0.0.1:2222 127.0.0.1:9")
        done = machine.ssh("admin", options=options).run("status")
        assert done.code == NO_CONNECTION, f"exit code {done.code}: {done.stderr}"
        assert "remote port forwarding failed" in done.stderr, done.stderr
        through = admin.transfer("ssh", "-W", "127.0.0.1:22", HOST)
        assert through.code != 0, "the server forwards a port"
        assert re.search("administratively prohibited|open failed", through.stderr), through.stderr

    with machine.subtest(f"{SILENT} connections that say nothing, then a login"):
        with ExitStack() as stack:
            for _ in range(SILENT):
                with suppress(OSError):
                    stack.enter_context(admin.connect())
            began = time.monotonic()
            attempts = 0
            while True:
                attempts += 1
                done = admin.run("help")
                seconds = time.monotonic() - began
                if done.code == 0:
                    break
                assert seconds < PATIENCE, f"no login within {PATIENCE} s: {done.stderr}"
                time.sleep(PAUSE)
        machine.note(f"figure: from {SILENT} silent connections to a login: {seconds:.0f} s, attempt {attempts}")
