"""The unit: what its restrictions leave, that the daemon starts and serves under them, and what it tells its manager."""
import contextlib
import grp
import json
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time

import pytest

import proc
import service
from harness import DAEMON, OTHER, PREFIX, Tenant, start_failing, wait_for
from host import CTL, LAUNCHER, LaunchedHost, ctl

pytestmark = pytest.mark.plain  # a sanitized build needs more than the unit gives

PACKAGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging")
UNIT = os.path.join(PACKAGING, "metawardd.service")
LAUNCHING = os.path.join(PACKAGING, "metaward-launcher@.service")
INSTALLED = os.path.join(PREFIX, "lib")

# All that systemd-analyze has to find fault with, and why it is so. First: the most that it may come to.
EXPOSED = {
    UNIT: (1.6, {
        "User=/DynamicUser=": "files are trusted where they are root's, and workers must not be the parent's user",
        "CapabilityBoundingSet=~CAP_SYS_ADMIN": "setns()",
        "CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)": "port 80",
        "RestrictNamespaces=~net": "networks",
        "RestrictAddressFamilies=~AF_(INET|INET6)": "listeners",
        "RestrictAddressFamilies=~AF_UNIX": "log, control socket, launcher",
        "PrivateUsers=": "a user namespace has no power over the networks' namespaces",
        "IPAddressDeny=": "guests have any address",
        "DeviceAllow=": "ProtectClock= itself, which lets the real-time clock be read",
        "RootDirectory=/RootImage=": "the agent's directory and log are the host's",
    }),
    LAUNCHING: (2.3, {
        "User=/DynamicUser=": "only root starts what is another user's",
        "CapabilityBoundingSet=~CAP_SYS_ADMIN": "the nursery's namespaces, mounts and root",
        "CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP)": "nursery and reader give up root",
        "CapabilityBoundingSet=~CAP_SYS_PTRACE": "the first worker's namespaces and descriptors are looked at",
        "CapabilityBoundingSet=~CAP_KILL": "the reader is ended",
        "SystemCallFilter=~@privileged": "nursery and reader give up root; the control socket's group",
        "SystemCallFilter=~@mount": "the nursery's root directory",
        "RestrictNamespaces=~net": "the nursery",
        "RestrictNamespaces=~pid": "the nursery",
        "RestrictNamespaces=~mnt": "the nursery",
        "RestrictNamespaces=~ipc": "the nursery",
        "RestrictNamespaces=~uts": "the nursery",
        "RestrictNamespaces=~cgroup": "the nursery",
        "RestrictAddressFamilies=~AF_UNIX": "channels, the agent",
        "PrivateUsers=": "a user namespace has no power over the host's mounts",
        "DeviceAllow=": "ProtectClock= itself, which lets the real-time clock be read",
        "RootDirectory=/RootImage=": "the agent's directory is the host's",
    }),
}


class Service(LaunchedHost):
    """The host daemon and its launcher as their units would start them, but for the manager: that is a socket here."""

    def __init__(self, agent, networks=(), environment=(), outside="errno", **options):
        confined = [sys.executable, "-B", service.__file__, LAUNCHING, outside, "-", LAUNCHER]
        super().__init__(agent, networks, launching=confined, **options)
        self.words = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.words.bind(os.path.join(self.folder, "notify"))
        self.words.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.words.settimeout(20)
        self.command = ["env", "NOTIFY_SOCKET=" + os.path.join(self.folder, "notify"), *environment, sys.executable, "-B",
                        service.__file__, UNIT, outside, self.folder] + self.command

    def hear(self):
        return self.words.recv(100).decode()

    def hear_from(self):
        """A word, and the process that said it."""
        word, beside, _, _ = self.words.recvmsg(100, 100)
        return word.decode(), struct.unpack("iii", beside[0][2])[0]

    def stop(self, *number):
        with self.words:
            return super().stop(*number)


def analyze(*arguments, check=True):
    return subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, check=check)


@pytest.mark.parametrize("unit", EXPOSED, ids=os.path.basename)
def test_the_exposure_is_low_and_all_of_it_has_a_reason(unit):
    most, reasons = EXPOSED[unit]
    overall = analyze("security", "--offline=yes", unit).stdout.splitlines()[-1]
    print(overall)
    assert float(re.search(r"([0-9.]+) \w+ \S+$", overall)[1]) <= most
    faults = json.loads(analyze("security", "--offline=yes", "--json=short", unit).stdout)
    exposed = {fault["name"] for fault in faults if fault["set"] is False and fault["exposure"] is not None}
    assert exposed == set(reasons)


