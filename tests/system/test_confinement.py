"""What the kernel says of the three processes while guests are being served: the confinement's facts."""
import ctypes
import os
import pwd
import subprocess

import pytest

import proc
from harness import SANITIZED, WORKER, Client, Proxy, wait_for
from shared import agent, net  # noqa: F401

ADDRESSES = ["127.0.0.1:8080", "[::1]:8080"]
NOBODY = pwd.getpwnam("nobody")
REPORT = {31} if SANITIZED else set()  # policy/descriptors.h: where the sanitizers write
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206


@pytest.fixture(scope="module")
def proxy(net, agent):
    with Proxy(agent, netns=net, listen=ADDRESSES) as started:
        ask(net)
        yield started


def ask(net):
    with Client(net.connect("127.0.0.1", 8080)) as guest:
        assert guest.get().status == 200


def children(proxy):
    return {"worker": proxy.worker, "nursery": proxy.nursery}


def without_reports(found):
    """Descriptors without the sanitizers' own."""
    return {fd: what for fd, what in found.items() if fd not in REPORT}


def kinds_at_rest(pid):
    """What the worker holds when no guest is connected: one that has gone may still be there for a moment."""
    def look():
        found = without_reports(proc.kinds(pid))
        return found if "inet stream" not in found.values() else None

    return wait_for("guests to be gone", look)


def restart(proxy):
    """Kill the worker and wait for the next one to serve. Returns its process number."""
    served = len(proxy.events("serving"))
    os.kill(proxy.worker, 9)
    wait_for("the next worker", lambda: proxy.event("serving", served + 1))
    return proxy.worker


@pytest.mark.parametrize("role, filters", [("parent", 1), ("nursery", 1), ("worker", 2)])
def test_every_process_is_under_its_filters(proxy, role, filters):
    status = proc.status(proxy.pid if role == "parent" else children(proxy)[role])
    before = int(proc.status("self")["Seccomp_filters"][0])
    assert status["Seccomp"] == ["2"]
    assert status["NoNewPrivs"] == ["1"]
    assert status["Seccomp_filters"] == [str(before + filters)]
    assert status["Threads"] == ["1"]


@pytest.mark.parametrize("role", ["parent", "nursery", "worker"])
def test_no_process_has_a_capability_in_any_set(proxy, role):
    pid = proxy.pid if role == "parent" else children(proxy)[role]
    assert proc.capabilities(pid) == dict.fromkeys(proc.CAPABILITY_SETS, 0)


@pytest.mark.parametrize("role", ["nursery", "worker"])
def test_children_are_nobody_without_groups(proxy, role):
    status = proc.status(children(proxy)[role])
    assert status["Uid"] == [str(NOBODY.pw_uid)] * 4
    assert status["Gid"] == [str(NOBODY.pw_gid)] * 4
    assert status["Groups"] == []


@pytest.mark.parametrize("role", ["nursery", "worker"])
def test_children_live_in_namespaces_of_their_own(proxy, role):
    ours, theirs = proc.namespaces("self"), proc.namespaces(children(proxy)[role])
    assert [kind for kind in proc.NAMESPACES if ours[kind] == theirs[kind]] == []
    assert proc.namespaces(proxy.pid) == ours


def test_the_nursery_is_the_first_process_of_its_namespace_and_the_worker_its_child(proxy):
    assert proc.status(proxy.nursery)["NSpid"][-1] == "1"
    assert proc.status(proxy.worker)["PPid"] == [str(proxy.nursery)]
    assert proc.namespaces(proxy.worker) == proc.namespaces(proxy.nursery)


def test_the_network_namespace_holds_nothing_but_a_loopback_that_is_down(proxy):
    links = subprocess.run(["nsenter", "-t", str(proxy.worker), "-n", "ip", "-o", "link"], capture_output=True,
                           text=True, check=True).stdout.splitlines()
    assert len(links) == 1 and " lo: " in links[0] and "state DOWN" in links[0]
    for table in ("addr", "route", "-6 route"):
        assert subprocess.run(["nsenter", "-t", str(proxy.worker), "-n", "ip", *table.split()], capture_output=True,
                              text=True, check=True).stdout.count("inet") == 0


