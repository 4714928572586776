"""The reader of configurations as a process of its own: what it answers, and that it can do nothing else."""
import contextlib
import glob
import os
import resource
import shutil
import socket
import struct
import subprocess

import pytest

import hostproxy
import proc
from harness import PATIENCE, PREFIX, wait_for
from inject import INT80, Died, Injected
from test_policy_use import calls, loads_a_filter, matches, policy

READER = os.path.join(PREFIX, "libexec", "metaward", "metaward-reader")
CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "configs")
DIALECTS = sorted(glob.glob(CONFIGS + "/*.conf"))
HEAD = struct.Struct("=IIB3xI208s256s")  # of struct reading; the configuration follows
BATCH = struct.Struct("=III" + 4 * "B3x16s40s68s68s")
FILE_MAX = 1 << 24
INVENTORY, DESCRIPTORS = 34, 64
READ, SENDTO = "0 0x0 ", "44 0x1 "  # as /proc/PID/syscall has them


class Reading:
    """What came over the socket, the configuration as bytes."""

    def __init__(self, raw):
        self.version, self.line, self.ok, self.instances, word, reason = HEAD.unpack_from(raw)
        self.word, self.reason = (text.rstrip(b"\0").decode("ascii") for text in (word, reason))
        self.config = raw[HEAD.size:]
        self.guests = []

    def take(self, raw):
        """The next batch of instances."""
        total, first, count, *fields = BATCH.unpack(raw)
        assert (total, first) == (self.instances, len(self.guests)) and 1 <= count <= 4
        for i in range(count):
            family, ip, *texts = fields[5 * i:5 * i + 5]
            self.guests.append((socket.inet_ntop(socket.AF_INET if family == 4 else socket.AF_INET6, ip[:4] if family == 4 else ip),
                                *(text.rstrip(b"\0").decode("ascii") for text in texts)))


class Reader:
    """The reader with a file, or a pipe, to read from."""

    def __init__(self, source, keep=(), answer=None, under=()):
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.settimeout(PATIENCE)
        self.process = subprocess.Popen(
            [*under, READER], stdin=source, stdout=answer if answer is not None else theirs, stderr=subprocess.DEVNULL,
            env={}, pass_fds=keep, cwd="/",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)))
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ChildProcessError):
            self.process.kill()
            self.process.wait()
        self.ours.close()

    def reading(self):
        reading = Reading(self.ours.recv(1 << 16))
        while len(reading.guests) < reading.instances:
            reading.take(self.ours.recv(1 << 16))
        assert self.ours.recv(1) == b"", "more than one answer"
        assert self.process.wait(PATIENCE) == 0
        return reading


def read(text):
    """Let the reader read a text, from a file that has no name any more."""
    with open(os.memfd_create("configuration"), "w+b") as source:
        source.write(text)
        source.flush()
        source.seek(0)
        with Reader(source) as reader:
            return reader.reading()


@contextlib.contextmanager
def waiting():
    """A reader that waits for its first byte, under its filter."""
    into, out_of = os.pipe()
    try:
        with Reader(into) as reader:
            wait_for("the reader to read", lambda: in_call(reader.process.pid, READ))
            yield reader, out_of
    finally:
        os.close(into)
        with contextlib.suppress(OSError):
            os.close(out_of)


def in_call(pid, call):
    """Does it wait in this system call, with its filter loaded? `call` is the number and the first argument."""
    with open("/proc/%d/syscall" % pid, encoding="ascii") as f:
        return f.read().startswith(call) and proc.status(pid)["Seccomp"] == ["2"]


@pytest.mark.parametrize("path", DIALECTS, ids=os.path.basename)
def test_every_dialect_is_read(path):
    with open(path, "rb") as f:
        text = f.read()
    reading = read(text)
    assert (reading.version, reading.ok, reading.line, reading.word, reading.reason) == (2, 1, 0, "", "")
    assert b"a001\0" in reading.config or b"a002\0" in reading.config or reading.instances == 1


def test_the_guests_of_a_host_follow_in_batches():
    with open(CONFIGS + "/host-proxy.conf", "rb") as f:
        reading = read(f.read())
    assert reading.guests == [("240.0.0.4", "0a0b0c0d-0000-4000-8000-000000000003", "0123456789abcdef0123456789abcdef",
                               "0011223344556677")]
    for count in (0, 1, 4, 5, 1000):
        reading = read(hostproxy.configuration(hostproxy.guests(count), "127.0.0.1:8775").encode())
        assert reading.ok == 1 and reading.guests == [tuple(guest) for guest in hostproxy.guests(count)]


def test_the_reader_waits_for_the_parent_to_take_them():
    """More than the channel holds: it is not lost, and the reader ends when it has said all."""
    text = hostproxy.configuration(hostproxy.guests(5000), "127.0.0.1:8775").encode()
    with open(os.memfd_create("configuration"), "w+b") as source:
        source.write(text)
        source.seek(0)
        with Reader(source) as reader:
            wait_for("the reader to wait for room", lambda: in_call(reader.process.pid, SENDTO))
            reading = reader.reading()
    assert reading.instances == 5000 and reading.guests[-1] == tuple(hostproxy.guests(5000)[-1])


