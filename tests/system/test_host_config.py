"""The host daemon's files: `metawardd --config FILE --check` with the real reader, and that reader's confinement."""
import array
import contextlib
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import time

import pytest

import proc
from harness import DAEMON, NETWORK, OTHER, PATIENCE, PREFIX, wait_for
from inject import INT80, Died, Injected
from test_policy_use import calls, loads_a_filter, matches, policy
from test_reader import READER

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIGURATION, USAGE = 41, 2


class Files:
    """A configuration in a directory of its own."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.networks = os.path.join(self.folder, "networks.d")
        self.path = os.path.join(self.folder, "metawardd.conf")
        os.chmod(self.folder, 0o755)
        os.mkdir(self.networks, 0o755)
        self.put_global("")

    def put_global(self, text):
        with open(self.path, "wb") as f:
            f.write(b"[metaward]\nnetworks = %s\n" % self.networks.encode() + text.encode("latin-1"))
        os.chmod(self.path, 0o644)

    def put(self, name, text):
        path = os.path.join(self.networks, name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode("latin-1"))
        os.chmod(path, 0o644)
        return path

    def network(self, number, extra=""):
        uuid = "%08x-0000-4000-8000-000000000000" % number
        return self.put("%s.conf" % uuid, "[network]\nnetwork_id = %s\nnetns = ovnmeta-%s\n%s" % (uuid, uuid, extra))

    def check(self, path=None, under=()):
        """The exit status, what was said on stdout, and what on stderr without the paths."""
        done = subprocess.run([*under, DAEMON, "--config", path or self.path, "--check"], capture_output=True, timeout=PATIENCE,
                              check=False, cwd="/", stdin=subprocess.DEVNULL)
        wrong = done.stderr.decode("ascii").replace(self.networks + "/", "").replace(self.folder + "/", "")
        return done.returncode, done.stdout.decode("ascii"), [x for x in wrong.splitlines() if "confinement-delta" not in x]


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_good_files(files):
    assert files.check() == (0, "configuration is good, networks: 0\n", [])
    for number in range(3):
        files.network(number)
    files.put("router.conf", "[network]\nrouter_id = %s\nnetns = qrouter-1\nlisten = [::]:9697\n" % OTHER)
    files.put("README", "not a network\n")
    files.put(".conf", "not a network\n")
    files.put(".hidden.conf", "not a network\n")
    assert files.check() == (0, "configuration is good, networks: 4\n", [])


def test_every_bad_file_is_told_with_its_line(files):
    files.network(1)
    files.put("a.conf", "[network]\nnetwork_id = 1\n")
    files.put("b.conf", "# nothing\n")
    files.put("c.conf", "[network]\n\n\nuser = root\n")
    files.put("d.conf", "[network]\nnetns = a")
    files.network(2, "listen = 169.254.169.254:80 # here\n")
    assert files.check() == (CONFIGURATION, "", [
        "00000002-0000-4000-8000-000000000000.conf:4: '# here': a comment needs a line of its own",
        "a.conf:2: '1': not a UUID",
        "b.conf: exactly one of network_id and router_id is needed",
        "c.conf:4: 'user': no such key in this section",
        "d.conf:2: the file ends within a line"])


def test_a_bad_global_file_is_told_alone(files):
    files.put("a.conf", "bad\n")
    files.put_global("user = metaward\nwrong = 1\n")
    assert files.check() == (CONFIGURATION, "", ["metawardd.conf:4: 'wrong': no such key in this section"])
    assert files.check(files.folder + "/absent.conf") == (CONFIGURATION, "", ["absent.conf: can't be opened: ENOENT"])
    os.symlink(files.path, files.folder + "/link.conf")
    assert files.check(files.folder + "/link.conf") == (CONFIGURATION, "", ["link.conf: a symbolic link"])
    os.chmod(files.path, 0o666)
    assert files.check() == (CONFIGURATION, "", [
        "metawardd.conf: belongs to somebody else than root, or others may write to it"])


def test_networks_that_do_not_go_together(files):
    files.put("a.conf", "[network]\nnetwork_id = %s\nnetns = a\n" % NETWORK)
    files.put("b.conf", "[network]\nrouter_id = %s\nnetns = b\n" % NETWORK.upper())
    files.put("c.conf", "[network]\nnetwork_id = %s\nnetns = a\nlisten = [::]:1\nlisten = 169.254.169.254:80\n" % OTHER)
    files.put("d.conf", "[network]\nnetwork_id = %s\nnetns = a\nlisten = 169.254.169.254:81\n" % OTHER)
    assert files.check() == (CONFIGURATION, "", ["b.conf: the same network as a.conf",
                                                 "c.conf: the same address in the same namespace as a.conf"])
    files.put_global("[limits]\nmax_networks = 1\n")
    assert files.check()[2][-1] == "d.conf: more networks than max_networks"


def test_hostile_files_hide_no_good_ones(files):
    files.network(1)
    for name, text in (("binary", bytes(range(256)) * 200), ("zeros", bytes(65536)), ("huge", b"#\n" * 40000),
                       ("comments", b"#\n" * 32768), ("long-line", b"[network]\nnetns = " + b"a" * 60000 + b"\n"),
                       ("many-keys", b"[network]\n" + b"listen = [::]:1\n" * 4000), ("sections", b"[network]\n" * 6000),
                       ("mark", b"\xef\xbb\xbf[network]\n"), ("brackets", b"[" * 60000 + b"\n"),
                       ("equals", b"[network]\n" + b"=" * 1000 + b"\n"), ("blanks", b" " * 1000 + b"\n"),
                       ("escape", b"[network]\n\x1b]0;owned\x07 = 1\n"), ("words", b"[network]\nnetns = " + b"%s%n" * 100 + b"\n")):
        files.put(name + ".conf", text)
    os.symlink("/etc/shadow", os.path.join(files.networks, "link.conf"))
    os.mkfifo(os.path.join(files.networks, "pipe.conf"))
    os.mkdir(os.path.join(files.networks, "folder.conf"))
    os.mknod(os.path.join(files.networks, "null.conf"), 0o20600, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.join(files.networks, "socket.conf"))
    os.chown(files.put("owned.conf", "[network]\n"), 1, 0)
    os.chmod(files.put("shared.conf", "[network]\n"), 0o664)
    files.put("a b.conf", "[network]\n")
    files.put("\x1b[2J.conf", "[network]\n")
    files.put("a" * 100 + ".conf", "[network]\n")
    files.network(2)
    begun = time.monotonic()
    status, _, wrong = files.check()
    assert time.monotonic() - begun < 5
    assert status == CONFIGURATION and not [line for line in wrong if line.startswith("0000000")]
    reasons = dict(line.split(": ", 1) for line in wrong)
    assert len(reasons) == len(wrong) == len(os.listdir(files.networks)) - 2
    assert reasons["link.conf"] == "a symbolic link"
    for name in ("pipe.conf", "folder.conf", "null.conf"):
        assert reasons[name] == "not a regular file"
    assert reasons["socket.conf"] == "can't be opened: ENXIO"
    assert reasons["owned.conf"] == reasons["shared.conf"] == "belongs to somebody else than root, or others may write to it"
    assert reasons["huge.conf"] == "the file is larger than 64 KiB"
    assert reasons["comments.conf"] == reasons["blanks.conf"] == "exactly one of network_id and router_id is needed"
    assert reasons["a?b.conf"].startswith("its name") and reasons["?[2J.conf".replace("[", "?")].startswith("its name")
    assert reasons["escape.conf:2"] == r"'\x1B': a control byte; lines end with LF alone"
    assert reasons["mark.conf:1"] == r"'\xEF\xBB\xBF[network]': not printable ASCII"


@pytest.mark.measured
def test_a_thousand_networks_are_read_at_once(files):
    for number in range(1000):
        files.network(number)
    times = []
    for _ in range(3):
        begun = time.monotonic()
        assert files.check() == (0, "configuration is good, networks: 1000\n", [])
        times.append(time.monotonic() - begun)
    print("1000 files: %s s" % ", ".join("%.3f" % t for t in times))
    assert min(times) < 1


def test_the_examples_are_good(files):
    """As they are, and with every key that is commented out."""
    example = os.path.join(PREFIX, "share", "doc", "metaward")
    with open(example + "/metawardd.conf", encoding="ascii") as f:
        text = f.read()
    for name in os.listdir(example + "/networks.d.example"):
        shutil.copy(os.path.join(example, "networks.d.example", name), files.networks)
    every = re.sub(r"(?m)^#([a-z_]+ = )", r"\1", text)
    every = re.sub(r"(?m)^metadata_address = .*\n", "", every)  # in place of the socket
    for each in (text, every):
        each = re.sub(r"(?m)^networks = .*\n", "", each).replace("[metaward]\n", "")
        files.put_global(each)
        assert files.check() == (0, "configuration is good, networks: 2\n", [])


def test_it_needs_power_to_give_up(files):
    """The reader is started by root, or not at all: nothing is read with the caller's own rights."""
    files.put_global("wrong\n")
    status, said, wrong = files.check(under=["setpriv", "--reuid=65534", "--clear-groups"])
    assert (status, said) == (11, "") and wrong == [
        "metawardd: cannot find the privileges for the start: EPERM: start as root (exit status 11)"]
    status, said, wrong = files.check(under=["setpriv", "--bounding-set=-setpcap", "--inh-caps=-setpcap"])
    assert (status, said) == (26, "") and "cannot give up all capabilities: reader" in wrong[-1]


