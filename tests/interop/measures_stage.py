"""The networks that are measured: namespaces as the agents make them, and a proxy in them that is the system's HAProxy or
metaward, with the configuration that Neutron writes. Everything has a name of the run's own, so that `down` finds it."""
import contextlib
import grp
import os
import pwd
import select
import signal
import subprocess
import sys
import time

import settings
from classic_stage import ini
from guests import namespace_exists
from processes import children, cmdline, end_strays, read, sh, Started, write

sys.path.insert(1, os.path.join(os.path.dirname(settings.DIRECTORY), "system"))
from harness import PATIENCE, Namespace, Tenant  # noqa: E402

HERE = os.path.join(settings.STATE, "measures")
LOG = os.path.join(HERE, "log")
STARTED = Started(os.path.join(HERE, "pids"))
PROGRAMS = {"metaward": os.path.join(settings.PROXY_DIRECTORY, "haproxy"), "haproxy": "/usr/sbin/haproxy"}
ADDRESS, ADDRESS6, PORT = "169.254.169.254", "fe80::a9fe:a9fe", 80
NETWORKS = 20 if settings.QUICK else 100
NAMESPACES = ["interop-m%d" % number for number in range(NETWORKS)]
SETTLE = 0.05  # after it, what ends a start lazily (a loaded locale, a first log line) is over

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
    """One network's proxy: its configuration, its start in a namespace that is there, its processes, its end."""

    def __init__(self, number, namespace, socket=os.path.join(HERE, "agent", "none")):
        self.uuid = "5ca1e000-1111-4111-8111-%012d" % number
        self.namespace = namespace
        self.configuration = os.path.join(HERE, self.uuid + ".conf")
        self.pid_file = os.path.join(HERE, self.uuid + ".pid.haproxy")
        group = grp.getgrgid(pwd.getpwnam(settings.USER).pw_gid).gr_name
        write(self.configuration, CONFIGURATION % {"uuid": self.uuid, "user": settings.USER, "group": group,
                                                   "pid_file": self.pid_file, "socket": socket})

    def start(self, program):
        """-> seconds from exec to the first process's end."""
        quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
        quiet.append((os.POSIX_SPAWN_OPEN, 2, self.pid_file + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with self.namespace.inside():
            began = time.perf_counter()
            pid = os.posix_spawn(PROGRAMS[program], ["haproxy", "-f", self.configuration], {}, file_actions=quiet)
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


class Crowded(Tenant):
    """A network with guests, and namespaces that `down` can find."""

    NAMES = ["interop-m%s%d" % (side, number) for number in range(6) for side in "pg"]

    def __init__(self, number):
        super().__init__()
        self.proxy, self.guest = (Namespace(name) for name in self.NAMES[2 * number:2 * number + 2])
        self.number = number

    @contextlib.contextmanager
    def served(self, program, agent):
        """In the block, `program` serves this network with that agent behind it."""
        network = Network(NETWORKS + self.number, self.proxy, agent.path)
        network.start(program)
        try:
            yield self
        finally:
            network.stop()


def memory(pids, field):
    """The sum over processes, in kB."""
    total = 0
    for pid in pids:
        for line in read("/proc/%d/smaps_rollup" % pid).splitlines():
            if line.startswith(field + ":"):
                total += int(line.split()[1])
    return total


def descriptors(pids):
    """Of each process."""
    return [len(os.listdir("/proc/%d/fd" % pid)) for pid in pids]


def driver_directory(program):
    return os.path.join(HERE, "driver-" + program)


def driver_ini(program):
    return ini("measure-" + program, state=driver_directory(program), interval=60, log=os.path.join(LOG, program))


def start_driver(program):
    """Neutron's metadata driver, which finds `program` first. -> the directory that takes its commands"""
    commands = os.path.join(driver_directory(program), "commands")
    path = os.path.dirname(PROGRAMS[program]) + ":" + settings.SYSTEM_PATH
    STARTED.start("driver-" + program,
                  [settings.PYTHON, os.path.join(settings.DIRECTORY, "classic_driver.py"), commands,
                   "--config-file", driver_ini(program)],
                  os.path.join(LOG, program + ".out"), env={"PATH": path})
    return commands


def make_namespace(name):
    """What the agent makes before it asks for the proxy."""
    namespace = Namespace(name).__enter__()
    namespace.ip("link", "add", "tap0", "type", "veth", "peer", "name", "guest0")
    namespace.ip("link", "set", "guest0", "up")
    namespace.ip("link", "set", "tap0", "up")
    namespace.ip("addr", "add", ADDRESS + "/32", "dev", "tap0")
    namespace.ip("addr", "add", ADDRESS6 + "/64", "dev", "tap0", "nodad")


def up():
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and os.path.exists("/proc/self/fd/%d" % fd):
            os.set_inheritable(fd, False)  # as Neutron does; what is inherited would be counted
    for directory in (HERE, LOG, os.path.join(HERE, "agent")) + tuple(driver_directory(p) for p in PROGRAMS):
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)
    if not os.path.exists("/dev/log"):
        STARTED.start("syslog", [settings.PYTHON, os.path.join(settings.DIRECTORY, "syslog_stub.py"), "/dev/log",
                                 os.path.join(HERE, "syslog.txt")], os.path.join(LOG, "stdout"))
    for name in NAMESPACES:
        make_namespace(name)


def down():
    left = [pid for program in PROGRAMS for pid in STARTED.stop("driver-" + program, family=True)]
    end_strays(HERE + "/")
    STARTED.stop_all()
    made = ["interop-m%d" % number for number in range(100)] + Crowded.NAMES
    for name in made:
        if namespace_exists(name):
            sh("ip", "netns", "del", name, check=False)
    return left


def wipe():
    subprocess.run(["rm", "-rf", "--", HERE], check=True)