@pytest.mark.plain
@pytest.mark.parametrize("role", ["nursery", "worker"])
def test_the_root_is_the_agents_directory_and_nothing_can_be_done_in_it(proxy, agent, role):
    pid = children(proxy)[role]
    (mount,) = proc.mounts(pid)
    assert mount["point"] == "/" and mount["root"].endswith(agent.directory)
    assert mount["options"] >= {"ro", "nosuid", "nodev", "noexec", "nosymfollow"}
    assert mount["optional"] == []  # nothing that is mounted elsewhere later can appear here
    root = "/proc/%d/root" % pid
    assert os.listdir(root) == os.listdir(agent.directory) == ["metadata_proxy"]
    assert os.readlink("/proc/%d/cwd" % pid) == "/"
    with pytest.raises(OSError, match="Read-only"):
        os.mkdir(root + "/new")


def test_an_agent_that_makes_its_directory_entry_anew_is_found_again(proxy, agent, net):
    agent.stop()
    agent.start()
    ask(net)


@pytest.mark.parametrize("role", ["parent", "nursery", "worker"])
def test_no_process_is_dumpable(proxy, role):
    pid = proxy.pid if role == "parent" else children(proxy)[role]
    for name in ("fd", "mem", "environ", "maps", "ns"):
        assert os.stat("/proc/%d/%s" % (pid, name)).st_uid == 0
    if role != "parent":
        assert proc.limit(pid, "Max core file size") == (0, 0)