def test_the_command_line():
    for words in (["--check"], ["--config"], ["--config", "x.conf", "--check"], ["--config", "/x", "--check", "--user", "nobody"],
                  ["--config", "/x", "--check", "more"]):
        assert subprocess.run([DAEMON, *words], capture_output=True, check=False).returncode == USAGE


REQUEST = struct.Struct("=IIB3x")
DEFAULTS = 164
ANSWER = struct.Struct("=IIBBxxI208s256s")  # of struct host_reading; the body follows
GLOBAL, NET = 1, 2


class HostReader:
    """The reader as the host daemon starts it: the channel stands at 0 as well."""

    def __init__(self, under=()):
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.settimeout(PATIENCE)
        self.number = 0
        self.process = subprocess.Popen(
            [*under, READER], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env={}, cwd="/",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ChildProcessError):
            self.process.kill()
            self.process.wait()
        self.ours.close()

    def send(self, message, *fds):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.ours.sendmsg([message], control)

    def read(self, text, kind=GLOBAL):
        self.number += 1
        with open(os.memfd_create("file"), "w+b") as source:
            source.write(text)
            source.flush()
            source.seek(0)
            self.send(REQUEST.pack(1, self.number, kind) + bytes(DEFAULTS), source.fileno())
        raw = self.ours.recv(1 << 16)
        version, number, got, ok, line, word, reason = ANSWER.unpack_from(raw)
        assert (version, number, got) == (1, self.number, kind)
        return ok, line, word.rstrip(b"\0").decode(), reason.rstrip(b"\0").decode()


