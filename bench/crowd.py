"""What the host daemon costs with a thousand networks, each in a namespace of its own: memory, start, a network more, deaths.

Namespaces and the daemon are made as the system tests make them (tests/system/host.py). All is in the bench's own namespaces, so
whatever is left over goes with the bench.
"""
import contextlib
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import proc
import sample
from subjects import PATIENCE, DaemonShared, HAProxy2, Wanted
from targets import beside, target
from works import Work

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "tests", "system"))

import host as daemon  # noqa: E402
from harness import Namespace  # noqa: E402

PREFIX = os.environ["METAWARD_PREFIX"]  # harness.py has looked there, too
HOLDER = os.path.join(PREFIX, "libexec", "metaward", "lease", "haproxy")
CONTROL = "/run/metaward/control"  # where the drop-in looks for the daemon
ADDRESS = "169.254.169.254"
ADDED = 50
DEATHS = 7  # of each kind
UPGRADES = 3
LISTENERS = 10000
MB = 1e6 / 1024  # kB

LEASE = """\
global
    user nobody
    group nogroup
    maxconn 1024

defaults
    mode http
    timeout server 32s

listen listener
    bind %(address)s:80
    server metadata %(agent)s
    http-request del-header X-Neutron-Router-ID
    http-request set-header X-Neutron-Network-ID %(network)s
"""


def say(*words):
    print("  ", *words, flush=True)


def megabytes(pids):
    """Private memory, of everything that these processes have started, too."""
    return proc.private_kb(pids) / MB


@contextlib.contextmanager
def running(agent, files, **options):
    """-> the daemon, seconds until it says that it is ready, every network having been tried"""
    began = time.monotonic()
    with daemon.Host(agent, files, **options) as host:
        yield host, time.monotonic() - began


def all_serve(crowd, numbers):
    for number in numbers:
        with crowd.client(number) as guest:
            if guest.get().status != 200:
                raise RuntimeError("network %d is not served" % number)


def in_mode(isolation, agent, crowd, count):
    """-> MB after a request in each network, seconds until all are served, milliseconds for each network added (shared only)"""
    files = dict(list(crowd.files().items())[:count])
    with running(agent, files, isolation=isolation) as (host, seconds):
        all_serve(crowd, range(count))
        memory = megabytes([host.process.pid])
        added = list(add(host, crowd, range(count, count + ADDED))) if isolation == "shared" else []
    say("%s: ready after %.2f s, %.1f MB" % (isolation, seconds, memory))
    return memory, seconds, added


