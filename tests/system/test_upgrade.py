"""The upgrade of the host daemon: the installed program takes over listeners and leases, and no request is lost."""
import array
import contextlib
import grp
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid

import pytest

from harness import DAEMON, NETWORK, PATIENCE, SANITIZED, Agent, Tenant, unique, wait_for
from hostile import HERE
from host import CTL, REFUSED, Host, ctl
from room import Room
from test_lease import Network
from test_systemd import Service

READY, CONTROL, LISTED, END, SERVING, YOURS = range(1, 7)
RECORD = 24 + 64
HEALTH, RELOAD, OK, ERROR, LATER = 6, 8, 1, 2, 5  # of the control socket
pytestmark = pytest.mark.usefixtures("subreaper")
BOTH = pytest.mark.parametrize("options", [{}, {"isolation": "network"}], ids=["shared", "network"])


def reap(pid, what):
    def ended():
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        return not os.path.exists("/proc/%d" % pid)
    wait_for(what, ended)


class Upgraded(Host):
    """A host daemon that is upgraded: its process is another one each time, and all write to the same standard error."""

    def __init__(self, *arguments, control=None, **named):
        super().__init__(*arguments, **named)
        self.control = control or self.control
        self.mains = []

    def start(self):
        super().start()
        self.mains = [self.process.pid]
        return self

    @property
    def pid(self):
        return self.mains[-1]

    def health(self):
        return json.loads(ctl(self, "--json", "health"))

    def renewed(self):
        """The process that serves now; it is another one."""
        self.mains.append(self.health()["pid"])
        assert self.mains.count(self.pid) == 1
        return self.pid

    def upgrade(self):
        shown = json.loads(ctl(self, "--json", "upgrade"))
        assert shown["upgraded"] and shown["pid"] == self.renewed()

    def upgrade_by_signal(self):
        before = self.pid
        os.kill(before, signal.SIGUSR2)
        wait_for("the next one", lambda: self.health()["pid"] != before)
        self.renewed()

    def gone(self, pid):
        """Wait for the end of an old one."""
        if pid == self.process.pid:
            assert self.process.wait(PATIENCE) == 0
        else:
            reap(pid, "an old daemon's end")

    def stop(self, number=signal.SIGTERM):
        for pid in self.mains[::-1]:
            if pid != self.process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                self.gone(pid)
        return super().stop(number)


class Load:
    """A guest that asks and asks, on one connection as long as it may, or on one a request."""

    def __init__(self, tenant, keep_alive):
        self.tenant, self.keep_alive = tenant, keep_alive
        self.statuses, self.failures, self.identities, self.stopping = [], [], set(), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(PATIENCE)

    def run(self):
        while not self.stopping.is_set():
            try:
                with self.tenant.client() as guest:
                    self.ask(guest)
            except Exception as failure:  # pylint: disable=broad-exception-caught
                self.failures.append(repr(failure))

    def ask(self, guest):
        while not self.stopping.is_set():
            answer = guest.get()
            if answer is None:
                self.failures.append("no answer after %d" % len(self.statuses))
                return
            self.statuses.append(answer.status)
            if answer.status == 200:
                self.identities.add(dict(json.loads(answer.body)["headers"]).get("X-Neutron-Network-ID"))
            if not self.keep_alive or answer.header("Connection") == "close":
                return

    def check(self, identity):
        assert self.failures == [] and set(self.statuses) == {200} and self.identities == {identity}


def origins(host):
    return {n["uuid"]: (n["origin"], n["state"], n["netns"], n["file"]) for n in json.loads(ctl(host, "--json", "list"))}