def in_recvmsg(pid):
    with open("/proc/%d/syscall" % pid, encoding="ascii") as f:
        return f.read().startswith("47 0x1 ") and proc.status(pid)["Seccomp"] == ["2"]


@contextlib.contextmanager
def waiting():
    with HostReader() as reader:
        wait_for("the reader to wait for a file", lambda: in_recvmsg(reader.process.pid))
        yield reader


def test_the_reader_reads_one_file_after_another_and_ends_with_the_channel():
    with HostReader() as reader:
        assert reader.read(b"[metaward]\nuser = a\n") == (1, 0, "", "")
        assert reader.read(b"[metaward]\nuser = a b\n")[:3] == (0, 2, "'a b'")
        assert reader.read(b"\0" * 70000)[3] == "the file is larger than 64 KiB"
        assert reader.read(b"[network]\n", NET)[3] == "exactly one of network_id and router_id is needed"
        assert reader.read(b"[metaward]\n") == (1, 0, "", "")
        assert len(os.listdir("/proc/%d/fd" % reader.process.pid)) <= 4  # 0 to 2, and a sanitizer's
        reader.ours.shutdown(socket.SHUT_WR)
        assert reader.process.wait(PATIENCE) == 0


def test_a_wrong_request_ends_the_reader():
    whole = REQUEST.pack(1, 1, GLOBAL) + bytes(DEFAULTS)
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        for message, fds in ((whole, ()), (whole, (null, null)), (whole[:-1], (null,)), (whole + b"\0", (null,)), (b"x", ())):
            with HostReader() as reader:
                reader.send(message, *fds)
                assert reader.process.wait(PATIENCE) == 36
    finally:
        os.close(null)


