"""In the background: the first process ends when guests are served and not before, and holds nothing of its starter's."""
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

import pytest

import proc
from harness import DAEMON, NETWORK, Client, start_failing, wait_for
from hostile import Hostile
from shared import agent, net  # noqa: F401


@pytest.fixture
def run(tmp_path):
    """A folder for the pid file, as /run is: root's, and nobody else may write to it."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    return folder


class Daemon:
    """metawardd --daemonize; what it started is found by its pid file, and is ended with the `with` block."""

    def __init__(self, net, agent, run, *options, network=NETWORK, under=()):
        self.pid_file = run / "pid"
        self.command = [*under, DAEMON, "--daemonize", "--network-id", network, "--metadata-proxy-socket", agent.path,
                        "--netns", net.name, "--listen", "127.0.0.1:8080", "--user", "nobody", "--log", "none",
                        "--pid-file", str(self.pid_file), *options]
        self.pid = None

    def begin(self, **how):
        """Run until the first process has ended. Returns its status and what it said.

        That is read from a file: the sanitizers' runtimes keep stderr open for their reports.
        """
        with tempfile.TemporaryFile("w+") as said:
            status = subprocess.run(self.command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=20, check=False,
                                    **how).returncode
            said.seek(0)
            return status, "".join(line for line in said if "event=confinement-delta" not in line)

    def start(self, **how):
        status, said = self.begin(**how)
        assert (status, said) == (0, "")
        self.pid = int(self.pid_file.read_text())
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def is_alive(self):
        """Not whether init has looked after it, too."""
        try:
            return proc.status(self.pid)["State"][0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def stop(self, number=signal.SIGTERM):
        if self.is_alive():
            os.kill(self.pid, number)
            wait_for("the daemon's end", lambda: not self.is_alive())


def ask(net):
    with Client(net.connect("127.0.0.1", 8080)) as guest:
        assert guest.get().status == 200


def test_the_first_process_ends_well_when_guests_are_served(net, agent, run):
    with Daemon(net, agent, run) as daemon:
        ask(net)
        assert daemon.is_alive()


def test_the_pid_file_is_whole_locked_and_readable(net, agent, run):
    with Daemon(net, agent, run) as daemon:
        assert daemon.pid_file.read_text() == "%d\n" % daemon.pid
        assert daemon.pid_file.stat().st_mode & 0o7777 == 0o644
        assert os.listdir(run) == ["pid"]
        with open(daemon.pid_file, "rb") as f, pytest.raises(BlockingIOError):
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert proc.read(daemon.pid, "cmdline").split("\0")[0] == DAEMON
        assert NETWORK in proc.read(daemon.pid, "cmdline")  # how Neutron knows its processes


def test_sigterm_removes_the_pid_file(net, agent, run):
    with Daemon(net, agent, run) as daemon:
        daemon.stop()
        assert os.listdir(run) == []


def test_a_pid_file_in_another_users_directory_is_written_and_removed(net, agent, run):
    os.chown(run, 12345, 12345)  # Neutron's are its own user's
    with Daemon(net, agent, run) as daemon:
        assert daemon.pid_file.stat().st_uid == 0
        daemon.stop()
        assert os.listdir(run) == []


@pytest.mark.plain  # see Daemon.begin()
def test_what_stays_has_left_its_starters_descriptors_at_once(net, agent, run):
    """Whoever reads stdout and stderr of the start to their end would wait as long as the daemon lives."""
    ends = [os.pipe() for _ in range(3)]
    daemon = Daemon(net, agent, run)
    first = subprocess.Popen(daemon.command, stdin=ends[0][0], stdout=ends[1][1], stderr=ends[2][1])
    for fd in (ends[0][0], ends[1][1], ends[2][1]):
        os.close(fd)
    assert first.wait(20) == 0
    daemon.pid = int(daemon.pid_file.read_text())
    try:
        assert select.select([ends[1][0], ends[2][0]], [], [], 0)[0] == [ends[1][0], ends[2][0]]
        assert os.read(ends[1][0], 1) == os.read(ends[2][0], 1) == b""
        with pytest.raises(BrokenPipeError):
            os.write(ends[0][1], b"x")
    finally:
        daemon.stop()
        for fd in (ends[0][1], ends[1][0], ends[2][0]):
            os.close(fd)


def test_what_stays_has_dev_null_and_no_terminal(net, agent, run):
    with Daemon(net, agent, run) as daemon:
        kinds = proc.kinds(daemon.pid)
        assert [kinds.pop(fd) for fd in (0, 1, 2)] == ["/dev/null"] * 3
        assert [x for x in kinds.values() if "pipe" in x] == []
        stat = proc.read(daemon.pid, "stat").rsplit(")", 1)[1].split()
        session, terminal = int(stat[3]), stat[4]
        assert terminal == "0" and session not in (daemon.pid, os.getsid(0))  # a session that it does not lead
        # the one directory that it must keep: a descriptor less than if it were held open (ipc/pidfile.h)
        assert os.readlink("/proc/%d/cwd" % daemon.pid) == os.path.dirname(daemon.pid_file)


def test_the_facts_hold_in_the_background_as_well(net, agent, run):
    with Daemon(net, agent, run) as daemon:
        assert proc.capabilities(daemon.pid) == dict.fromkeys(proc.CAPABILITY_SETS, 0)
        assert proc.status(daemon.pid)["Seccomp"] == ["2"]


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_the_pid_files_mode_does_not_follow_the_umask(net, agent, run, umask):
    daemon = Daemon(net, agent, run)
    daemon.start(umask=umask)
    try:
        assert daemon.pid_file.stat().st_mode & 0o7777 == 0o644
    finally:
        daemon.stop()


@pytest.mark.parametrize("options", [["--user", "no-such-user"], ["--listen", "192.0.2.1:80"], ["--netns", "no-such"],
                                     ["--pid-file", "/no/such/directory/pid"]])
def test_a_start_that_fails_says_the_same_in_the_background(net, agent, options):
    given = {"--network-id": NETWORK, "--metadata-proxy-socket": agent.path, "--netns": net.name, "--user": "nobody",
             "--listen": "127.0.0.1:8080", "--log": "stderr", options[0]: options[1]}
    words = [word for pair in given.items() for word in pair]
    front, back = start_failing(*words), start_failing(*words, "--daemonize")
    assert front == back and front[0] >= 10 and "cannot" in front[1]


@pytest.mark.plain
@pytest.mark.parametrize("log", ["stderr", "none", "syslog"])
def test_a_failure_after_the_terminal_was_left_is_still_told_there(net, agent, run, log):
    """The parent's own filter is loaded last: the third call of that name, after the nursery's and the worker's."""
    words = ["--network-id", NETWORK, "--metadata-proxy-socket", agent.path, "--netns", net.name, "--user", "nobody",
             "--listen", "127.0.0.1:8080", "--log", log, "--pid-file", str(run / "pid"), "--daemonize"]
    under = [sys.executable, "-B", os.path.join(os.path.dirname(__file__), "faults.py"), "seccomp", "3", "EINVAL"]
    status, said = start_failing(*words, under=under)
    last = said.splitlines()[-1]
    assert status == 35 and re.fullmatch(r"metawardd: cannot load .*: parent: EINVAL: .* \(exit status 35\)", last), said
    assert os.listdir(run) == []


