"""What a network's proxy costs: HAProxy and metaward, in turn, with the configuration that Neutron writes.

usage: measure.py PREFIX [ROUNDS [NETWORKS]], PREFIX as `./dev build` and `./dev install` make it

Start: from exec until the first process ends, which must mean that the addresses listen and that the pid file is written.
Memory and descriptors: of all processes of one network, idle. Then as many networks at once as asked for (20). Medians.
"""
import contextlib
import grp
import os
import pwd
import select
import signal
import statistics
import sys
import tempfile
import time

PREFIX = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
os.environ["METAWARD_PREFIX"] = PREFIX
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "system"))

from harness import PATIENCE, Namespace  # noqa: E402
from processes import children, cmdline, read  # noqa: E402

PROGRAMS = {"haproxy": "/usr/sbin/haproxy", "metaward": os.path.join(PREFIX, "libexec", "metaward", "haproxy")}
USER = next(name for name in ("neutron", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})
ADDRESS = "169.254.169.254"

# As the OVN metadata agent of 2025.2 writes it, but for the paths and the user.
CONFIGURATION = """
global
    log         /dev/log local0 info
    log-tag     haproxy-metadata-proxy-%(uuid)s
    user        %(user)s
    group       %(group)s
    maxconn     1024
    nbthread    2
    pidfile     %(pid_file)s
    daemon

defaults
    log global
    mode http
    option httplog
    option dontlognull
    option http-server-close
    option forwardfor
    retries                 3
    timeout http-request    30s
    timeout connect         30s
    timeout client          32s
    timeout server          32s
    timeout http-keep-alive 30s


listen listener
    bind 169.254.169.254:80
    bind fe80::a9fe:a9fe:80 interface tap0
    server metadata %(socket)s
    http-request del-header X-OVN-Router-ID
    http-request set-header X-OVN-Network-ID %(uuid)s
"""


class Network:
    """A namespace as the agent makes it, and the proxy's files."""

    def __init__(self, number, directory):
        self.uuid = "5ca1e000-1111-4111-8111-%012d" % number
        self.configuration = os.path.join(directory, self.uuid + ".conf")
        self.pid_file = os.path.join(directory, self.uuid + ".pid.haproxy")
        self.directory = directory

    def __enter__(self):
        self.namespace = Namespace().__enter__()
        self.namespace.ip("link", "add", "tap0", "type", "veth", "peer", "name", "guest0")
        self.namespace.ip("link", "set", "guest0", "up")
        self.namespace.ip("link", "set", "tap0", "up")
        self.namespace.ip("addr", "add", ADDRESS + "/32", "dev", "tap0")
        self.namespace.ip("addr", "add", "fe80::a9fe:a9fe/64", "dev", "tap0", "nodad")
        entry = pwd.getpwnam(USER)
        with open(self.configuration, "w", encoding="utf-8") as f:
            f.write(CONFIGURATION % {
                "uuid": self.uuid, "user": USER, "group": grp.getgrgid(entry.pw_gid).gr_name, "pid_file": self.pid_file,
                "socket": os.path.join(self.directory, "agent", "socket")})
        return self

    def __exit__(self, *_):
        self.namespace.__exit__()

    def start(self, program):
        """-> seconds from exec to the first process's end."""
        quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
        quiet.append((os.POSIX_SPAWN_OPEN, 2, self.pid_file + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with self.namespace.inside():
            began = time.perf_counter()
            pid = os.posix_spawn(program, ["haproxy", "-f", self.configuration], {}, file_actions=quiet)
            _, status = os.waitpid(pid, 0)
            took = time.perf_counter() - began
        if status != 0:
            raise RuntimeError("%s: status %s: %s" % (
                program, os.waitstatus_to_exitcode(status), read(self.pid_file + ".err")))
        if not any(self.uuid in word for word in cmdline(self.pid())):
            raise RuntimeError("%s: not active when its first process ended" % program)
        self.namespace.connect(ADDRESS).close()
        return took

    def pid(self):
        return int(read(self.pid_file))

    def processes(self):
        return [self.pid()] + children(self.pid())

    def stop(self):
        """-> seconds from SIGTERM to the end of all processes."""
        handles = [os.pidfd_open(pid) for pid in self.processes()]
        began = time.perf_counter()
        signal.pidfd_send_signal(handles[0], signal.SIGTERM)
        for handle in handles:
            if not select.select([handle], [], [], PATIENCE)[0]:
                raise RuntimeError("the proxy does not end")
        took = time.perf_counter() - began
        for handle in handles:
            os.close(handle)
        if os.path.exists(self.pid_file):
            os.unlink(self.pid_file)
        return took



def memory(pids, field):
    """The sum over processes, in kB."""
    total = 0
    for pid in pids:
        for line in read("/proc/%d/smaps_rollup" % pid).splitlines():
            if line.startswith(field + ":"):
                total += int(line.split()[1])
    return total


def descriptors(pids):
    return sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in pids)


def one_network(network, rounds):
    """-> {name: {what: [values]}}; the two programs take turns."""
    values = {name: {} for name in PROGRAMS}
    for turn in range(rounds + 1):
        for name, program in PROGRAMS.items():
            took = network.start(program)
            time.sleep(0.05)  # what ends a start lazily (a loaded locale, a first log line) is over
            pids = network.processes()
            measured = {"start, ms": 1000 * took, "processes": len(pids), "descriptors": descriptors(pids),
                        "anonymous memory, kB": memory(pids, "Pss_Anon"), "PSS, kB": memory(pids, "Pss")}
            measured["stop, ms"] = 1000 * network.stop()
            if turn:  # the first turn warms the page cache
                for what, value in measured.items():
                    values[name].setdefault(what, []).append(value)
    return values


def many_networks(networks):
    """-> {name: {what: [value]}} of all networks at once."""
    values = {}
    for name, program in PROGRAMS.items():
        began = time.perf_counter()
        for network in networks:
            network.start(program)
        took = time.perf_counter() - began
        pids = [pid for network in networks for pid in network.processes()]
        count = len(networks)
        values[name] = {"%d networks: PSS, kB" % count: [memory(pids, "Pss")],
                        "%d networks: anonymous memory, kB" % count: [memory(pids, "Pss_Anon")],
                        "%d networks: descriptors" % count: [descriptors(pids)],
                        "%d networks: started one after another, ms" % count: [1000 * took]}
        for network in networks:
            network.stop()
    return values


def show(values):
    medians = {name: {what: statistics.median(numbers) for what, numbers in table.items()}
               for name, table in values.items()}
    print("%-44s %12s %12s %8s" % (("",) + tuple(medians) + ("ratio",)))
    for what, theirs in medians["haproxy"].items():
        ours = medians["metaward"][what]
        print("%-44s %12.1f %12.1f %8.2f" % (what, theirs, ours, ours / theirs))


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 25
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and os.path.exists("/proc/self/fd/%d" % fd):
            os.set_inheritable(fd, False)  # as Neutron does; what is inherited would be counted
    with tempfile.TemporaryDirectory(prefix="metaward-") as directory, contextlib.ExitStack() as stack:
        os.chmod(directory, 0o755)
        os.mkdir(os.path.join(directory, "agent"))
        networks = [stack.enter_context(Network(number, directory)) for number in range(count)]
        show(one_network(networks[0], rounds))
        show(many_networks(networks))


if __name__ == "__main__":
    main()