FORBIDDEN = [
    ("openat", -100, 0, 0), ("write", 2, 0, 0), ("read", 0, 0, 0), ("read", 1, 0, 0), ("read", 4, 0, 0), ("recvmsg", 0, 0, 0x40000000),
    ("recvmsg", 1, 0, 0), ("recvmsg", 3, 0, 0x40000000), ("recvfrom", 1, 0, 0, 0, 0, 0), ("close", 0), ("close", 1), ("sendmsg", 1, 0, 0),
    ("sendto", 1, 0, 0, 0, 0, 0), ("sendto", 3, 0, 0, 0x4000, 0, 0), ("socket", 1, 1, 0), ("connect", 1, 0, 0), ("dup2", 0, 1),
    ("mmap", 0, 4096, 3, 0x22, -1, 0), ("mprotect", 0, 4096, 4), ("brk", 0), ("clone", 17, 0), ("fork",), ("execve", 0, 0, 0),
    ("execveat", 0, 0, 0, 0, 0x1000), ("kill", 1, 9), ("fcntl", 0, 3), ("ioctl", 0, 0), ("getpid",), ("getpid", 0, "int80")]


@pytest.mark.plain
@pytest.mark.parametrize("call", FORBIDDEN, ids=str)
def test_anything_else_kills_the_reader(call):
    entry = {"entry": INT80} if call[-1] == "int80" else {}
    with waiting() as reader:
        with pytest.raises(Died) as died, Injected(reader.process.pid) as inside:
            inside.call(call[0], *call[1:-1] if entry else call[1:], **entry)
        assert died.value.signal in ((31, 11) if entry else (31,))


@pytest.mark.plain
def test_every_call_is_in_its_table_and_inih_makes_none(tmp_path):
    trace = str(tmp_path / "t")
    strace = (shutil.which("strace"), "-f", "-qq", "-e", "raw=all", "-e", "signal=none", "-o", trace)
    with HostReader(under=strace) as reader:
        assert reader.read(b"[metaward]\nuser = a\nforward_headers = %s\n" % b",".join(b"x-%042d" % i for i in range(16)))[0] == 1
        assert reader.read(b"[network]\nnetwork_id = 1\n", NET)[0] == 0
        reader.ours.shutdown(socket.SHUT_WR)
        assert reader.process.wait(PATIENCE) == 0
    with open(trace, encoding="utf-8") as f:
        lines = [line.split(None, 1)[1] for line in f]
    with open(trace, "w", encoding="utf-8") as f:
        f.writelines(lines)  # without the process numbers
    made = list(calls(trace))
    load = next(i for i, call in enumerate(made) if loads_a_filter(call))
    used, table = made[load + 1:], policy()["reader_host"]
    assert [name for name, _, _ in used] == 2 * ["recvmsg", "read", "read", "close", "sendto"] + ["recvmsg", "exit_group"]
    assert all(any(matches(line, call) for line in table) for call in used)
    assert all(any(matches(line, call) for call in used) for line in table)
    assert not [call for call in made[:load] if call[0] in ("open", "openat", "socket", "connect")]