@pytest.mark.parametrize("part, argument, status", [("fail-before-ready", 30, 30), ("fail-before-ready", 35, 35),
                                                    ("leave-before-ready", 0, 38), ("no-filter", 0, 37),
                                                    ("nursery-leaves", 0, 39)])
def test_a_worker_that_never_serves_is_the_first_processes_failure(net, agent, run, part, argument, status):
    role = Hostile(part, argument)
    daemon = Daemon(net, agent, run, network=role.network, under=role.under)
    ended, said = daemon.begin()
    assert ended == status and "(exit status %d)" % status in said
    assert os.listdir(run) == []


def test_a_start_that_is_told_to_end_is_no_success(net, agent, run):
    """The worker hangs before it is ready; whoever waits for the first process must not believe that guests are served."""
    role = Hostile("hang-before-ready")
    daemon = Daemon(net, agent, run, network=role.network, under=role.under)
    said = tempfile.TemporaryFile()
    first = subprocess.Popen(daemon.command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def background():
        """The process between the first and the nursery: it has the nursery as its child."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if role.network in proc.read(pid, "cmdline") and proc.read(pid, "task/%s/children" % pid).strip() \
                        and "metaward-worker" not in proc.read(pid, "cmdline") and int(pid) != first.pid:
                    return int(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return None

    os.kill(wait_for("the process in the background", background), signal.SIGTERM)
    assert first.wait(20) == 21
    said.seek(0)
    assert b"told to end before guests were served" in said.read()
    said.close()
    assert os.listdir(run) == []


def test_the_first_process_waits_for_the_worker(net, agent, run):
    """With the worker's start slowed down, the first process and the pid file come as late as the worker."""
    slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=landlock_restrict_self,epoll_create1",
            "-e", "inject=epoll_create1:delay_enter=300ms"]
    daemon = Daemon(net, agent, run, under=slow)
    first = subprocess.Popen(daemon.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    start = time.monotonic()
    wait_for("the pid file", lambda: os.listdir(run) == ["pid"])
    assert time.monotonic() - start > 0.3
    daemon.pid = int(daemon.pid_file.read_text())
    ask(net)
    daemon.stop()
    first.wait(20)


def test_a_second_start_fails_and_leaves_the_first_alone(net, agent, run):
    with Daemon(net, agent, run) as daemon:
        again = start_failing(*daemon.command[1:])
        assert again[0] == 18 and "127.0.0.1:8080, which process %d has: EADDRINUSE" % daemon.pid in again[1]
        words = [x if x != "127.0.0.1:8080" else "127.0.0.1:8090" for x in daemon.command[1:]]
        other = start_failing(*words)
        assert other[0] == 20 and "another instance, pid %d, holds it" % daemon.pid in other[1]
        assert daemon.pid_file.read_text() == "%d\n" % daemon.pid
        ask(net)


def test_after_kill_9_the_next_start_takes_the_stale_pid_file_over(net, agent, run):
    daemon = Daemon(net, agent, run)
    daemon.start()
    daemon.stop(signal.SIGKILL)
    assert os.listdir(run) == ["pid"]
    with Daemon(net, agent, run) as next_one:
        assert next_one.pid != daemon.pid and next_one.pid_file.read_text() == "%d\n" % next_one.pid
        ask(net)
