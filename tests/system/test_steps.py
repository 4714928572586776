"""Every step of a start that can be made to fail has its own exit status and one line that says what, on what, why,
and what to do.

First the ways in which steps fail by themselves, then those in which only the kernel could: there, strace answers one
system call with an error in its place, or faults.py exchanges a result. No step is left out; STEP_CLEANUP (40) comes
at the end of a life and is with the pid files (test_findings.py), STEP_USAGE (2) with the options there.
"""
import ctypes
import os
import re
import socket
import subprocess
import sys

import pytest

from harness import WORKER, Proxy, start_failing
from hostile import HERE, TOP, Hostile, instead_of
from inject import NUMBERS
from shared import agent, net, usual_words  # noqa: F401

PRIVATE = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
STEP = re.compile(r'STEP\((\w+),\s*(\d+),\s*"([^"]*)",\s*"([^"]*)"\)')


def steps():
    """Identifier to (exit status, what, what to do), from the one table of steps."""
    with open(os.path.join(TOP, "ipc", "steps.h"), encoding="utf-8") as f:
        text = re.sub(r"\\\n", " ", f.read())
    return {name: (int(status), what, advice) for name, status, what, advice in STEP.findall(text)}


STEPS = steps()


@pytest.fixture
def fails(net, agent):
    """Start with these options over the usual ones, and see it end as the step says."""

    def begin(step, subject, why, *more, under=(), **options):
        status, output = start_failing(*usual_words(net, agent, **options), *more, under=under)
        number, what, advice = STEPS[step]
        line = "cannot %s%s%s: %s (exit status %d)" % (
            what, ": " + subject if subject else "", ": " + why if why else "", advice, number)
        assert status == number, output
        assert [x.split(": ", 1)[1] for x in output.splitlines() if "cannot" in x] == [line], output
        return output

    return begin


def test_every_step_has_a_number_of_its_own_and_an_advice():
    numbers = [status for status, _, _ in STEPS.values()]
    assert len(set(numbers)) == len(numbers) and 31 <= len(numbers)
    assert all(what and advice for _, what, advice in STEPS.values())


# --- steps that fail by themselves ---


def test_10_descriptors_without_dev_null(fails):
    fails("STEP_DESCRIPTORS", "", "ENOENT", under=PRIVATE + ['mount -t tmpfs none /dev && exec "$0" "$@"'])


def test_11_privilege_as_another_user(fails):
    fails("STEP_PRIVILEGE", "", "EPERM", under=["setpriv", "--reuid=65534", "--clear-groups"])


@pytest.mark.parametrize("user, why", [("no-such-user", "ENOENT"), ("root", "EPERM"), ("0", "EPERM")])
def test_12_user(fails, user, why):
    fails("STEP_USER", user, why, user=user)


@pytest.mark.parametrize("group, why", [("no-such-group", "ENOENT"), ("root", "EPERM"), ("0", "EPERM")])
def test_13_group(fails, group, why):
    fails("STEP_GROUP", group, why, group=group)


def test_13_a_user_without_an_account_needs_a_group(fails):
    fails("STEP_GROUP", "54321", "EPERM", user="54321")


def test_14_worker_executable_is_missing(fails):
    hide = 'mount -t tmpfs none "$0" && exec "$@"'
    fails("STEP_WORKER_EXECUTABLE", WORKER, "ENOENT", under=PRIVATE + [hide, os.path.dirname(WORKER)])


def test_15_backend_directory_is_missing(fails):
    fails("STEP_BACKEND_DIRECTORY", "/no/such/directory", "ENOENT", metadata_proxy_socket="/no/such/directory/socket")


def test_15_backend_directory_is_a_file(fails, tmp_path):
    (tmp_path / "file").touch()
    fails("STEP_BACKEND_DIRECTORY", str(tmp_path / "file"), "ENOTDIR",
          metadata_proxy_socket=str(tmp_path / "file" / "socket"))


def test_16_netns_is_missing(fails):
    fails("STEP_NETNS_OPEN", "/run/netns/no-such-namespace", "ENOENT", netns="no-such-namespace")