def test_mistakes_are_told_with_line_and_word():
    with open(CONFIGS + "/zed-ovn.conf", "rb") as f:
        good = f.read()
    mistake = read(good.replace(b"daemon\n", b"d\x1b[2Jmon\n"))
    assert (mistake.ok, mistake.line, mistake.word) == (0, 9, r"'\x1B[2Jmon'") and "control byte" in mistake.reason
    assert not mistake.config.strip(b"\0")
    for text, reason in ((b"", "mode http"), (good[:-1], "ends within a line"), (b"\n" * (FILE_MAX + 1), "16 MiB"),
                         (b"\0" * (FILE_MAX + 1), "16 MiB"), (good.replace(b"\n", b"\r\n"), "control byte")):
        assert read(text).ok == 0 and reason in read(text).reason


def test_what_comes_in_pieces_is_read_to_its_end():
    with open(CONFIGS + "/zed-ovn.conf", "rb") as f:
        text = f.read()
    with waiting() as (reader, out_of):
        for i in range(0, len(text), 100):
            os.write(out_of, text[i:i + 100])
        os.close(out_of)
        assert reader.reading().ok == 1


def test_the_reader_is_confined_before_it_reads():
    with waiting() as (reader, _):
        facts = proc.status(reader.process.pid)
        assert facts["Seccomp"] == ["2"] and facts["NoNewPrivs"] == ["1"] and facts["Seccomp_filters"] == ["1"]
        assert facts["Threads"] == ["1"]


FORBIDDEN = [
    ("openat", -100, 0, 0), ("open", 0, 0), ("write", 2, 0, 0), ("read", 1, 0, 0), ("read", 3, 0, 0), ("socket", 1, 1, 0),
    ("sendto", 0, 0, 0, 0x4000, 0, 0), ("sendto", 1, 0, 0, 0, 0, 0), ("sendto", 1, 0, 0, 0x4000, 4096, 16),
    ("sendmsg", 1, 0, 0), ("connect", 1, 0, 0), ("mmap", 0, 4096, 3, 0x22, -1, 0), ("mprotect", 0, 4096, 4), ("brk", 0),
    ("clone", 17, 0), ("fork",), ("execve", 0, 0, 0), ("execveat", 0, 0, 0, 0, 0x1000), ("kill", 1, 9), ("ptrace", 0),
    ("prctl", 4, 1), ("close", 0), ("getpid",), ("dup2", 0, 1), ("fcntl", 0, 3), ("ioctl", 0, 0), ("getpid", 0, "int80")]


@pytest.mark.plain
@pytest.mark.parametrize("call", FORBIDDEN, ids=str)
def test_anything_else_kills_the_reader(call):
    entry = {"entry": INT80} if call[-1] == "int80" else {}
    with waiting() as (reader, _):
        with pytest.raises(Died) as died, Injected(reader.process.pid) as inside:
            inside.call(call[0], *call[1:-1] if entry else call[1:], **entry)
        assert died.value.signal in ((31, 11) if entry else (31,))
        assert reader.ours.recv(1 << 16) == b""


def test_a_wrong_descriptor_ends_it_before_it_reads(tmp_path):
    with open(CONFIGS + "/zed-ovn.conf", "rb") as source, open(tmp_path / "other", "wb") as other:
        with Reader(source, answer=other) as reader:
            assert reader.process.wait(PATIENCE) == INVENTORY
        with Reader(source, keep=(other.fileno(),)) as reader:
            assert reader.process.wait(PATIENCE) == INVENTORY
            assert reader.ours.recv(1) == b""
        assert source.tell() == 0 and os.lseek(source.fileno(), 0, os.SEEK_CUR) == 0
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, Reader(theirs) as reader:
        assert reader.process.wait(PATIENCE) == INVENTORY


@pytest.mark.plain
def test_every_call_is_in_its_table_and_every_line_is_used(tmp_path):
    trace = str(tmp_path / "t")
    strace = (shutil.which("strace"), "-f", "-qq", "-e", "raw=all", "-e", "signal=none", "-o", trace)
    with open(CONFIGS + "/zed-ovn.conf", "rb") as source, Reader(source, under=strace) as reader:
        assert reader.reading().ok == 1
    with open(trace, encoding="utf-8") as f:
        lines = [line.split(None, 1)[1] for line in f]
    with open(trace, "w", encoding="utf-8") as f:
        f.writelines(lines)  # without the process numbers
    made = list(calls(trace))
    load = next(i for i, call in enumerate(made) if loads_a_filter(call))
    used, table = made[load + 1:], policy()["reader"]
    assert [name for name, _, _ in used] == ["read", "read", "sendto", "exit_group"]
    assert all(any(matches(line, call) for line in table) for call in used)
    assert all(any(matches(line, call) for call in used) for line in table)
    assert not [call for call in made[:load] if call[0] in ("open", "openat", "socket", "connect")]