@BOTH
def test_nothing_is_lost_under_load(options):
    """Networks of every origin, under load, upgraded several times in a row by verb and by signal."""
    own, added, handed = (str(uuid.uuid4()) for _ in range(3))
    with contextlib.ExitStack() as stack:
        agent = stack.enter_context(Agent())
        of_file, by_name, by_descriptor, of_lease = (stack.enter_context(Tenant()) for _ in range(4))
        room = stack.enter_context(Room())
        host = Upgraded(agent, {"one": (own, of_file.proxy)}, under=room.enter(), control=room.path("control"),
                        control_socket="/run/metaward/control", config="[timeouts]\ntimeout_http_keep_alive = 2s\n", **options)
        with host:
            ctl(host, "add", "--network-id", added, "--netns", by_name.proxy.name)
            ctl(host, "add", "--network-id", handed, under=("nsenter", "--net=" + by_descriptor.proxy.path))
            lease = Network(agent.path, port=80)
            stack.callback(lease.end)
            with open(lease.path, encoding="utf-8") as f:
                text = f.read().replace("bind 127.0.0.1:", "bind 169.254.169.254:")
            Host.write(lease.path, text)
            assert lease.start(room, under=("ip", "netns", "exec", of_lease.proxy.name)) == (0, "")
            holder, before = lease.pid(), origins(host)
            assert sorted(o[0] for o in before.values()) == ["control", "control", "file", "lease"]
            tenants = {own: of_file, added: by_name, handed: by_descriptor, NETWORK: of_lease}
            loads = [(identity, stack.enter_context(Load(tenant, keep_alive)))
                     for identity, tenant in tenants.items() for keep_alive in (False, True)]
            for change in (host.upgrade, host.upgrade_by_signal, host.upgrade):
                enough = [len(load.statuses) + 3 for _, load in loads]
                change()
                wait_for("all guests to go on", lambda: all(len(load.statuses) > least for (_, load), least in zip(loads, enough)))
                assert origins(host) == before
            for pid in host.mains[:-1]:
                host.gone(pid)
            for identity, load in loads:
                load.__exit__()
                load.check(identity)
            assert lease.pid() == holder and not host.events("upgrade-failed")
            os.kill(holder, signal.SIGKILL)
            reap(holder, "the lease's end")
            wait_for("its network's end", lambda: NETWORK not in origins(host))
            ctl(host, "remove", handed)
            assert set(origins(host)) == {own, added}


def test_the_control_socket_answers_all_the_time(agent, tenant):
    stop, seen = threading.Event(), []

    def look():
        while not stop.is_set():
            seen.append(ctl(host, "list"))
            extra = str(uuid.uuid4())
            ctl(host, "add", "--network-id", extra, "--netns", "absent", "--listen", "169.254.169.254:81")
            ctl(host, "remove", extra)

    with Upgraded(agent, {"one": (NETWORK, tenant.proxy)}) as host:
        looking = threading.Thread(target=look)
        looking.start()
        try:
            for _ in range(4):
                host.upgrade()
        finally:
            stop.set()
            looking.join(PATIENCE)
        assert len(seen) > 4 and all(NETWORK in lines for lines in seen)
        assert set(origins(host)) == {NETWORK}


def test_files_that_have_changed_are_applied(agent, tenant):
    gone, bad, fresh = (str(uuid.uuid4()) for _ in range(3))
    with Tenant() as other, Upgraded(agent, {"one": (NETWORK, tenant.proxy), "two": (gone, other.proxy),
                                             "three": (bad, "absent")}) as host:
        with tenant.client() as guest:
            assert guest.get().status == 200
            os.unlink(os.path.join(host.networks, "two.conf"))
            host.put("three", "nonsense\n")
            host.put("four", (fresh, other.proxy))
            host.upgrade()
            assert set(origins(host)) == {NETWORK, bad, fresh}
            assert [n["error"] for n in json.loads(ctl(host, "--json", "list")) if n["uuid"] == bad][0]
            assert guest.get().header("Connection") == "close"
        wait_for("the address, which the old one had until it left", lambda: origins(host)[fresh][1] == "serving")
        with other.client() as guest:
            assert dict(json.loads(guest.get().body)["headers"])["X-Neutron-Network-ID"] == fresh


def test_an_idle_guest_may_ask_once_more_and_a_request_is_finished(tenant):
    release = threading.Event()

    def answer(request):
        if request.target == "/slow":
            release.wait(PATIENCE)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    with Agent(answer) as agent, Upgraded(agent, {"one": (NETWORK, tenant.proxy)}) as host:
        with tenant.client() as idle, tenant.client() as busy:
            assert idle.get().status == 200
            busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for("the agent to be asked", lambda: [r for r in agent.requests if r.target == "/slow"])
            host.upgrade()
            old = host.mains[0]
            with tenant.client() as newcomer:
                assert newcomer.get().header("Connection") != "close"
            last = idle.get()
            assert last.status == 200 and last.header("Connection") == "close" and idle.closed()
            release.set()
            assert busy.answer().status == 200
            host.gone(old)
        host.upgrade()
        host.gone(host.mains[1])


def test_a_namespace_goes_while_old_workers_finish(tenant, agent):
    with Upgraded(agent, {"one": (NETWORK, tenant.proxy)}) as host:
        with tenant.client() as idle:
            assert idle.get().status == 200
            host.upgrade()
            subprocess.run(["ip", "netns", "del", tenant.proxy.name], check=True)
            try:
                assert idle.closed()
                host.gone(host.mains[0])
            finally:
                subprocess.run(["ip", "netns", "add", tenant.proxy.name], check=True)