@pytest.mark.parametrize("name, command", [
    ("metawardd.service", DAEMON + " --config /etc/metaward/metawardd.conf --launcher /run/metaward/launcher"),
    ("metaward-launcher@.service", LAUNCHER), ("metaward-launcher.socket", None)])
def test_the_installed_files_are_good(name, command):
    unit = os.path.join(INSTALLED, "systemd/system", name)
    settings = service.read(unit)
    assert settings.get("ExecStart") == (command.split() if command else None)
    assert settings.get("ExecReload") == ([os.path.normpath(CTL), "reload"] if command and command.startswith(DAEMON) else None)
    verified = analyze("verify", "--man=no", unit, check=False)
    complaints = [line for line in verified.stderr.splitlines() if not line.endswith("system call, ignoring: mseal")]
    assert (verified.returncode, complaints) == (0, [])


def test_account_and_directories_are_made(tmp_path):
    (tmp_path / "etc").mkdir()
    for tool, kind in (("sysusers", "sysusers.d"), ("tmpfiles", "tmpfiles.d")):
        create = ["--create"] if tool == "tmpfiles" else []
        subprocess.run(["systemd-" + tool, "--root=%s" % tmp_path, *create, os.path.join(INSTALLED, kind, "metaward.conf")],
                       check=True, capture_output=True)
    assert re.search(r"^metaward:[^:]*:\d+:\d+:metadata proxy:/nonexistent:\S*nologin$", (tmp_path / "etc/passwd").read_text(),
                     re.MULTILINE)
    for name in ("run/metaward", "etc/metaward", "etc/metaward/networks.d"):
        status = (tmp_path / name).stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, 0o755)


def test_the_units_agree():
    """What the daemon asks for its launcher is where that listens, for as many daemons as there can be at one time."""
    socket_unit = service.read(os.path.join(PACKAGING, "metaward-launcher.socket"))
    daemon = service.read(UNIT)
    assert daemon["ExecStart"][-2:] == ["--launcher", *socket_unit["ListenSequentialPacket"]]
    assert "metaward-launcher.socket" in daemon["Requires"] and "metaward-launcher.socket" in daemon["After"]
    assert socket_unit["SocketMode"] == ["0600"] and socket_unit["Accept"] == ["yes"]
    assert int(socket_unit["MaxConnections"][0]) >= 2  # an old daemon and a new one


@pytest.mark.parametrize("unit, names", [(UNIT, ["host"]), (LAUNCHING, ["launcher", "nursery_host", "worker", "reader", "reader_host"])],
                         ids=["daemon", "launcher"])
def test_the_unit_and_the_policies_agree(unit, names):
    """Every call of a policy is one that the unit's filter lets pass."""
    allowed = service.expand(service.read(unit)["SystemCallFilter"])
    policies = json.loads(subprocess.run([DAEMON, "--print-policy=json"], capture_output=True, check=True).stdout)
    for name in names:
        assert {line["call"] for line in policies[name]} - allowed == set()


@pytest.mark.parametrize("outside", ["errno", "kill"])
def test_it_serves_under_the_units_restrictions(tenant, agent, outside):
    """Where each call outside of the unit's filter kills, a start and a worker's end show that there is none."""
    with Service(agent, {"one": (OTHER, tenant.proxy)}, outside=outside) as host:
        assert host.hear() == "READY=1"
        with tenant.client() as guest:  # at once: it was ready
            assert guest.get().status == 200
        wait_for("both workers", lambda: host.event("serving", 2))
        for worker in host.workers:
            os.kill(worker, 9)
        wait_for("new workers", lambda: host.event("serving", 4))
        with tenant.client() as guest:
            assert guest.get().status == 200
        assert os.path.samefile("/proc/%d/cwd" % host.pid, "/proc/%d/root" % host.pid)
        assert os.readlink("/proc/%d/ns/net" % host.pid) != os.readlink("/proc/self/ns/net")
        assert host.stop() == 0


