"""The proxies that are compared: how each is configured and started. One class a subject; new ones join SUBJECTS.

What they must have in common is in `Wanted`. Every subject listens on port 80 of consecutive addresses, one a network, sets
X-Forwarded-For and the network's id, opens a connection to the agent for each request and closes it, and writes its log to
/dev/log or not at all.
"""
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import time

import proc

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 20
NETWORK = "3f2504e0-4f89-41d3-9a0c-%012d"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a work asks of each subject."""
    agent: str  # the agent's socket
    networks: int = 1
    log: bool = False
    limits: bool = False  # a rate limit that no guest reaches
    reuse: bool = False  # connections to the agent are kept, where the subject can
    close: bool = False  # guests ask once a connection
    workers: int = 2  # of the host daemon, where networks share them
    connections: int = 1024  # at one time, that each of the host daemon's workers takes; Neutron's maxconn


# As Neutron's agents have written it since 2025.2, but for user, paths and addresses. Both HAProxy and metaward read it.
NEUTRON = """\
global
%(log)s\
    user        nobody
    group       nogroup
    maxconn     1024
    nbthread    %(threads)d

defaults
%(log_defaults)s\
    mode http
    option %(upstream)s
    option forwardfor
    retries                 3
    timeout http-request    30s
    timeout connect         30s
    timeout client          32s
    timeout server          32s
    timeout http-keep-alive 30s

%(table)s\
listen listener
    bind %(address)s:80
    server metadata %(agent)s
%(limit)s\
%(reuse)s\
    http-request del-header X-Neutron-Router-ID
    http-request set-header X-Neutron-Network-ID %(network)s
"""
LOG = """\
    log         /dev/log local0 info
    log-tag     haproxy-metadata-proxy-%s
"""
LOG_DEFAULTS = """\
    log global
    option httplog
    option dontlognull
"""
TABLE = """\
backend base_rate_limiter
    stick-table type ip size 10k expire 10s store http_req_rate(10s)

"""
LIMIT = """\
    http-request track-sc0 src table base_rate_limiter
    http-request deny deny_status 429 if { src_http_req_rate(base_rate_limiter) gt 1000000 }
"""

DAEMON = """\
[metaward]
user = nobody
metadata_proxy_socket = %(agent)s
isolation = %(isolation)s
control_socket = %(control)s
networks = %(networks)s
upstream_reuse = %(reuse)s
%(workers)s\
[limits]
max_networks = %(most)d
max_connections = %(connections)d
[log]
log = %(log)s
"""
NETWORK_FILE = """\
[network]
network_id = %(network)s
netns = bench
listen = %(address)s:80
%(limit)s"""

NGINX = """\
daemon off;
user nobody nogroup;
worker_processes 1;
pid %(directory)s/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
    %(log)s
    %(temporary)s
    keepalive_requests 100000000;
    keepalive_timeout 30s;
    %(zone)s
    upstream agent { server unix:%(agent)s; %(keep)s }
    server {
        %(listen)s
        location / {
            %(limit)s
            proxy_pass http://agent;
            proxy_http_version 1.1;
            proxy_set_header Connection "%(connection)s";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Neutron-Router-ID "";
            proxy_set_header X-Neutron-Network-ID %(network)s;
        }
    }
}
"""


class Subject:
    """A proxy as it runs: its processes, and the addresses of its networks."""
    name = title = ""
    reuses = True  # can keep connections to the agent
    bears_equal_load = True  # a third of what HAProxy can
    again = False  # there to see how far a subject is from itself

    def __init__(self, wanted, number, directory):
        self.wanted = wanted
        self.number = number
        self.directory = os.path.join(directory, "%s.%d" % (self.name, number))
        self.processes = []
        self.start_ms = 0.0
        os.makedirs(self.directory, exist_ok=True)

    def address(self, network=0):
        return "127.%d.%d.%d" % (self.number, (network + 1) // 256, (network + 1) % 256)

    def target(self, network=0):
        return self.address(network) + ":80"

    def pids(self):
        return [process.pid for process in self.processes]

    def __enter__(self):
        try:
            began = time.monotonic()
            self.launch()
            self.await_answer(self.wanted.networks - 1)
            self.start_ms = (time.monotonic() - began) * 1e3
            for network in range(self.wanted.networks):
                self.await_answer(network)
            proc.share_priority(self.pids())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def launch(self):
        raise NotImplementedError

    def run(self, *command):
        with open(os.path.join(self.directory, "errors"), "ab") as errors:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                                   start_new_session=True))

    def errors(self):
        with open(os.path.join(self.directory, "errors"), encoding="utf-8", errors="replace") as f:
            return f.read()[-500:]

    def await_answer(self, network):
        """Until a request is answered."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for process in self.processes:
                if process.poll() is not None:
                    raise RuntimeError("%s ended with status %d: %s" % (self.name, process.returncode, self.errors()))
            try:
                with socket.create_connection((self.address(network), 80), timeout=5) as guest:
                    guest.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    if guest.recv(64).startswith(b"HTTP/1.1 200"):
                        return
            except OSError:
                time.sleep(0.0005)
        raise RuntimeError("%s does not answer: %s" % (self.name, self.errors()))


