"""A host's proxy: configurations as Neutron's metadata_path extension writes them, and the drop-in that runs with one."""
import collections
import json
import os
import re
import signal
import subprocess
import tempfile

from harness import PATIENCE, PREFIX, Client, Proxy, wait_for

PROGRAM = os.path.join(PREFIX, "libexec", "metaward", "haproxy")

# A guest as its record has it.
Guest = collections.namedtuple("Guest", "ip id tenant signature")

HEAD = """
global
    log         /dev/log local0 debug
    log-tag     haproxy-host_metadata_proxy
    user        nobody
    group       nogroup
    maxconn     1024
    daemon

frontend public
    bind            *:{port} name clear
    mode            http
    log             global
    option          httplog
    option          dontlognull
    maxconn         1024
    timeout http-request    30s
    timeout connect         30s
    timeout client          32s
    timeout server          32s
    timeout http-keep-alive 30s

    monitor-uri     /monitoruri
    stats uri       /admin/stats
"""

ACL = "\n    acl instance_{0.id}_{0.ip} src {0.ip}\n"
USE = "\n    use_backend backend_{0.id}_{0.ip} if instance_{0.id}_{0.ip}\n"
BACKEND = """
backend backend_{0.id}_{0.ip}
    mode            http
    balance         roundrobin
    retries         3
    option redispatch
    timeout http-request    30s
    timeout connect         30s
    timeout server          30s

    http-request set-header X-Instance-ID {0.id}
    http-request set-header X-Tenant-ID {0.tenant}
    http-request set-header X-Instance-ID-Signature {0.signature}

    server metasrv {1}

"""


def guest(ip, number, tenant=None):
    """A guest at an address, with values that follow from a number."""
    return Guest(ip, "0a0b0c0d-0000-4000-8000-%012d" % number, tenant or "%032x" % (number * 7), "%064x" % (number * 11))


def guests(count, prefix="240.1"):
    """So many guests, at prefix.0.1 and up."""
    return [guest("%s.%d.%d" % (prefix, i >> 8, i & 255), i) for i in range(1, count + 1)]


def configuration(known, server, port=80):
    """The file for these guests, whose backend is HOST:PORT."""
    parts = [HEAD.format(port=port)]
    parts += [ACL.format(one) for one in known]
    parts += [USE.format(one) for one in known]
    parts += [BACKEND.format(one, server) for one in known]
    return "".join(parts)


class HostProxy:
    """The drop-in as the host's proxy in a tenant's namespace, in the foreground, with its log collected."""

    def __init__(self, tenant, agent, devlog, known, folder, under=()):
        self.under = list(under)  # a tracer, of which the parent is the child
        self.tenant, self.agent, self.devlog = tenant, agent, devlog
        self.folder = str(folder)
        os.chmod(self.folder, 0o755)
        self.path = os.path.join(self.folder, "host_metadata_proxy.haproxy.conf")
        self.pid_file = os.path.join(self.folder, "host.pid")
        self.write(known)

    @property
    def server(self):
        return "%s:%d" % (self.agent.name, self.agent.port)

    def write(self, known):
        """Replace the file as Neutron does: by another one of the same name. A text is written as it is."""
        text = known if isinstance(known, str) else configuration(known, self.server)
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path + ".new", 0o644)
        os.rename(self.path + ".new", self.path)

    def __enter__(self):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.tenant.proxy.name, *self.devlog.under, *self.under, PROGRAM, "-f", self.path, "-p", self.pid_file, "-db"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)
        Proxy.running.add(self)
        wait_for("the host's proxy to serve", lambda: self.events("serving") or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        Proxy.running.discard(self)
        said = self.said()
        assert "AddressSanitizer" not in said and "runtime error" not in said, said
        self.errors.close()
        assert status == 0, said

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def events(self, name):
        found = []
        for line in list(self.devlog.lines):
            fields = dict(re.findall(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\'[^\']*\'|\S*)', line.decode("ascii")))
            if fields.get("event") == name:
                found.append({k: v.strip('"') for k, v in fields.items()})
        return found

    def event(self, name, count=1):
        return wait_for("event=%s" % name, lambda: self.events(name)[count - 1:])[0]

    def reload(self, known=None, outcome="reloaded"):
        """Write the file anew, send SIGHUP, and wait for what comes of it."""
        before = len(self.events(outcome))
        if known is not None:
            self.write(known)
        os.kill(self.pid, signal.SIGHUP)
        return self.event(outcome, before + 1)

    @property
    def pid(self):
        return children(self.process.pid)[0] if self.under else self.process.pid

    @property
    def nursery(self):
        """Of the parent's two children the one that was started last; the other one is the dialer."""
        return children(self.pid)[-1]

    @property
    def worker(self):
        return wait_for("a worker", lambda: children(self.nursery))[0]

    def client(self, source):
        if ":" in source:
            return Client(self.tenant.guest.connect("fe80::a9fe:a9fe%eth0", 80, source + "%eth0"))
        return Client(self.tenant.guest.connect("169.254.169.254", 80, source))

    def ask(self, source, target="/", **named):
        with self.client(source) as client:
            return client.get(target, **named)

    def identity(self, source):
        """Who the server takes a guest for; None where it is refused."""
        answer = self.ask(source)
        if answer.status == 503:
            return None
        assert answer.status == 200
        return identity_in(answer)


def identity_in(answer):
    told = dict(json.loads(answer.body)["headers"])
    return told["X-Forwarded-For"], told["X-Instance-ID"], told["X-Tenant-ID"], told["X-Instance-ID-Signature"]


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(x) for x in f.read().split()]
