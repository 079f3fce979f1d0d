"""The network service on pairs of virtual interfaces, in a network namespace of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from first_stage.stage import Stage, eventually, make_stage, need_root

SERVER = Path(__file__).parent / "dhcp_server.py"

# 10.9.0.15/24, router 10.9.0.1
LEASE = "ip 0a09000f\n1 ffffff00\n3 0a090001\n"
FIRST = "network: found one\nnetwork: one has a carrier\n"


@dataclass(frozen=True, slots=True)
class Network:
    """A running service. The other end of the interface `one` is `one-peer`, and so on; both are in one namespace."""

    stage: Stage
    namespace: int

    def ip(self, *words: str) -> str:
        """What ip(8) says in the service's namespace."""
        enter = ["nsenter", f"--net=/proc/{self.namespace}/ns/net"]
        return subprocess.run([*enter, "ip", *words], capture_output=True, text=True, check=True).stdout

    def has(self, *lines: str) -> bool:
        """Whether the log gets these lines, in any order."""
        return eventually(lambda: all(f"{line}\n" in self.stage.log() for line in lines))

    def routes(self) -> list[str]:
        return [line.strip() for line in self.ip("-4", "route").splitlines()]


@contextmanager
def network(directory: Path, *interfaces: str, settings: str = "", lease: str = "") -> Iterator[Network]:
    need_root()
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        pytest.skip("iproute2 or util-linux is not installed")
    stage = make_stage(directory / "stage")
    stage.settings(file=f"interfaces={','.join(interfaces)}\n{settings}")
    stage.script("load-modules", "exit 0")
    (directory / "lease").write_text(lease)
    made = "; ".join(
        f"ip link add {name} type veth peer name {name}-peer; ip link set {name}-peer up" for name in interfaces
    )
    script = (
        "busybox ip link set lo up; while ! [ -e /tmp/go ]; do usleep 50000; done; while :; do network; sleep 1; done"
    )
    with stage.service(script):
        namespace = _namespace_of(stage)
        enter = ["nsenter", f"--net=/proc/{namespace}/ns/net"]
        subprocess.run([*enter, "sh", "-ec", made], check=True)
        serving = [
            subprocess.Popen([*enter, sys.executable, str(SERVER), f"{name}-peer", str(directory / "lease")])
            for name in interfaces
        ]
        (stage.root / "tmp" / "go").touch()
        try:
            yield Network(stage, namespace)
        finally:
            for server in serving:
                server.kill()
                server.wait()


def _namespace_of(stage: Stage) -> int:
    """The process that runs the service's shell: the one whose root is the stage."""

    def found() -> list[int]:
        roots = {int(path.name): path / "root" for path in Path("/proc").iterdir() if path.name.isdigit()}
        return [process for process, root in roots.items() if _leads_to(root, stage.root)]

    assert eventually(lambda: bool(found()))
    return min(found())


def _leads_to(link: Path, target: Path) -> bool:
    try:
        return link.readlink() == target
    except OSError:
        return False


def test_a_lease(tmp_path: Path) -> None:
    with network(tmp_path, "one", lease=LEASE) as net:
        net.stage.write("/run/chainboot/ssh/state", "on\n")
        net.stage.write("/run/chainboot/ssh/port", "2222\n")
        net.stage.write("/run/chainboot/ssh/fingerprint", "ED25519 SHA256:abc\n")
        assert net.has("network: one 10.9.0.15/24", "ssh: port 2222, host key ED25519 SHA256:abc")
        assert net.stage.log().startswith(FIRST)
        assert "default via 10.9.0.1 dev one metric 101" in net.routes()


def test_a_server_that_comes_late_and_another_net_after_the_carrier_was_lost(tmp_path: Path) -> None:
    with network(tmp_path, "one") as net:
        assert net.has("network: one has a carrier")
        (tmp_path / "lease").write_text(LEASE)
        assert net.has("network: one 10.9.0.15/24")
        net.ip("link", "set", "one-peer", "down")
        assert net.has("network: one lost its carrier")
        # The address stays until there is another answer: connections live on it.
        assert "10.9.0.15/24" in net.ip("addr", "show", "dev", "one")
        (tmp_path / "lease").write_text("ip 0a090110\n1 ffff0000\n3 0a090002\n")
        net.ip("link", "set", "one-peer", "up")
        assert net.has("network: one 10.9.1.16/16", "network: one 10.9.0.15/24 is gone")
        assert [route for route in net.routes() if route.startswith("default")] == [
            "default via 10.9.0.2 dev one metric 101"
        ]


