"""What every system test needs: namespaces with guests in them, an agent on a UNIX socket, the real proxy, raw HTTP.

Everything that a test makes has a name of its own (the process number and a counter), so tests run in parallel, and
every object cleans up after itself when its `with` block ends. Nothing here sleeps where it can wait for something.
"""
import concurrent.futures
import contextlib
import ctypes
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import leftovers

PREFIX = os.environ.get("METAWARD_PREFIX", "")
DAEMON = os.path.join(PREFIX, "sbin", "metawardd")
WORKER = os.path.join(PREFIX, "libexec", "metaward", "metaward-worker")
NETWORK = "d9f7c1a0-1b2c-4d3e-8f90-0123456789ab"
OTHER = "0e5c9d52-6a77-4f0b-9c33-fedcba987654"
SANITIZED = "asan" in os.path.basename(PREFIX)
PATIENCE = 20.0  # seconds after which a wait has failed

_count = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def unique(word):
    return "%s%d-%d" % (word, os.getpid(), next(_count))


def wait_for(what, condition, patience=PATIENCE):
    """Call `condition` until it returns something true, and return that."""
    end = time.monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited %.0f s for %s" % (patience, what))
        time.sleep(0.01)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stderr.strip()))
    return done.stdout


class Namespace:
    """A network namespace; `inside()` runs what its block does with this thread's sockets made in there."""

    def __init__(self, name=None):
        self.name = name or unique("mw")
        self.path = "/run/netns/" + self.name

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        try:
            self.ip("link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        run("ip", "netns", "del", self.name)

    def ip(self, *arguments):
        return run("ip", "-n", self.name, *arguments)

    @contextlib.contextmanager
    def inside(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        try:
            if _libc.setns(there, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns " + self.name)
            yield
        finally:
            if _libc.setns(home, CLONE_NEWNET) != 0:
                os._exit(1)
            os.close(home)
            os.close(there)

    def connect(self, address, port=80, source=None, timeout=PATIENCE):
        with self.inside():
            return connect(address, port, source, timeout)


class Tenant:
    """A network as Neutron builds it: the proxy's namespace and a guest's, joined by a veth pair.

    `proxy` has 169.254.169.254/32 and, on the interface `tap`, fe80::a9fe:a9fe; `guest` has 10.0.0.5 (the same in
    every tenant, on purpose) and a link-local address.
    """

    GUEST = "10.0.0.5"

    def __init__(self):
        self.proxy, self.guest = Namespace(), Namespace()
        self.tap = "tap0"

    def __enter__(self):
        with contextlib.ExitStack() as stack:  # what was made is removed again where the rest fails
            stack.enter_context(self.proxy)
            stack.enter_context(self.guest)
            self.wire()
            self.made = stack.pop_all()
        return self

    def wire(self):
        self.proxy.ip("link", "add", self.tap, "type", "veth", "peer", "name", "eth0", "netns", self.guest.name)
        self.proxy.ip("addr", "add", "10.0.0.1/24", "dev", self.tap)
        self.proxy.ip("addr", "add", "169.254.169.254/32", "dev", self.tap)
        self.proxy.ip("addr", "add", "fe80::a9fe:a9fe/64", "dev", self.tap, "nodad")
        self.proxy.ip("link", "set", self.tap, "up")
        self.guest.ip("addr", "add", self.GUEST + "/24", "dev", "eth0")
        self.guest.ip("addr", "add", "fe80::5/64", "dev", "eth0", "nodad")
        self.guest.ip("link", "set", "eth0", "addrgenmode", "none", "up")  # fe80::5 is the only one to ask from
        self.guest.ip("route", "add", "169.254.169.254/32", "via", "10.0.0.1")
        self.guest.ip("route", "add", "local", "10.9.0.0/16", "dev", "lo")  # all of these are the guest's, see more_guests()
        self.proxy.ip("route", "add", "10.9.0.0/16", "via", self.GUEST)

    def __exit__(self, *_):
        self.made.close()

    def client(self, address="169.254.169.254", port=80, source=None):
        """A guest's new connection to the proxy."""
        return Client(self.guest.connect(address, port, source))

    def more_guests(self, count):
        """So many more addresses of the guest's side: each is a source of its own."""
        return ["10.9.%d.%d" % (i // 250, i % 250 + 1) for i in range(count)]


def together(function, items):
    """Call `function` with each item, all at the same time; the results in order, or the first exception."""
    items = list(items)
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(items)) as pool:
        return list(pool.map(function, items))


def connect(address, port, source=None, timeout=PATIENCE):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if source:
        sock.bind(socket.getaddrinfo(source, 0, family, socket.SOCK_STREAM)[0][4])
    where = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM)[0][4]
    sock.connect(where)
    return sock


class Answer:
    """One HTTP answer, read strictly."""

    def __init__(self, status, headers, body, whole):
        self.status, self.headers, self.body, self.whole = status, headers, body, whole

    def header(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(values) <= 1, "header %s came %d times" % (name, len(values))
        return values[0] if values else None


class Client:
    """A guest's connection, byte for byte."""

    def __init__(self, sock):
        self.sock, self.buffer, self.ended, self.reset = sock, b"", False, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def more(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data, self.reset = b"", True
        self.ended = not data
        self.buffer += data
        return bool(data)

    def read_until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                return None
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def take(self, count):
        while len(self.buffer) < count and self.more():
            pass
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def answer(self, method="GET"):
        """The next answer that is not 1xx; None where the connection ended without one."""
        while True:
            head = self.read_until(b"\r\n\r\n")
            if head is None:
                assert not self.buffer, "half an answer: %r" % self.buffer
                return None
            lines = head.decode("latin-1").split("\r\n")
            match = re.fullmatch(r"HTTP/1\.1 (\d{3}) ?(.*)", lines[0])
            assert match, "status line %r" % lines[0]
            if match.group(1)[0] != "1":
                break
        headers = [tuple(x.strip() for x in line.split(":", 1)) for line in lines[1:]]
        answer = Answer(int(match.group(1)), headers, b"", True)
        if method != "HEAD" and answer.status not in (204, 304):
            self.read_body(answer)
        return answer

    def read_body(self, answer):
        length, coding = answer.header("Content-Length"), answer.header("Transfer-Encoding")
        assert not (length and coding)
        if length is not None:
            answer.body = self.take(int(length))
            answer.whole = len(answer.body) == int(length)
        elif coding is not None:
            assert coding == "chunked"
            self.read_chunks(answer)
        else:
            while self.more():
                pass
            answer.body, self.buffer = self.buffer, b""

    def read_chunks(self, answer):
        while True:
            line = self.read_until(b"\r\n")
            if line is None:
                answer.whole = False
                return
            size = int(line, 16)
            answer.body += self.take(size)
            if self.take(2) != b"\r\n":
                answer.whole = False
                return
            if size == 0:
                return

    def get(self, target="/", method="GET", headers="", body=b""):
        self.send(("%s %s HTTP/1.1\r\nHost: 169.254.169.254\r\n%s\r\n" % (method, target, headers)).encode("latin-1") + body)
        return self.answer(method)

    def finish(self):
        """Say that nothing more will be sent; answers can still be read."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset_now(self):
        """Break the connection off, as a guest that was killed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def closed(self):
        """Wait for the other side's end; True where it came with nothing more before it."""
        while self.more():
            pass
        return not self.buffer


class Request:
    """What the agent received on one connection."""

    def __init__(self, raw):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.method, self.target = (lines[0].split(" ") + ["", ""])[:2]
        self.headers = [tuple(x.strip() for x in line.split(":", 1)) for line in lines[1:] if ":" in line]

    def header(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(values) <= 1, "header %s came %d times" % (name, len(values))
        return values[0] if values else None


def echo(request):
    """The default answer: who the agent thinks has asked, as JSON."""
    body = json.dumps({"target": request.target, "headers": request.headers, "body": request.body.decode("latin-1")})
    return ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode()


class Agent:
    """A metadata agent: one recv(4096) a connection, one answer, close, as the real ones do since 2025.1.

    `answer` is called with a Request and returns bytes, or a list of bytes and pauses in seconds; with `serial` one
    connection is served at a time. `backlog` is listen()'s.
    """

    def __init__(self, answer=echo, backlog=128, serial=False, directory=None, mode=0o666):
        self.answer, self.backlog, self.serial, self.mode = answer, backlog, serial, mode
        self.own = directory is None
        self.directory = directory or leftovers.folder("agent")
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "metadata_proxy")
        self.requests, self.connections, self.lock = [], 0, threading.Lock()
        self.sock = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        if self.own:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def options(self):
        """What tells the proxy where it is."""
        return ["--metadata-proxy-socket", self.path]

    def bind(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(self.path)
        os.chmod(self.path, self.mode)

    def start(self):
        self.bind()
        self.sock.listen(self.backlog)
        self.wake = os.pipe()
        self.thread = threading.Thread(target=self.accept, args=(self.sock, self.wake[0]), daemon=True)
        self.thread.start()

    def stop(self, unlink=True):
        if self.sock is None:
            return
        os.write(self.wake[1], b"x")
        self.thread.join(PATIENCE)
        self.sock.close()
        os.close(self.wake[0])
        os.close(self.wake[1])
        self.sock = None
        if unlink:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def accept(self, sock, wake):
        while True:
            ready = select.select([sock, wake], [], [])[0]
            if wake in ready:
                return
            connection, _ = sock.accept()
            if self.serial:
                self.serve(connection)
            else:
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(PATIENCE)
            data = connection.recv(4096)
            with self.lock:
                self.connections += 1
                if data:
                    self.requests.append(Request(data))
                    request = self.requests[-1]
            if not data:
                return
            parts = self.answer(request)
            for part in parts if isinstance(parts, list) else [parts]:
                if isinstance(part, bytes):
                    connection.sendall(part)
                else:
                    time.sleep(part)


class TcpAgent(Agent):
    """The same over TCP, in a namespace where one is given. The port stays the same when it is started again."""

    def __init__(self, *arguments, address="127.0.0.1", name=None, inside=None, **named):
        super().__init__(*arguments, **named)
        self.address, self.name, self.inside, self.port = address, name or address, inside, 0

    @property
    def options(self):
        return ["--metadata-address", ("[%s]:%d" if ":" in self.name else "%s:%d") % (self.name, self.port)]

    def bind(self):
        with self.inside.inside() if self.inside else contextlib.nullcontext():
            self.sock = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((self.address, self.port))
        self.port = self.sock.getsockname()[1]


class Proxy:
    """The real metawardd in the foreground, with its lines collected from stderr."""

    running = set()  # conftest.py ends what a failed test has left

    def __init__(self, agent, *options, netns=None, listen=None, network=NETWORK, log="stderr", user="nobody", under=()):
        self.command = list(under) + [DAEMON, "--log", log, "--user", user]
        self.command += ["--metadata-proxy-socket", agent] if isinstance(agent, str) else agent.options
        if network:
            self.command += ["--network-id", network]
        if netns:
            self.command += ["--netns", netns if isinstance(netns, str) else netns.name]
        for address in listen or []:
            self.command += ["--listen", address]
        self.folder = None
        if log != "stderr":  # its first line will not be seen here
            self.folder = leftovers.folder("pid")
            os.chmod(self.folder, 0o700)
            self.command += ["--pid-file", os.path.join(self.folder, "pid")]
        self.command += list(options)
        self.lines = []

    def __enter__(self):
        return self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace")
        self.running.add(self)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        wait_for("the proxy to serve", lambda: self.is_serving() or self.process.poll() is not None)
        assert self.process.poll() is None, "the proxy ended: %s" % "\n".join(self.lines)
        return self

    def __exit__(self, *_):
        self.stop()
        if self.folder:
            shutil.rmtree(self.folder)

    def is_serving(self):
        return os.path.exists(os.path.join(self.folder, "pid")) if self.folder else self.event("serving")

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def stop(self, number=signal.SIGTERM):
        """Send a signal, wait for the end, return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.running.discard(self)
        self.reader.join(PATIENCE)
        for line in self.lines:
            assert "ERROR: AddressSanitizer" not in line and "runtime error" not in line, "\n".join(self.lines)
        return status

    def events(self, name):
        """All logged lines of an event, as dictionaries of their fields."""
        found = []
        for line in list(self.lines):
            fields = dict(re.findall(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)', line))
            if fields.get("event") == name:
                found.append({k: v[1:-1] if v.startswith('"') else v for k, v in fields.items()})
        return found

    def event(self, name, count=1):
        found = self.events(name)
        return found[count - 1] if len(found) >= count else None

    @property
    def pid(self):
        return self.process.pid

    def children(self, pid=None):
        with open("/proc/%d/task/%d/children" % (pid or self.pid, pid or self.pid)) as f:
            return [int(x) for x in f.read().split()]

    @property
    def nursery(self):
        return self.children()[-1]

    @property
    def dialer(self):
        """Of an agent over TCP: it is started before the nursery."""
        dialer, _ = self.children()
        return dialer

    @property
    def worker(self):
        return wait_for("a worker", lambda: self.children(self.nursery))[0]


def start_failing(*options, under=(), **popen):
    """Run metawardd with options that must fail. Returns exit status and stderr."""
    done = subprocess.run(list(under) + [DAEMON, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=PATIENCE, check=False, **popen)
    return done.returncode, done.stderr