class Neutron(Subject):
    """One process a network, each with the configuration that Neutron writes for it."""
    program = "haproxy"
    threads = 2

    def launch(self):
        for network in range(self.wanted.networks):
            self.run(self.program, "-db", "-f", self.configuration(network))

    def configuration(self, network):
        wanted, uuid = self.wanted, NETWORK % network
        reuse = wanted.reuse and self.reuses
        path = os.path.join(self.directory, "%d.conf" % network)
        with open(path, "w", encoding="utf-8") as f:
            f.write(NEUTRON % {
                "threads": self.threads, "address": self.address(network), "agent": wanted.agent, "network": uuid,
                "log": LOG % uuid if wanted.log else "", "log_defaults": LOG_DEFAULTS if wanted.log else "",
                "upstream": "http-keep-alive" if reuse else "http-server-close",
                "reuse": "    http-reuse always\n" if reuse else "",
                "table": TABLE if wanted.limits else "", "limit": LIMIT if wanted.limits else ""})
        return path


class Metaward(Neutron):
    """The drop-in; where connections to the agent are kept, which no configuration of Neutron's asks for, metawardd itself."""
    name, title = "metaward", "metaward (drop-in)"
    reuses = False

    @property
    def prefix(self):
        return os.environ["METAWARD_PREFIX"]

    @property
    def program(self):
        return os.path.join(self.prefix, "libexec", "metaward", "haproxy")

    def launch(self):
        if not self.wanted.reuse:
            super().launch()
            return
        for network in range(self.wanted.networks):
            self.run(os.path.join(self.prefix, "sbin", "metawardd"), "--upstream-reuse", "--user", "nobody", "--log", "none",
                     "--network-id", NETWORK % network, "--listen", self.target(network), "--metadata-proxy-socket", self.wanted.agent)


class Beside(Metaward):
    name, title = "beside", "metaward, another build"

    @property
    def prefix(self):
        return os.environ["METAWARD_BESIDE"]


class HAProxy2(Neutron):
    name, title = "haproxy-2", "HAProxy, 2 threads"
    reuses = False  # Neutron writes http-server-close


class HAProxyAgain(HAProxy2):
    name, title = "haproxy-again", "the same HAProxy again"
    again = True


class HAProxy1(HAProxy2):
    name, title = "haproxy-1", "HAProxy, 1 thread"
    threads = 1


class HAProxyReuse(Neutron):
    name, title = "haproxy-reuse", "HAProxy, 2 threads, reuse"


class Nginx(Subject):
    name, title = "nginx", "nginx"

    def launch(self):
        wanted, kinds = self.wanted, ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        path = os.path.join(self.directory, "nginx.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(NGINX % {
                "directory": self.directory, "agent": wanted.agent, "network": NETWORK % 0,
                "log": "access_log %s;" % ("syslog:server=unix:/dev/log,nohostname combined" if wanted.log else "off"),
                "temporary": " ".join("%s_temp_path %s/%s;" % (kind, self.directory, kind) for kind in kinds),
                "zone": "limit_req_zone $binary_remote_addr zone=guests:10m rate=1000000r/s;" if wanted.limits else "",
                "limit": "limit_req zone=guests burst=1000000 nodelay;" if wanted.limits else "",
                "keep": "keepalive 64;" if wanted.reuse else "", "connection": "" if wanted.reuse else "close",
                "listen": " ".join("listen %s:80 backlog=4096;" % self.address(n) for n in range(wanted.networks))})
        self.run("nginx", "-e", "stderr", "-c", path)


class Python(Subject):
    name, title = "python", "Python (WSGI)"
    reuses = False
    bears_equal_load = False

    def launch(self):
        self.run("/usr/bin/python3", "-B", os.path.join(HERE, "wsgi.py"), self.address(), "80", self.wanted.agent,
                 *(["/dev/log"] if self.wanted.log else []))


class Floor(Subject):
    name, title = "floor", "floor (parses nothing)"

    def launch(self):
        wanted = self.wanted
        self.run(os.path.join(os.path.dirname(self.directory), "bin", "floor"), self.target(), wanted.agent,
                 "--networks", str(wanted.networks), *(["--log", "/dev/log"] if wanted.log else []),
                 *(["--close"] if wanted.close else []), *(["--reuse"] if wanted.reuse else []))


class DaemonShared(Subject):
    """The host daemon, with a file for each network. All networks are in the bench's own namespace."""
    name, title = "metaward-daemon-shared", "metaward, host daemon, shared"
    isolation = "shared"

    def launch(self):
        networks = os.path.join(self.directory, "networks.d")
        shutil.rmtree(networks, ignore_errors=True)  # an earlier work's
        os.mkdir(networks)
        for network in range(self.wanted.networks):
            self.write(os.path.join(networks, "%d.conf" % network), NETWORK_FILE % {
                "network": NETWORK % network, "address": self.address(network),
                "limit": "rate_limit = 1000000/10s\n" if self.wanted.limits else ""})
        path = os.path.join(self.directory, "metawardd.conf")
        self.write(path, DAEMON % {
            "agent": self.wanted.agent, "isolation": self.isolation, "networks": networks, "most": max(1024, self.wanted.networks),
            "control": os.path.join(self.directory, "control"), "log": "syslog" if self.wanted.log else "none",
            "reuse": "yes" if self.wanted.reuse else "no", "connections": self.wanted.connections,
            "workers": "workers = %d\n" % self.wanted.workers if self.isolation == "shared" else ""})
        self.run(os.path.join(os.environ["METAWARD_PREFIX"], "sbin", "metawardd"), "--config", path)

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o644)


class DaemonNetwork(DaemonShared):
    name, title = "metaward-daemon-network", "metaward, host daemon, network"
    isolation = "network"


SUBJECTS = (Metaward, Beside, HAProxy2, HAProxyAgain, HAProxy1, HAProxyReuse, Nginx, Python, Floor, DaemonShared, DaemonNetwork)