@pytest.mark.parametrize("path, why", [("/proc/self/ns/mnt", "EINVAL"), ("/proc/self/ns/pid", "EINVAL"),
                                       ("/etc/passwd", "ENOTTY"), ("/etc", "ENOTTY"), ("/dev/null", "ENOTTY")])
def test_16_netns_is_something_else(fails, path, why):
    fails("STEP_NETNS_OPEN", path, why, netns=path)


def test_17_netns_can_not_be_entered(fails, net):
    less = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    fails("STEP_NETNS_ENTER", net.path, "EPERM", under=less)


@pytest.mark.parametrize("address, why", [("192.0.2.1:80", "EADDRNOTAVAIL"), ("127.0.0.1:80%none0", "ENODEV"),
                                          ("[fe80::1]:80%none0", "ENODEV")])
def test_18_listen(fails, address, why):
    fails("STEP_LISTEN", address, why, listen=address)


def test_18_listen_at_an_address_that_is_in_use(fails, net):
    with net.inside():
        other = socket.create_server(("127.0.0.1", 8080))
    with other:
        fails("STEP_LISTEN", "127.0.0.1:8080", "EADDRINUSE")


def test_20_pid_file(fails, tmp_path):
    path = str(tmp_path / "none" / "pid")
    fails("STEP_PID_FILE", path + ": can't open its directory", "", pid_file=path)


def test_26_capabilities_that_can_not_be_given_up(fails):
    fails("STEP_CAPABILITIES", "nursery", "EPERM", under=["setpriv", "--bounding-set=-setpcap", "--inh-caps=-setpcap"])