def as_nobody(function, *arguments):
    """Call `function` in a child that is the worker's user, and return its errno."""
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(NOBODY.pw_gid, NOBODY.pw_gid, NOBODY.pw_gid)
        os.setresuid(NOBODY.pw_uid, NOBODY.pw_uid, NOBODY.pw_uid)
        try:
            function(*arguments)
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def trace(request, pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(request, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


@pytest.mark.parametrize("role", ["parent", "nursery", "worker"])
def test_the_workers_user_can_neither_trace_nor_look_into_any_process(proxy, role):
    pid = proxy.pid if role == "parent" else children(proxy)[role]
    assert as_nobody(trace, PTRACE_ATTACH, pid) == 1
    assert as_nobody(trace, PTRACE_SEIZE, pid) == 1
    for name in ("mem", "environ", "maps"):
        assert as_nobody(open, "/proc/%d/%s" % (pid, name), "rb") == 13
    assert as_nobody(os.listdir, "/proc/%d/fd" % pid) == 13
    assert as_nobody(os.readlink, "/proc/%d/root" % pid) == 13
    assert as_nobody(proc.borrow, pid, 0) == 1


def test_the_resource_limits_are_at_the_floor(proxy):
    limits = {"Max core file size": 0, "Max locked memory": 0, "Max msgqueue size": 0, "Max file size": 0,
              "Max processes": 0}
    for name, most in limits.items():
        assert proc.limit(proxy.worker, name) == (most, most), name
    soft, hard = proc.limit(proxy.worker, "Max open files")
    assert soft == hard == 31 + 2 + 1024 + 256  # its own, listeners, connections, requests in flight: the defaults
    for name in ("Max core file size", "Max locked memory", "Max msgqueue size"):
        assert proc.limit(proxy.nursery, name) == (0, 0), name


def test_the_limit_on_descriptors_follows_the_limits_on_connections(net, agent):
    with Proxy(agent, "--max-connections", "7", "--max-in-flight", "3", netns=net, listen=["127.0.0.1:8081"]) as small:
        assert proc.limit(small.worker, "Max open files") == (42, 42)


def test_the_worker_holds_exactly_its_descriptors(proxy):
    wanted = {0: "unix seqpacket", 1: "unix dgram", 2: "anon_inode:[eventpoll]",
              3: "inet stream listening", 4: "inet6 stream listening"}
    assert kinds_at_rest(proxy.worker) == wanted
    assert all(proc.close_on_exec(proxy.worker, fd) for fd in (3, 4))


def test_the_worker_holds_no_listener_before_the_parent_has_looked_at_it(net, agent):
    """The parent's messages with descriptors are held up from the second on: the first has started the worker."""
    slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=sendmsg",
            "-e", "inject=sendmsg:delay_enter=700ms:when=2"]
    held = Proxy(agent, netns=net, listen=["127.0.0.1:8082"], under=slow)
    seen = []

    def look():
        parents = held.children()
        for nursery in held.children(parents[0]) if parents else []:
            for worker in held.children(nursery):
                if proc.status(worker)["Seccomp_filters"] == proc.status(proxy_filters[0])["Seccomp_filters"]:
                    seen.append(without_reports(proc.kinds(worker)))
        return seen

    with Proxy(agent, netns=net, listen=["127.0.0.1:8083"]) as reference:
        proxy_filters = [reference.worker]
        held.process = subprocess.Popen(held.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        try:
            wait_for("a worker without listeners", look)
        finally:
            for parent in held.children():
                os.kill(parent, 15)
            held.process.wait(20)
    assert seen == [{0: "unix seqpacket", 1: "unix dgram", 2: "anon_inode:[eventpoll]"}]


def test_the_nursery_holds_its_channel_and_the_executable(proxy):
    assert without_reports(proc.kinds(proxy.nursery)) == {0: "unix seqpacket", 2: WORKER}
    assert proc.close_on_exec(proxy.nursery, 2)


def test_the_parent_holds_listeners_channels_and_the_logs_other_end_and_nothing_else(proxy):
    found = proc.kinds(proxy.pid)
    standard = {fd: found.pop(fd) for fd in (0, 1, 2)}
    assert standard[0] == standard[1] == "/dev/null" and standard[2].startswith("pipe:")
    assert sorted(found.values()) == ["inet stream listening", "inet6 stream listening", "unix dgram", "unix seqpacket",
                                      "unix seqpacket"]
    assert all(proc.close_on_exec(proxy.pid, fd) for fd in found)


@pytest.mark.parametrize("role", ["nursery", "worker"])
def test_the_environment_of_the_children_is_empty(proxy, role):
    assert proc.read(children(proxy)[role], "environ") == ""


def test_the_children_say_in_the_process_list_whom_they_serve(proxy):
    words = proc.read(proxy.worker, "cmdline").split("\0")
    assert words[0] == "metaward-worker" and words[-2] == "d9f7c1a0-1b2c-4d3e-8f90-0123456789ab"


def test_no_process_is_kept_from_the_out_of_memory_killer(proxy):
    ours = int(proc.read("self", "oom_score_adj"))
    for pid in (proxy.pid, proxy.nursery, proxy.worker):
        assert int(proc.read(pid, "oom_score_adj")) >= ours


def test_the_children_have_no_terminal_and_no_session_of_ours(proxy):
    for pid in (proxy.nursery, proxy.worker):
        assert proc.status(pid)["NSsid"][0] == str(proxy.nursery)
        assert proc.read(pid, "stat").rsplit(")", 1)[1].split()[4] == "0"


def test_a_restarted_worker_is_confined_as_the_first_was(proxy, net):
    first = proxy.worker
    facts = (proc.capabilities(first), proc.namespaces(first), kinds_at_rest(first), proc.read(first, "limits"),
             proc.read(first, "mountinfo"))
    ids = [proc.status(first)[x] for x in ("Uid", "Gid", "Groups", "Seccomp", "Seccomp_filters", "NoNewPrivs")]
    second = restart(proxy)
    assert second != first
    assert (proc.capabilities(second), proc.namespaces(second), kinds_at_rest(second), proc.read(second, "limits"),
            proc.read(second, "mountinfo")) == facts
    assert [proc.status(second)[x] for x in ("Uid", "Gid", "Groups", "Seccomp", "Seccomp_filters", "NoNewPrivs")] == ids
    assert os.stat("/proc/%d/mem" % second).st_uid == 0
    ask(net)


@pytest.mark.plain
def test_a_restarted_worker_has_another_address_space_layout(proxy):
    before, nursery = proc.maps(proxy.worker), proc.maps(proxy.nursery)
    after = proc.maps(restart(proxy))
    for name in (WORKER, "[stack]", "[vdso]", "[heap]"):
        places = [m[name] for m in (before, nursery, after) if name in m]
        assert len(set(places)) == len(places), "%s is at the same place again" % name


@pytest.mark.plain
def test_nothing_in_the_worker_is_writable_and_executable(proxy):
    for pid in (proxy.pid, proxy.nursery, proxy.worker):
        for line in proc.read(pid, "maps").splitlines():
            assert "wx" not in line.split()[1], line


@pytest.mark.plain
def test_the_agents_address_lies_in_a_page_that_is_read_only_and_sealed(proxy):
    _, content, flags = proc.pinned_page(proxy.worker)
    assert content[2:].rstrip(b"\0") == b"/metadata_proxy"
    if tuple(int(x) for x in os.uname().release.split(".")[:2]) >= (6, 10):
        assert "sl" in flags