def test_a_member_of_the_group_may_not_upgrade_or_reload(agent):
    with Upgraded(agent, control_group="54322") as host:
        for verb in ("upgrade", "reload"):
            assert "that is for root" in ctl(host, verb, status=REFUSED, user=54321, group=54322)
        assert host.health()["pid"] == host.pid


def test_reload_waits_and_tells_what_is_wrong(agent, tenant):
    with Upgraded(agent, {"one": (NETWORK, tenant.proxy)}) as host:
        fresh = str(uuid.uuid4())
        host.put("two", (fresh, "absent"))
        shown = json.loads(ctl(host, "--json", "reload"))
        assert shown == {"reloaded": True, "loads": 2, "failed": 0} and fresh in origins(host)
        host.put("two", "nonsense\n")
        assert ctl(host, "reload") == ""
        host.put("three", "nonsense\n")
        assert "1 networks' files are not good" in ctl(host, "reload")
        with open(host.file, encoding="utf-8") as f:
            good = f.read()
        host.write(host.file, "nonsense\n")
        assert "nonsense" in ctl(host, "reload", status=REFUSED)
        host.write(host.file, good)
        ctl(host, "reload")
        assert ctl(host, "reload", "more", status=2)


# what fails


@contextlib.contextmanager
def roomy(agent, tenant, **named):
    with Room() as room:
        host = Upgraded(agent, {"one": (NETWORK, tenant.proxy)}, under=room.enter(), control=room.path("control"),
                        control_socket="/run/metaward/control", **named)
        with host:
            yield room, host


def in_room(room, *command):
    subprocess.run(room.enter(*command), check=True)


@contextlib.contextmanager
def in_place(room, path):
    in_room(room, "mount", "--bind", path, DAEMON)
    try:
        yield
    finally:
        in_room(room, "umount", "--lazy", DAEMON)  # what was started from there may still run


def goes_on(host, tenant, why=None):
    """It serves, says why it was not upgraded, and can be."""
    old = host.pid
    with tenant.client() as guest:
        assert guest.get().status == 200
    if why:
        health = json.loads(ctl(host, "--json", "health", status=REFUSED).split("\n}\n")[0] + "\n}")
        assert why in health["upgrade_error"] and not health["upgrading"] and health["pid"] == old
    host.upgrade()
    with tenant.client() as guest:
        assert guest.get().status == 200
    host.gone(old)


def test_another_file_on_the_disk_is_what_runs_then(agent, tenant, tmp_path):
    copy = tmp_path / "metawardd"
    shutil.copy(DAEMON, copy)
    with roomy(agent, tenant) as (room, host):
        with in_place(room, str(copy)):
            host.upgrade()
            assert os.stat("/proc/%d/exe" % host.pid).st_ino == os.stat(copy).st_ino
            goes_on(host, tenant)


def test_a_bad_configuration_upgrades_nothing(agent, tenant):
    with Upgraded(agent, {"one": (NETWORK, tenant.proxy)}) as host:
        with open(host.file, encoding="utf-8") as f:
            good = f.read()
        host.write(host.file, good + "nonsense\n")
        assert "cannot read the configuration" in ctl(host, "upgrade", status=REFUSED)
        host.write(host.file, good)
        goes_on(host, tenant, "cannot read the configuration")


@pytest.mark.parametrize("what", ["absent", "somebody's", "no program"])
def test_a_program_that_is_not_to_be_trusted_is_not_started(agent, tenant, tmp_path, what):
    path = tmp_path / "metawardd"
    path.write_text("nonsense")
    path.chmod(0o755)
    if what == "somebody's":
        shutil.copy(DAEMON, path)
        os.chown(path, 1, 1)
    with roomy(agent, tenant) as (room, host):
        over = str(path) if what != "absent" else "/dev/null"
        with in_place(room, over):
            assert "cannot execute the installed program" in ctl(host, "upgrade", status=REFUSED)
        goes_on(host, tenant, "cannot execute the installed program")