def test_28_limits_that_can_not_be_set(fails):
    less = ["prlimit", "--nofile=64:64", "setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    fails("STEP_LIMITS", "nursery", "EPERM", under=less)


@pytest.mark.plain  # a sanitized nursery executes nothing
def test_29_an_executable_where_nothing_may_be_executed(fails):
    noexec = 'mount --bind "$0" "$0" && mount -o remount,bind,noexec "$0" && exec "$@"'
    fails("STEP_EXEC", "nursery", "EACCES", under=PRIVATE + [noexec, os.path.dirname(WORKER)])


@pytest.mark.parametrize("content, mode, why", [(b"not a program", 0o755, "ENOEXEC"), (b"", 0o755, "ENOEXEC"),
                                                (b"\x7fELF", 0o644, "EACCES")])
def test_29_an_executable_that_is_none(fails, tmp_path, content, mode, why):
    path = tmp_path / "worker"
    path.write_bytes(content)
    path.chmod(mode)
    fails("STEP_EXEC", "nursery", why, under=instead_of(WORKER, str(path)))


@pytest.mark.plain  # the sanitizers reserve terabytes
def test_30_memory_that_is_not_there(fails):
    fails("STEP_MEMORY", "worker", "ENOMEM", max_connections="16384", under=["prlimit", "--as=%d" % (100 << 20)])


def test_37_facts_that_can_not_be_read(fails):
    """Only the parent of the first worker could: better to learn that now than after a crash."""
    hide = 'mount -t proc -o hidepid=ptraceable proc /proc && exec "$0" "$@"'
    fails("STEP_FACTS", "/proc/PID/status can't be read: is /proc mounted with hidepid=ptraceable?", "",
          under=PRIVATE + [hide])


@pytest.mark.parametrize("part, wrong", [
    ("no-filter", "the number of system call filters is wrong"),
    ("one-filter-more", "the number of system call filters is wrong"),
    ("keep-a-descriptor", "it holds a descriptor that it should not"),
    ("lose-epoll", "it lacks one of its descriptors"), ("other-epoll", "it holds a descriptor that it should not")])
def test_37_a_worker_that_is_not_what_it_says(fails, part, wrong):
    role = Hostile(part)
    fails("STEP_FACTS", wrong, "", network_id=role.network, under=role.under)


@pytest.mark.parametrize("part, argument", [("leave-before-ready", 0), ("leave-before-ready", 1), ("leave-before-ready", 2),
                                            ("leave-before-ready", 255), ("die-before-ready", 9), ("die-before-ready", 11)])
def test_38_a_worker_that_ends_before_it_serves(fails, part, argument):
    role = Hostile(part, argument)
    fails("STEP_WORKER_DIED", "worker", "", network_id=role.network, under=role.under)


@pytest.mark.parametrize("part", ["unknown-step", "serving-before-ready", "descriptors-before-ready"])
def test_38_a_worker_that_talks_nonsense_before_it_serves(fails, part):
    role = Hostile(part)
    output = fails("STEP_WORKER_DIED", "worker", "", network_id=role.network, under=role.under)
    assert "event=worker-killed" in output and "a message that is not valid" in output


@pytest.mark.parametrize("part", ["nursery-leaves", "nursery-talks-nonsense", "nursery-says-what-workers-say"])
def test_39_a_nursery_that_ends(fails, part):
    role = Hostile(part)
    fails("STEP_NURSERY_DIED", "", "", network_id=role.network, under=role.under)


@pytest.mark.parametrize("step", [name for name in STEPS if STEPS[name][0] >= 10])
def test_a_step_that_fails_in_a_child_is_told_by_the_parent_as_its_own(fails, step):
    role = Hostile("fail-before-ready", STEPS[step][0])
    fails(step, "worker", "EIO", network_id=role.network, under=role.under)
    role = Hostile("nursery-fails", STEPS[step][0])
    fails(step, "nursery", "EIO", network_id=role.network, under=role.under)


# --- steps that only the kernel could make fail ---


class Survey:
    """Which call is the how-manyeth of its name in its process: what strace is to be told."""

    def __init__(self, folder, agent, net):
        trace = str(folder / "survey")
        proxy = Proxy(agent, netns=net, listen=["127.0.0.1:8080"],
                      under=["strace", "-ff", "-qq", "-e", "signal=none", "-o", trace])
        proxy.start()
        os.kill(proxy.children()[0], 15)
        proxy.process.wait(20)
        self.calls = {}
        for name in os.listdir(folder):
            if name.startswith("survey."):
                with open(folder / name, encoding="utf-8", errors="replace") as f:
                    lines = f.read().splitlines()
                self.calls[self.role(lines)] = [line.split("(", 1) for line in lines if "(" in line]

    @staticmethod
    def role(lines):
        text = "\n".join(lines)
        return "nursery" if "\npivot_root(" in text else "worker" if "\nlandlock_" in text else "parent"

    def when(self, role, name, pattern):
        """The first call of this name whose arguments and result match."""
        same = [rest for call, rest in self.calls[role] if call == name]
        return next(i for i, rest in enumerate(same, 1) if re.search(pattern, rest))


@pytest.fixture(scope="module")
def survey(tmp_path_factory, agent, net):
    return Survey(tmp_path_factory.mktemp("survey"), agent, net)


INJECTED = [
    # step, subject, errno, who, call, which
    ("STEP_LISTEN", "127.0.0.1:8080", "EACCES", "parent", "bind", "AF_INET"),
    ("STEP_LISTEN", "127.0.0.1:8080", "EOPNOTSUPP", "parent", "listen", ""),
    ("STEP_START_NURSERY", "", "ENOSPC", "parent", "clone", "CLONE_NEWPID"),
    ("STEP_START_NURSERY", "", "EPERM", "parent", "open_tree", ""),
    ("STEP_START_NURSERY", "", "ENOSYS", "parent", "mount_setattr", ""),
    ("STEP_START_NURSERY", "", "EMFILE", "parent", "socketpair", "SEQPACKET"),
    ("STEP_LOG", "worker", "ENOBUFS", "parent", "socketpair", "DGRAM"),
    ("STEP_NAMESPACES", "nursery", "EPERM", "nursery", "setsid", ""),
    ("STEP_ROOT", "nursery", "EINVAL", "nursery", "move_mount", ""),
    ("STEP_ROOT", "nursery", "EBUSY", "nursery", "pivot_root", ""),
    ("STEP_ROOT", "nursery", "EBUSY", "nursery", "umount2", ""),
    ("STEP_LIMITS", "nursery", "EPERM", "nursery", "prlimit64", "RLIMIT_MSGQUEUE"),
    ("STEP_IDS", "nursery", "EAGAIN", "nursery", "setresuid", "65534"),
    ("STEP_IDS", "nursery", "EPERM", "nursery", "setgroups", ""),
    ("STEP_DESCRIPTORS", "nursery", "EMFILE", "nursery", "dup3", ""),
    ("STEP_EXEC", "nursery", "ENOMEM", "nursery", "execveat", ""),
    ("STEP_FILTER", "nursery", "EINVAL", "nursery", "seccomp", "SECCOMP_SET_MODE_FILTER"),
    ("STEP_INVENTORY", "nursery", "ENOTSOCK", "nursery", "getsockopt", "SO_DOMAIN"),
    ("STEP_IDS", "nursery", "EAGAIN", "nursery", "setresgid", "65534"),
]


@pytest.mark.plain  # sanitized processes make calls of their own in between
@pytest.mark.parametrize("step, subject, error, role, call, which", INJECTED, ids=str)
def test_a_refusal_by_the_kernel_ends_the_start(fails, survey, step, subject, error, role, call, which):
    when = survey.when(role, call, which)
    fails(step, subject, error, under=["strace", "-f", "-qq", "-e", "signal=none", "-o", "/dev/null", "-e",
                                       "inject=%s:error=%s:when=%d" % (call, error, when)])


ANSWERED = [
    # step, subject, errno, call, which of all processes' calls of that name
    ("STEP_CAPABILITIES", "parent", "EPERM", "capset", 2),  # after the nursery
    ("STEP_FILTER", "worker", "EINVAL", "seccomp", 2),  # after the nursery's
    ("STEP_FILTER", "parent", "EINVAL", "seccomp", 3),
    ("STEP_CHANNEL", "worker", "EMFILE", "socketpair", 3),  # after the nursery's and the log's
    ("STEP_EVENTS", "worker", "ENOMEM", "epoll_ctl", 1),
    ("STEP_LANDLOCK", "worker", "EINVAL", "landlock_create_ruleset", 2),  # the first asks for the version
    ("STEP_LANDLOCK", "worker", "E2BIG", "landlock_restrict_self", 1),
    ("STEP_BACKEND_ADDRESS", "worker", "EPERM", "mseal", 1),
    ("STEP_INVENTORY", "worker", "ENOTSOCK", "getsockopt", 5),  # the nursery makes four
]


@pytest.mark.plain
@pytest.mark.parametrize("step, subject, error, call, which", ANSWERED, ids=str)
def test_an_error_under_a_filter_ends_the_start(fails, step, subject, error, call, which):
    if call.startswith("landlock") and ctypes.CDLL(None).syscall(NUMBERS["landlock_create_ruleset"], None, 0, 1) < 0:
        pytest.skip("this kernel has no Landlock")
    fails(step, subject, error, under=[sys.executable, "-B", os.path.join(HERE, "faults.py"), call, str(which), error])


@pytest.mark.plain
def test_21_daemonize_without_a_second_process(fails):
    refuse = ["strace", "-f", "-qq", "-e", "signal=none", "-o", "/dev/null", "-e", "inject=clone:error=EAGAIN:when=1"]
    fails("STEP_DAEMONIZE", "", "EAGAIN", "--daemonize", under=refuse)


def test_nothing_stays_behind_after_a_failed_start(net, agent, tmp_path):
    """Not a process, not a pid file, not a listener."""
    role = Hostile("fail-before-ready", 30)
    pid_file = tmp_path / "pid"
    status, _ = start_failing("--network-id", role.network, "--metadata-proxy-socket", agent.path, "--netns", net.name,
                              "--user", "nobody", "--listen", "127.0.0.1:8080", "--log", "stderr", "--pid-file", str(pid_file),
                              under=role.under)
    assert status == 30 and not pid_file.exists()
    assert subprocess.run(["pgrep", "-f", role.network], check=False, capture_output=True).stdout == b""
    with net.inside():
        socket.create_server(("127.0.0.1", 8080)).close()


def test_a_step_line_is_written_to_stderr_whatever_the_log_is(fails):
    fails("STEP_USER", "root", "EPERM", user="root", log="none")
    fails("STEP_USER", "root", "EPERM", user="root", log="syslog")