def test_the_control_socket_works_under_the_units_restrictions(tenant, agent):
    """It is given to its group without CAP_CHOWN, and namespaces come through it."""
    with Service(agent, outside="kill", isolation="network", control_group="nogroup") as host:
        assert host.hear() == "READY=1"
        status = os.stat(host.control)
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, grp.getgrnam("nogroup").gr_gid, 0o660)
        ctl(host, "add", "--network-id", OTHER, "--netns", "/run/netns/" + tenant.proxy.name)
        with wait_for("the network to be served", lambda: reached(tenant)) as guest:
            assert guest.get().status == 200
        assert [counted["uuid"] for counted in json.loads(ctl(host, "--json", "stats"))] == [OTHER]
        ctl(host, "remove", OTHER)
        assert host.stop() == 0


def test_namespaces_come_and_go_under_the_units_restrictions(agent):
    tenant = Tenant()
    with Service(agent, {"one": (OTHER, tenant.proxy)}) as host:
        assert host.hear() == "READY=1" and host.event("ready")["waiting"] == "1"
        with tenant:
            with wait_for("the new namespace to be served", lambda: reached(tenant)) as guest:
                assert guest.get().status == 200
            waiting = len(host.events("network-waiting"))
        wait_for("its end to be seen", lambda: len(host.events("network-waiting")) > waiting)


@pytest.mark.parametrize("outside", ["errno", "kill"])
def test_an_upgrade_under_the_units_restrictions(tenant, agent, outside, subreaper):
    """The manager hears of the new main process from the old one, which it trusts, and then from the new one alone."""
    with Service(agent, {"one": (OTHER, tenant.proxy)}, ["WATCHDOG_USEC=2000000"], outside=outside) as host:
        main, pids = host.pid, [host.pid]
        assert host.hear() == "READY=1"
        for _ in range(2):
            ctl(host, "upgrade")
            heard = [host.hear_from()]
            while heard[-1] != ("READY=1", heard[-1][1]):
                heard.append(host.hear_from())
            words = [(word, pid) for word, pid in heard if word != "WATCHDOG=1"]
            new = words[-1][1]
            assert words == [("MAINPID=%d" % new, main), ("READY=1", new)]
            before = [pid for word, pid in heard if word == "WATCHDOG=1"]
            assert set(before) <= {main}
            main = new
            pids.append(new)
        assert host.hear_from() == ("WATCHDOG=1", main)
        with tenant.client() as guest:
            assert guest.get().status == 200
        assert host.process.wait(20) == 0
        for pid in pids[1:-1]:
            wait_for("an old one's end", lambda pid=pid: not is_other_child(pid) and buried(pid))
        wait_for("the last one to be ours", lambda: not is_other_child(main))
        os.kill(main, 15)
        assert os.waitpid(main, 0)[1] == 0
        while (word := host.hear_from()) == ("WATCHDOG=1", main):
            pass
        assert word == ("STOPPING=1", main) and host.stop() == 0


def is_other_child(pid):
    """Is its parent still the heir that started it? That goes with the daemon before."""
    with contextlib.suppress(FileNotFoundError):
        return proc.status(pid)["PPid"] != [str(os.getpid())]
    return False


def buried(pid):
    """It has ended well, or that heir has seen to it."""
    with contextlib.suppress(ChildProcessError):
        found, status = os.waitpid(pid, os.WNOHANG)
        assert status == 0
        return found == pid
    return True


def reached(tenant):
    try:
        return tenant.client()
    except OSError:
        return None


def test_the_watchdog_is_told_in_time_and_the_end_is_told(tenant, agent):
    interval = 0.4
    with Service(agent, {"one": (OTHER, tenant.proxy)}, ["WATCHDOG_USEC=%d" % (interval * 1e6)]) as host:
        while host.hear() != "READY=1":
            pass
        for _ in range(5):
            start = time.monotonic()
            assert host.hear() == "WATCHDOG=1"
            assert time.monotonic() - start < interval
        host.process.terminate()
        while (word := host.hear()) == "WATCHDOG=1":
            pass
        assert word == "STOPPING=1"
        assert host.stop() == 0


def test_a_start_that_fails_is_never_ready(agent):
    host = Service(agent, config="[nonsense]\n")
    launchers = service.Launchers(host.socket, *host.launching)
    with host.words:
        at = host.command.index(DAEMON)
        status, lines = start_failing(*host.command[at + 1:], under=host.command[:at])
        assert launchers.stop() == [0]
        assert status == 41 and "nonsense" in lines
        assert str(status) in service.read(UNIT)["RestartPreventExitStatus"]
        host.words.setblocking(False)
        with pytest.raises(BlockingIOError):
            host.hear()
    shutil.rmtree(host.folder)
