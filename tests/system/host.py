"""The host daemon with its files, in a folder of its own; and namespaces by the hundred."""
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import uuid

import leftovers
from harness import DAEMON, PREFIX, Client, Namespace, Proxy, Tenant, unique, wait_for
from service import Launchers

SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1


LAUNCHER = os.path.join(PREFIX, "libexec", "metaward", "metaward-launcher")
CTL = os.path.join(os.path.dirname(DAEMON), "..", "bin", "metawardctl")
OK, REFUSED, USAGE, UNREACHABLE, UNKNOWN, NOT_UNDERSTOOD = range(6)


def ctl(host, *words, status=OK, user=None, group=None, groups=(), under=()):
    """Run metawardctl; its standard output, and its standard error where it fails."""
    path = host if isinstance(host, str) else host.control
    done = subprocess.run([*under, CTL, "--socket", path, *words], capture_output=True, text=True, timeout=60, check=False,
                          user=user, group=group, extra_groups=None if user is None else list(groups), umask=0o22)
    assert done.returncode == status, (words, done)
    return done.stdout if status == OK else done.stdout + done.stderr


class Host(Proxy):
    """`metawardd --config` in the foreground. `options` are lines of the global file, by section.

    networks: {name of the file: its text or (id, namespace, listeners)}.
    """

    def __init__(self, agent, networks=(), log="stderr", tag="metaward", under=(), config="", **options):
        self.folder = leftovers.folder("host")
        self.networks = os.path.join(self.folder, "networks.d")
        os.mkdir(self.networks, 0o755)
        self.file = os.path.join(self.folder, "metawardd.conf")
        self.control = os.path.join(self.folder, "control")
        own = {"metadata_proxy_socket": agent if isinstance(agent, str) else agent.path, "user": "nobody",
               "networks": self.networks, "control_socket": self.control, **options}
        text = "[metaward]\n" + "".join("%s = %s\n" % item for item in own.items()) + "[log]\nlog = %s\nlog_tag = %s\n" % (log, tag) + config
        self.write(self.file, text)
        for name, network in dict(networks).items():
            self.put(name, network)
        self.command = list(under) + [DAEMON, "--config", self.file]
        self.lines = []

    @staticmethod
    def write(path, text):
        """Complete or not at all, as an administrator's tool would."""
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def put(self, name, network):
        """Write a network's file: text, or (id, namespace[, listeners])."""
        if not isinstance(network, str):
            identity, netns, *listen = network
            network = "[network]\nnetwork_id = %s\nnetns = %s\n" % (identity, getattr(netns, "name", netns))
            network += "".join("listen = %s\n" % address for address in (listen[0] if listen else []))
        self.write(os.path.join(self.networks, name + ".conf"), network)

    def is_serving(self):
        return any("event=ready " in line for line in list(self.lines))

    def stop(self, number=signal.SIGTERM):
        status = super().stop(number)
        wait_for("its folder to be gone", self.remove)  # a process that is ending may still write there
        return status

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        return not os.path.exists(self.folder)

    def __exit__(self, *_):
        self.stop()

    @property
    def workers(self):
        return self.children(self.nursery)


class LaunchedHost(Host):
    """Its processes are started by a launcher, which runs as `launching` says."""

    def __init__(self, agent, networks=(), launching=(LAUNCHER,), **options):
        super().__init__(agent, networks, **options)
        self.socket = os.path.join(self.folder, "launcher")
        self.command += ["--launcher", self.socket]
        self.launching = launching

    def start(self):
        self.launchers = Launchers(self.socket, *self.launching)
        return super().start()

    def stop(self, number=signal.SIGTERM, expected=0):
        status = super().stop(number)
        ends = self.launchers.stop()
        assert ends == [expected] * len(ends), (ends, self.launchers.lines)
        return status

    @property
    def launcher(self):
        """The last one's process."""
        return self.launchers.processes[-1].pid

    @property
    def nursery(self):
        return self.children(self.launcher)[0]


@contextlib.contextmanager
def many_tenants(count):
    """So many tenants, each with an id."""
    with contextlib.ExitStack() as stack:
        yield {str(uuid.uuid4()): stack.enter_context(Tenant()) for _ in range(count)}


def files(tenants):
    """The networks' files of tenants by id."""
    return {"network-%d" % i: (identity, tenant.proxy) for i, (identity, tenant) in enumerate(tenants.items())}


class Crowd:
    """Namespaces by the hundred, each with the agent's address on its loopback interface: no guests, no wires."""

    def __init__(self, count):
        self.names = [unique("mwc") for _ in range(count)]
        self.ids = [str(uuid.uuid4()) for _ in self.names]

    def batch(self, *lines):
        for start in range(0, len(lines), 500):
            subprocess.run(["ip", "-batch", "-"], input="\n".join(lines[start:start + 500]), text=True, check=True)

    def __enter__(self):
        self.batch(*["netns add " + name for name in self.names])
        for name in self.names:
            with Namespace(name).inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                fcntl.ioctl(sock, SIOCSIFADDR, struct.pack("16sHH4s8x", b"lo", socket.AF_INET, 0, socket.inet_aton("169.254.169.254")))
                fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
        return self

    def __exit__(self, *_):
        self.batch(*["netns del " + name for name in self.names])

    def files(self):
        return {"network-%d" % i: pair for i, pair in enumerate(zip(self.ids, self.names))}

    def client(self, number, timeout=20):
        return Client(Namespace(self.names[number]).connect("169.254.169.254", timeout=timeout))