def test_an_address_that_no_server_confirms_is_given_up(tmp_path: Path) -> None:
    with network(tmp_path, "one", lease=LEASE) as net:
        assert net.has("network: one 10.9.0.15/24")
        net.ip("link", "set", "one-peer", "down")
        assert net.has("network: one lost its carrier")
        (tmp_path / "lease").write_text("")
        net.ip("link", "set", "one-peer", "up")
        # Not at once, for connections live on it.
        assert not eventually(lambda: "inet " not in net.ip("addr", "show", "dev", "one"), seconds=3)
        assert net.has("network: one 10.9.0.15/24 is gone")
        assert net.routes() == []


def test_an_interface_that_is_taken_down_comes_back_with_its_routes(tmp_path: Path) -> None:
    settings = "ip=10.9.0.2::10.9.0.1:24::one [2001:db8::2]::[fe80::1]:64::one\n"
    with network(tmp_path, "one", settings=settings) as net:
        assert net.has("network: one 10.9.0.2/24", "network: one 2001:db8::2/64")
        (net.stage.root / "run/chainboot/leaving").touch()
        net.ip("link", "set", "one", "down")
        # Not while the machine leaves: kexec takes interfaces down on its way.
        assert not eventually(lambda: "UP" in net.ip("-br", "link", "show", "dev", "one").split()[1], seconds=2)
        (net.stage.root / "run/chainboot/leaving").unlink()
        assert eventually(lambda: "default via 10.9.0.1 dev one metric 101" in net.routes())
        assert eventually(lambda: "default via fe80::1 dev one metric 101" in net.ip("-6", "route"))
        assert eventually(lambda: "2001:db8::2/64" in net.ip("-6", "addr", "show", "dev", "one"))


def test_static_without_a_device_goes_to_the_first_that_has_a_carrier(tmp_path: Path) -> None:
    settings = "ip=10.9.0.2::172.31.1.1:32:web nonsense\n"
    with network(tmp_path, "one", "two", settings=settings, lease=LEASE) as net:
        assert net.has("network: one 10.9.0.2/32", "network: two has a carrier")
        # An ip= turns DHCP off where nothing else asks for it.
        assert "inet " not in net.ip("addr", "show", "dev", "two")
        assert {"172.31.1.1 dev one scope link metric 101", "default via 172.31.1.1 dev one metric 101"} <= set(
            net.routes()
        )
        bad = "network: ip=nonsense is ignored: nonsense is not an address (IPv6 addresses stand in brackets)"
        assert net.has(bad)


def test_several_leases_and_the_first_interface_wins(tmp_path: Path) -> None:
    with network(tmp_path, "one", "two", lease=LEASE) as net:
        assert net.has("network: one 10.9.0.15/24", "network: two 10.9.0.15/24")
        found = [route for route in net.routes() if route.startswith("default")]
        assert found == ["default via 10.9.0.1 dev one metric 101", "default via 10.9.0.1 dev two metric 102"]


def test_classless_routes_replace_the_router(tmp_path: Path) -> None:
    # 172.31.1.1/32 on the link, 0.0.0.0/0 by it; a mask of 32 bits, as some clouds have it
    routes = "121 20ac1f01010000000000ac1f0101\n"
    with network(tmp_path, "one", lease=f"ip 0a09000f\n1 ffffffff\n3 0a090001\n{routes}") as net:
        assert net.has("network: one 10.9.0.15/32")
        assert eventually(lambda: "default via 172.31.1.1 dev one metric 101" in net.routes())
        assert "172.31.1.1 dev one scope link metric 101" in net.routes()
        assert not any("10.9.0.1 " in route for route in net.routes())


@pytest.mark.parametrize(
    "lease",
    [
        "ip 7f000001\n1 ffffff00\n",  # the loopback's
        "ip 0a09000f\n1 ff00ff00\n",  # no mask
        "ip e0000001\n",
    ],
)
def test_a_lease_that_makes_no_sense(tmp_path: Path, lease: str) -> None:
    with network(tmp_path, "one", lease=lease) as net:
        assert net.has("network: one: what the DHCP server says makes no sense")
        assert "inet " not in net.ip("addr", "show", "dev", "one")


def test_a_service_that_died_goes_on(tmp_path: Path) -> None:
    with network(tmp_path, "one", lease=LEASE) as net:
        assert net.has("network: one 10.9.0.15/24")
        enter = ["nsenter", f"--pid=/proc/{net.namespace}/ns/pid", f"--mount=/proc/{net.namespace}/ns/mnt"]
        processes = (
            net.stage.read("/run/chainboot/network/pid").split()
            + net.stage.read("/run/chainboot/network/one.dhcp").split()
        )
        subprocess.run([*enter, "kill", "-9", *processes], check=True)
        assert eventually(lambda: net.stage.read("/run/chainboot/network/pid").split() not in ([], processes[:1]))
        assert eventually(lambda: net.stage.read("/run/chainboot/network/one.dhcp").split() not in ([], processes[1:]))
        assert net.has("network: one 10.9.0.15/24")