def test_a_successor_that_is_killed_leaves_all_as_it_was(agent, tenant):
    """At any moment, as it comes: found by its parent, the heir."""
    with Upgraded(agent, {"one": (NETWORK, tenant.proxy)}) as host, Load(tenant, True) as load:
        killed = 0
        for i in range(10):
            heir, old = host.children()[0], host.pid
            os.kill(old, signal.SIGUSR2)
            successor = wait_for("the successor", lambda h=heir: host.children(h))[0]
            time.sleep(i * (0.02 if SANITIZED else 0.002))  # it is to be met at every stage of its start
            with contextlib.suppress(ProcessLookupError):
                os.kill(successor, signal.SIGKILL)
            wait_for("an end of it", lambda c=killed: len(host.events("upgrade-failed")) > c or host.events("upgraded"))
            if host.events("upgraded"):
                break
            killed += 1
            assert not host.event("heir-ended") and host.children()[0] == heir
        else:
            host.upgrade()
        load.__exit__()


# A successor that is none


def fake(tmp_path):
    """A listening socket at which the end of a handover comes in, and the program that brings it."""
    name = unique("metaward-successor-")
    path = str(tmp_path / "successor")
    subprocess.run(["gcc", "-static", "-DTEST_NAME=\"%s\"" % name, "-o", path, os.path.join(HERE, "hostile", "successor.c")],
                   check=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0" + name)
    listener.listen(4)
    listener.settimeout(PATIENCE)
    return listener, path


def handover_end(listener):
    connection, _ = listener.accept()
    with connection:
        beside = connection.recvmsg(1, 256)[1]
    end = socket.socket(fileno=struct.unpack("i", beside[0][2])[0])
    end.setblocking(True)
    end.settimeout(PATIENCE)
    return end


def word(kind, **more):
    return (struct.pack("=HH", more.get("version", 1), kind) + more.get("rest", b"")).ljust(more.get("size", host_record()), b"\0")


def host_record():
    """The size of a record: head and the description of a network."""
    return RECORD + 544


def records(end, until=END):
    """What the daemon hands over: (type, number of descriptors) of each."""
    found = []
    while not found or found[-1][0] != until:
        data, beside, _, _ = end.recvmsg(4096, 1024)
        assert data, "it hung up"
        fds = array.array("i")
        for _, kind, part in beside:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(part)
        for fd in fds:
            os.close(fd)
        found.append((struct.unpack_from("=HH", data)[1], len(fds), len(data)))
    return found


def begin(host):
    os.kill(host.pid, signal.SIGUSR2)


@pytest.mark.parametrize("part", ["nothing", "garbage", "short", "long", "version", "early", "descriptors", "twice", "hang up",
                                  "hang up later", "deaf"])
def test_a_hostile_successor_changes_nothing(agent, tenant, tmp_path, part):
    listener, path = fake(tmp_path)
    with listener, roomy(agent, tenant) as (room, host):
        with in_place(room, path):
            begin(host)
            end = handover_end(listener)
            with end:
                successor = wait_for("the successor", lambda: host.children(host.children()[0]))[0]
                if part == "garbage":
                    end.send(os.urandom(host_record()))
                elif part == "short":
                    end.send(word(READY)[:-1])
                elif part == "long":
                    end.send(word(READY) + b"\0")
                elif part == "version":
                    end.send(word(READY, version=2))
                elif part == "early":
                    end.send(word(SERVING))
                elif part == "descriptors":
                    end.sendmsg([word(READY)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 200))])
                elif part == "twice":
                    end.send(word(READY))
                    end.send(word(READY))
                elif part == "hang up later":
                    end.send(word(READY))
                    assert [kind for kind, _, _ in records(end)] == [CONTROL, LISTED, END]
                elif part in ("nothing", "deaf"):
                    if part == "deaf":
                        end.send(word(READY))
                    os.kill(successor, signal.SIGKILL)
            wait_for("its end", lambda: host.event("upgrade-failed"))
        goes_on(host, tenant, "the new daemon")


def test_what_is_handed_over_and_that_nothing_changes_meanwhile(agent, tenant, tmp_path):
    listener, path = fake(tmp_path)
    extra = str(uuid.uuid4())
    with listener, roomy(agent, tenant) as (room, host), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as early:
        early.connect(host.control)
        early.send((struct.pack("=HHI", 1, HEALTH, 0)).ljust(552, b"\0"))  # it is a client from now on
        while struct.unpack_from("=HH", early.recv(4096))[1] != OK:
            pass
        with in_place(room, path):
            begin(host)
            with handover_end(listener) as end:
                end.send(word(READY))
                assert records(end) == [(CONTROL, 1, host_record()), (LISTED, 1, host_record()), (END, 0, host_record())]
                with tenant.client() as guest:
                    assert guest.get().status == 200
                asking = subprocess.Popen([CTL, "--socket", host.control, "add", "--network-id", extra, "--netns", "absent"])
                early.send((struct.pack("=HHI", 1, RELOAD, 0)).ljust(552, b"\0"))
                assert struct.unpack_from("=HHH", early.recv(4096)) == (1, ERROR, LATER)
                with pytest.raises(subprocess.TimeoutExpired):
                    asking.wait(0.3)
            assert asking.wait(PATIENCE) == 0
            wait_for("its end", lambda: host.event("upgrade-failed"))
        assert set(origins(host)) == {NETWORK, extra}
        goes_on(host, tenant, "the new daemon was killed")


