"""No host key, one authorised key, a static address: the key is made, kept on the boot volume, and the same again.

The volume may hold authorized keys as well, and one of them gets in at the second start.
"""

import shlex
from dataclasses import replace

from chainboot_vm import access, sample
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network

DISKS = (replace(sample.disk(timeout=0), kept=True),)
NETWORKS = (Network(guest_address="10.0.2.77"),)
PARAMETERS = "ip=10.0.2.77::10.0.2.2:255.255.255.0::eth0:off"
SETTINGS = {"network_wait": 60, "ssh_volume_keys": 1, "ssh_role": "boot"}
KEYS = ("admin",)
HOST_KEY = False

KEY_FILE = "/boot/chainboot/host_key"


def run(machine: Networked) -> None:
    machine.start()
    # From here on the client knows the key that it was shown, and takes no other.
    admin, vera = machine.ssh("admin"), machine.ssh("view")
    machine.note(f"figure: the server answers {admin.wait_for_ssh():.0f} s after the first start")
    status = admin.run("status")
    assert status.code == 0, status.stderr
    assert "root@10.0.2.77" in status.stdout, status.stdout
    assert "problem:" not in status.stdout, status.stdout
    fingerprint = _fingerprint(status.stdout)
    assert vera.run("list").code == 255, "a key that nobody authorised gets in"

    with machine.subtest("the key is on the boot volume, for root alone"):
        listed = admin.run("shell", input=f"stat -c '%a %u %s' /run/chainboot/volumes/*{KEY_FILE}; exit\n").stdout
        assert "\n600 0 83\n" in f"\n{listed}", listed

    with machine.subtest("a key is authorised on the boot volume"):
        line = shlex.quote(access.keys().public("view"))
        script = f"""
            cd /run/chainboot/volumes/* && mount -o remount,rw "$PWD" || exit
            (umask 077; echo {line} >boot/chainboot/authorized_keys)
            mount -o remount,ro "$PWD" && echo is $((1 + 1)) of 2; exit
        """
        written = admin.run("shell", input=script).stdout
        assert "is 2 of 2" in written, written

    with machine.subtest("after a power failure the machine is the same"):
        machine.crash()
        machine.start()
        machine.note(f"figure: the server answers {admin.wait_for_ssh():.0f} s after the second start")
        status = vera.run("status")
        assert status.code == 0, status.stderr
        # It names no role, so it has the one that is set.
        assert "vera@view from 10.0.2.2; this key may look and boot an entry\n" in status.stdout, status.stdout
        assert _fingerprint(status.stdout) == fingerprint, status.stdout
        assert "problem:" not in status.stdout, status.stdout


def _fingerprint(status: str) -> str:
    return next(line for line in status.splitlines() if "host key" in line)