def template(identity, name):
    """The bytes with which metawardctl asks for a network: it is given a daemon that listens only."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        path = os.path.join(folder, "control")
        listener.bind(path)
        listener.listen(1)
        with subprocess.Popen([daemon.CTL, "--socket", path, "add", "--network-id", identity, "--netns", name],
                              stderr=subprocess.DEVNULL) as asking:
            connection, _ = listener.accept()
            with connection:
                request, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
            for fd in descriptors:
                os.close(fd)
            asking.wait()
    return request


def add(host, crowd, numbers):
    """Add networks to the daemon. -> milliseconds until it answered that it has it, each"""
    request = template(crowd.ids[numbers[0]], crowd.names[numbers[0]])
    for number in numbers:
        mine = request.replace(crowd.ids[numbers[0]].encode(), crowd.ids[number].encode())
        mine = mine.replace(padded(crowd.names[numbers[0]]), padded(crowd.names[number]))
        namespace = os.open(Namespace(crowd.names[number]).path, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.connect(host.control)
            began = time.perf_counter()
            socket.send_fds(sock, [mine], [namespace])
            version, answer = struct.unpack_from("=HH", sock.recv(4096))
            taken = time.perf_counter() - began
        os.close(namespace)
        if (version, answer) != (1, 1):
            raise RuntimeError("a network was not added")
        yield taken * 1e3
    all_serve(crowd, numbers)


def padded(name):
    return name.encode().ljust(64, b"\0")


def leases(agent, crowd, count, directory):
    """-> MB of the daemon and of all processes that hold a lease"""
    with running(agent, (), control_socket=CONTROL, workers=2) as (host, _), contextlib.ExitStack() as stack:
        holders = [stack.enter_context(lease(agent, crowd, number, directory)) for number in range(count)]
        for holder in holders:
            await_lease(holder)
        all_serve(crowd, range(count))
        own = megabytes([host.process.pid])
        memory = own + megabytes([holder.pid for holder in holders])
    say("%d leases: %.1f MB, %.1f of them the daemon's" % (count, memory, own))
    return memory


@contextlib.contextmanager
def lease(agent, crowd, number, directory):
    path = os.path.join(directory, "lease-%d.conf" % number)
    with open(path, "w", encoding="utf-8") as f:
        f.write(LEASE % {"address": ADDRESS, "agent": agent, "network": crowd.ids[number]})
    with Namespace(crowd.names[number]).inside():
        process = subprocess.Popen([os.path.join(PREFIX, "libexec", "metaward", "haproxy"), "-db", "-f", path],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def await_lease(holder):
    deadline = time.monotonic() + PATIENCE
    while os.readlink("/proc/%d/exe" % holder.pid) != HOLDER:
        if holder.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("a drop-in did not become a lease")
        time.sleep(0.001)


class Guests:
    """Ask all the time, each time on a new connection."""

    def __init__(self, crowd, number):
        self.crowd, self.number = crowd, number
        self.asked = []  # (began, ended, None or what went wrong)
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def ask(self):
        with Namespace(self.crowd.names[self.number]).inside():
            while not self.over.is_set():
                began, wrong = time.monotonic(), None
                try:
                    with socket.create_connection((ADDRESS, 80), timeout=5) as guest:
                        guest.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                        if not guest.recv(64).startswith(b"HTTP/1.1 200"):
                            wrong = "lost"
                except ConnectionRefusedError:
                    wrong = "refused"
                except OSError:
                    wrong = "lost"
                self.asked.append((began, time.monotonic(), wrong))


def death(number, agent, crowd, count):
    """Kill the worker while guests ask. -> refused connections, requests lost that came after it, ms until one was answered"""
    files = dict(list(crowd.files().items())[:count])
    with running(agent, files, workers=1) as (host, _), Guests(crowd, 0) as guests:
        time.sleep(0.2)  # of load
        (worker,) = host.workers
        killed = time.monotonic()
        os.kill(worker, number)
        time.sleep(0.3)
    answered = [ended for began, ended, wrong in guests.asked if began >= killed and not wrong]
    return (sum(wrong == "refused" for _, _, wrong in guests.asked),
            sum(began >= killed and wrong is not None for began, _, wrong in guests.asked),
            (min(answered) - killed) * 1e3 if answered else float("inf"))


def deaths(agent, crowd, count):
    for number in (signal.SIGKILL, signal.SIGSEGV):
        found = [death(number, agent, crowd, count) for _ in range(DEATHS)]
        refused, lost, back = (list(column) for column in zip(*found))
        say("%s: back after %s ms" % (number.name, " ".join("%.1f" % ms for ms in back)))
        yield target("worker ended by %s under load, %d times: connections refused" % (number.name, DEATHS), sum(refused), 0)
        yield target("  the same: requests lost that came after it", sum(lost), 0)
        yield target("  the same: service is back, median, ms", statistics.median(back), 50)


def has_ended(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def upgrades(agent, crowd, count):
    """Have the daemon taken over from while guests ask, several times in a row."""
    files = dict(list(crowd.files().items())[:count])
    took = []
    with running(agent, files) as (host, _):
        with Guests(crowd, 0) as guests:
            for _ in range(UPGRADES):
                time.sleep(0.2)  # of load
                began = time.monotonic()
                shown = json.loads(daemon.ctl(host, "--json", "upgrade"))
                took.append((time.monotonic() - began) * 1e3)
            time.sleep(0.2)
        os.kill(shown["pid"], signal.SIGTERM)
        while not has_ended(shown["pid"]):
            time.sleep(0.01)
    say("%d networks upgraded in %s ms, %d requests meanwhile" % (count, " ".join("%.0f" % ms for ms in took), len(guests.asked)))
    yield target("%d networks upgraded under load, %d times: connections refused" % (count, UPGRADES),
                 sum(wrong == "refused" for _, _, wrong in guests.asked), 0)
    yield target("  the same: requests lost", sum(wrong == "lost" for _, _, wrong in guests.asked), 0)
    yield beside("  the same: until the new one answers, median, ms", statistics.median(took))


def listeners(agent, directory, binaries, rounds, seconds):
    """CPU per request with so many listeners, by that with one; all in one namespace, one of them is asked."""
    work = Work("listeners", "")
    with contextlib.ExitStack() as stack:
        few, many = (stack.enter_context(DaemonShared(Wanted(agent, networks=count), number, directory))
                     for number, count in ((30, 1), (31, LISTENERS)))
        loads = [(subject, sample.Load(work, subject, binaries, HERE)) for subject in (few, many)]
        for subject, load in loads:
            sample.closed(work, subject, load, seconds)
        ratios = []
        for turn in range(rounds):
            cost = {subject: sample.closed(work, subject, load, seconds)["cpu_us"] for subject, load in loads[::-1 if turn % 2 else 1]}
            ratios.append(cost[many] / cost[few])
    say("%d listeners: %s" % (LISTENERS, " ".join("%.2f" % ratio for ratio in ratios)))
    return target("%d listeners: CPU per request, of that with one" % LISTENERS, statistics.median(ratios), 1.1)


def haproxy(agent, directory):
    with HAProxy2(Wanted(agent, networks=100), 32, directory) as subject:
        return megabytes(subject.pids()) * 10


def measure(agent, directory, binaries, quick):
    """-> targets, and milliseconds for each network added. With `quick` there are few networks, and what takes long is left
    out."""
    count = 50 if quick else 1000
    print("\nhost daemon, %d networks" % count, flush=True)
    began = time.monotonic()
    with daemon.Crowd(count + ADDED) as crowd:
        say("%d namespaces made in %.1f s" % (count + ADDED, time.monotonic() - began))
        shared, start, added = in_mode("shared", agent, crowd, count)
        apart, start_apart, _ = in_mode("network", agent, crowd, count)
        found = [target("%d networks, shared: private memory of all processes, MB" % count, shared, 40),
                 target("%d networks, network: the same, MB" % count, apart, 200)]
        if not quick:
            found += [beside("HAProxy, 100 networks, times ten: the same, MB", haproxy(agent, directory)),
                      target("%d leases: the same, their processes included, MB" % count, leases(agent, crowd, count, directory), 160)]
        found += [target("%d networks, shared: from exec until all are served, s" % count, start, 5),
                  beside("%d networks, network: the same, s" % count, start_apart),
                  target("adding a network to them: the daemon's answer, median, ms", statistics.median(added), 1),
                  *deaths(agent, crowd, min(count, 20)),
                  *upgrades(agent, crowd, count)]
    if not quick:
        found.append(listeners(agent, directory, binaries, 25, 0.3))
    say("took %.0f s" % (time.monotonic() - began))
    return found, added