class UpgradedService(Service, Upgraded):
    """Under its units, with a launcher for each."""


@pytest.mark.plain  # a sanitized build needs more than the units give
@BOTH
def test_it_is_upgraded_under_its_units_and_each_daemon_has_a_launcher(agent, tenant, options):
    with UpgradedService(agent, {"one": (NETWORK, tenant.proxy)}, outside="kill", control_group="nogroup", **options) as host:
        assert host.hear() == "READY=1"
        with Load(tenant, False) as load:
            for _ in range(2):
                old, launcher, nursery = host.pid, host.launcher, host.nursery
                host.upgrade()
                host.gone(old)
                wait_for("the old launcher's end", lambda launcher=launcher: [p.poll() for p in host.launchers.processes if p.pid == launcher] == [0])
                assert not os.path.exists("/proc/%d" % nursery) and host.children(host.launcher) == [host.nursery]
                assert os.stat(host.control).st_gid == grp.getgrnam("nogroup").gr_gid
            wait_for("requests after it", lambda: len(load.statuses) > 20)
        load.check(NETWORK)
        with open("/proc/%d/status" % host.pid, encoding="ascii") as f:
            assert "\nCapPrm:\t0000000000200400\nCapEff:\t0000000000200400\nCapBnd:\t0000000000200400\n" in f.read()


def test_a_lease_that_is_asked_for_meanwhile_is_granted_afterwards(agent, tenant, tmp_path):
    listener, path = fake(tmp_path)
    with listener, roomy(agent, tenant) as (room, host):
        lease, extra = Network(agent.path, port=81), str(uuid.uuid4())
        with open(lease.path, encoding="utf-8") as f:
            text = f.read().replace("bind 127.0.0.1:", "bind 169.254.169.254:").replace(NETWORK, extra)
        Host.write(lease.path, text)
        with in_place(room, path):
            begin(host)
            with handover_end(listener) as end:
                end.send(word(READY))
                assert records(end)[-1][0] == END
                started = []
                starting = threading.Thread(target=lambda: started.append(
                    lease.start(room, under=("ip", "netns", "exec", tenant.proxy.name))))
                starting.start()
                starting.join(0.3)
                assert not started
            starting.join(PATIENCE)
            assert started == [(0, "")] and origins(host)[extra][:2] == ("lease", "serving")
            wait_for("its end", lambda: host.event("upgrade-failed"))
        goes_on(host, tenant, "the new daemon was killed")
        assert origins(host)[extra][:2] == ("lease", "serving")
        os.kill(lease.pid(), signal.SIGTERM)
        wait_for("its network's end", lambda: extra not in origins(host))
        shutil.rmtree(lease.directory)


def test_take_over_by_hand_is_refused(agent, tenant):
    with Upgraded(agent, {"one": (NETWORK, tenant.proxy)}) as host:
        done = subprocess.run([DAEMON, "--config", host.file, "--take-over"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 49 and "cannot take over from the daemon that runs" in done.stderr
        assert subprocess.run([DAEMON, "--take-over"], capture_output=True, check=False).returncode == 2
        goes_on(host, tenant)


def test_the_heir_holds_nothing(agent, tenant):
    with Upgraded(agent, {"one": (NETWORK, tenant.proxy)}) as host:
        for _ in range(2):
            heir = host.children()[0]
            with open("/proc/%d/comm" % heir, encoding="ascii") as f:
                assert f.read() == "metaward-heir\n"
            assert sorted(os.listdir("/proc/%d/fd" % heir), key=int) == ["0", "1", "2", "3"]
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT):
                os.kill(heir, number)
            host.upgrade()
            with open("/proc/%d/comm" % host.pid, encoding="ascii") as f:
                assert f.read() == "metawardd\n"
        heir = host.children()[0]
        os.kill(heir, signal.SIGKILL)
        wait_for("the daemon to notice", lambda: host.event("heir-ended"))
        assert "has ended" in ctl(host, "upgrade", status=REFUSED)
        with tenant.client() as guest:
            assert guest.get().status == 200
