"""Nothing missing and nothing spare: what the processes ask of the kernel in a whole life, compared with their tables.

The proxy lives through everything that it can meet, under strace. What a process called after its filter was loaded
must be in its table, and every line of the table must have been used by some process, or say why it can't be.
The nursery's table covers its workers as well: alone until a worker has loaded its own filter, then beside it.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import hostproxy
import proc
from devlog import DevLog
from harness import DAEMON, Agent, Client, Proxy, TcpAgent, wait_for

pytestmark = pytest.mark.plain  # a sanitized build has calls of its own

CALL = re.compile(r"^(?P<name>\w+)\((?P<arguments>.*?)\) += (?P<result>.*)$")
ADDRESSES = ["169.254.169.254:80", "[fe80::a9fe:a9fe]:80%tap0"]


def policy():
    return json.loads(subprocess.run([DAEMON, "--print-policy=json"], capture_output=True, check=True).stdout)


def number(word):
    """An argument as strace prints it raw, or None for what it decodes all the same."""
    with contextlib.suppress(ValueError):
        return int(word, 0)
    return 0 if word == "NULL" else None


def calls(path):
    """(name, arguments) of each call in a process's trace."""
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            match = CALL.match(line)
            if match:
                yield match["name"], [number(x) for x in match["arguments"].split(", ")], match["result"]


def loads_a_filter(call):
    name, arguments, result = call
    return name == "seccomp" and arguments[0] == 1 and result == "0"


def role_of(made):
    names = {name for name, _, _ in made}
    if "pivot_root" not in names:
        return "worker" if "landlock_create_ruleset" in names else "parent"
    return "dialer" if "landlock_create_ruleset" in names else "nursery"


def sort_calls(directory, used, dialed=""):
    """Add to `used`, for each table, the calls that were made under it; `dialed` is at the end of some tables' names."""
    for name in os.listdir(directory):
        made = list(calls(os.path.join(directory, name)))
        loads = [i for i, call in enumerate(made) if loads_a_filter(call)]
        if not loads:
            continue  # sh, unshare, or the process that went into the background
        role = role_of(made)
        if role == "worker":
            used["nursery" + dialed] += made  # inherited: it goes on to hold under the worker's own
        used[role + dialed if role in ("worker", "nursery") else role] += made[loads[0] + 1:]


def matches(line, call):
    """Is this call one that the line stands for? Pins without a value are addresses: the filter compares them."""
    name, arguments, _ = call
    names = (line["call"], "syscall_%#x" % line["number"])  # strace may be older than the call
    return name in names and all(
        "value" not in pin or arguments[pin["argument"]] & int(pin["mask"], 16) == pin["value"] & int(pin["mask"], 16)
        for pin in line["pins"])


class Traced(Proxy):
    """A proxy under strace; its processes are found below strace's.

    Their ends are held up a little: a worker that the parent gives up is killed before it can end by itself.
    """

    def __init__(self, directory, *arguments, under=(), **named):
        strace = ("strace", "-ff", "-qq", "-e", "raw=all", "-e", "signal=none", "-e", "inject=exit_group:delay_enter=50ms",
                  "-o", os.path.join(directory, "t"))
        super().__init__(*arguments, under=(*strace, *under), **named)

    @property
    def parent(self):
        return self.children(self.process.pid)[0]

    @property
    def nursery(self):
        return self.children(self.parent)[-1]

    def end(self, number=signal.SIGTERM):
        os.kill(self.parent, number)
        return self.process.wait(20)


def requests_of_all_kinds(tenant, agent):
    """Answered, refused, with a body, over IPv6, without an agent, with one that is busy."""
    for address in ("169.254.169.254", "fe80::a9fe:a9fe%eth0"):
        with Client(tenant.guest.connect(address)) as guest:
            assert guest.get().status == 200
            assert guest.get(method="HEAD").status == 200
            assert guest.get(method="POST", headers="Content-Length: 3\r\n", body=b"abc").status == 200
    with Client(tenant.guest.connect("169.254.169.254")) as guest:
        guest.send("no such thing\r\n\r\n")
        assert guest.answer().status == 400
        guest.closed()
    with Client(tenant.guest.connect("169.254.169.254")) as guest:
        guest.send("GET / HTTP/1.1\r\n")  # and never more
        assert guest.answer().status == 408
    agent.stop()
    with Client(tenant.guest.connect("169.254.169.254")) as guest:
        assert guest.get().status == 503
    agent.start()


def hide_processes(proxy, hidden):
    """Let the parent see no /proc, or see it again: it can't confirm what a new worker says."""
    enter = ["nsenter", "-t", str(proxy.parent), "-m", "-r"]
    command = ["mount", "-t", "tmpfs", "none", "/proc"] if hidden else ["umount", "/proc"]
    subprocess.run([*enter, *command], check=True)


def serving(proxy, log):
    return len([line for line in log() if "event=serving" in line])


def next_worker(proxy, log):
    served = serving(proxy, log)
    os.kill(proxy.worker, signal.SIGKILL)
    wait_for("the next worker", lambda: serving(proxy, log) > served)


def life_with_stderr(tenant, agent, directory):
    private = ("unshare", "--mount", "--propagation", "private")
    proxy = Traced(directory, agent, "--timeout-http-request", "200ms", netns=tenant.proxy, listen=ADDRESSES, under=private)
    proxy.start()
    requests_of_all_kinds(tenant, agent)
    next_worker(proxy, lambda: proxy.lines)
    hide_processes(proxy, True)
    os.kill(proxy.worker, signal.SIGKILL)
    killed = wait_for("a worker that can't be confirmed", lambda: proxy.event("worker-killed"))
    assert killed["why"].startswith("/proc/PID/status can't be read")
    served = serving(proxy, lambda: proxy.lines)
    hide_processes(proxy, False)
    wait_for("a worker that can", lambda: serving(proxy, lambda: proxy.lines) > served)
    requests_of_all_kinds(tenant, agent)
    assert proxy.end(signal.SIGQUIT) == 0


def life_with_syslog(tenant, agent, directory, devlog):
    def log():
        return [line.decode("latin-1") for line in devlog.lines]

    proxy = Traced(directory, agent, "--timeout-http-request", "200ms", netns=tenant.proxy, listen=ADDRESSES,
                   log="syslog", under=devlog.under).start()
    requests_of_all_kinds(tenant, agent)
    devlog.stop()
    devlog.start()
    with Client(tenant.guest.connect("169.254.169.254")) as guest:
        wait_for("a line in the new log", lambda: guest.get().status == 200 and any("event=request" in x for x in log()[-1:]))
    next_worker(proxy, log)
    return proxy


def life_without_a_way(tenant, directory):
    """On a host that has no route to the agent's address."""
    with contextlib.ExitStack() as stack:
        agent = TcpAgent()  # which is never started
        stack.push(agent)
        agent.name, agent.port = "192.0.2.7", 80
        under = ("nsenter", "--net=/run/netns/" + tenant.proxy.name)
        proxy = Traced(directory, agent, listen=ADDRESSES, under=under).start()
        with Client(tenant.guest.connect("169.254.169.254")) as guest:
            assert guest.get().status == 503
        assert proxy.end() == 0


def test_every_line_is_used_and_nothing_else_is(tenant, agent, tmp_path):
    used = {"parent": [], "nursery": [], "worker": []}
    directories = [tmp_path / name for name in ("stderr", "syslog", "stuck", "dev")]
    for directory in directories:
        directory.mkdir(mode=0o755)
    stderr, syslog, stuck, dev = map(str, directories)
    life_with_stderr(tenant, agent, stderr)
    with DevLog(dev) as devlog:
        proxy = life_with_syslog(tenant, agent, syslog, devlog)
        assert proxy.end() == 0 and os.listdir(proxy.folder) == []
        os.rmdir(proxy.folder)
        proxy = life_with_syslog(tenant, agent, stuck, devlog)
        os.chown(proxy.folder, 1, 1)  # not its directory any more: the file can't be removed
        assert proxy.end() == 40 and os.path.getsize(proxy.folder + "/pid") == 0
        shutil.rmtree(proxy.folder)
    for directory in (stderr, syslog, stuck):
        sort_calls(directory, used)
    compare(used)


def compare(used):
    """Neither a call that no line allows, nor a line that no call needs."""
    tables = policy()
    for role in used:
        lines = tables[role]
        assert used[role], "no trace of the %s" % role
        strangers = {call[0] for call in used[role] if not any(matches(line, call) for line in lines)}
        assert strangers == set(), "%s: used, and not in the table" % role
        idle = [line["call"] + str([pin["text"] for pin in line["pins"]]) for line in lines
                if not line["unused"] and not any(matches(line, call) for call in used[role])]
        assert not idle, "%s: in the table, and used by nothing: %s" % (role, ", ".join(idle))


def test_the_same_for_an_agent_over_tcp(tenant, tmp_path):
    used = {"nursery_dialed": [], "worker_dialed": [], "dialer": [], "parent": []}
    directories = [tmp_path / name for name in ("here", "nowhere")]
    for directory in directories:
        directory.mkdir(mode=0o755)
    with TcpAgent() as agent:
        life_with_stderr(tenant, agent, str(directories[0]))
    life_without_a_way(tenant, str(directories[1]))
    for directory in directories:
        sort_calls(str(directory), used, "_dialed")
    assert used.pop("parent")  # it does nothing that is not done without a dialer
    compare(used)


def sort_calls_of_a_host(directory, used):
    """As above; a reader that the nursery has started is under the nursery's filter, too."""
    for name in os.listdir(directory):
        made = list(calls(os.path.join(directory, name)))
        loads = [i for i, call in enumerate(made) if loads_a_filter(call)]
        if not loads:
            continue
        names = {call[0] for call in made}
        role = {"nursery": "nursery_reload", "worker": "worker_dialed"}.get(role_of(made), role_of(made))
        if role == "parent":
            role = "parent_reload" if "clone" in names else "reader"
        if role == "worker_dialed" or (role == "reader" and "setresuid" not in names):
            used["nursery_reload"] += made
        used[role] += made[loads[0] + 1:]


def test_the_same_for_a_host_that_reads_its_configuration_again(tenant, tmp_path):
    """The tables of parent and nursery are those of other modes, and a few lines: those are looked at."""
    used = {"parent_reload": [], "nursery_reload": [], "worker_dialed": [], "dialer": [], "reader": []}
    for name in ("t", "dev"):
        (tmp_path / name).mkdir(mode=0o755)
    strace = ("strace", "-ff", "-qq", "-e", "raw=all", "-e", "signal=none", "-o", str(tmp_path / "t" / "t"))
    known = hostproxy.guests(600, "10.9")
    with TcpAgent(inside=tenant.proxy) as agent, DevLog(str(tmp_path / "dev")) as devlog:
        with hostproxy.HostProxy(tenant, agent, devlog, known[:1], tmp_path, under=strace) as proxy:
            assert proxy.identity(known[0].ip) and not proxy.identity(known[1].ip)
            proxy.reload(known)
            wait_for("the second guest", lambda: proxy.identity(known[1].ip))
            proxy.reload("nonsense", "reload-failed")
            os.kill(proxy.worker, signal.SIGKILL)
            proxy.event("serving", 2)
            assert proxy.identity(known[1].ip)
    sort_calls_of_a_host(str(tmp_path / "t"), used)
    tables = policy()
    for role, base in (("parent_reload", "parent"), ("nursery_reload", "nursery"), ("reader", None)):
        assert used[role], "no trace of the %s" % role
        strangers = {call[0] for call in used[role] if not any(matches(line, call) for line in tables[role])}
        assert strangers == set(), "%s: used, and not in the table" % role
        own = [line for line in tables[role] if not base or line not in tables[base]]
        assert own and not [line for line in own if not any(matches(line, call) for call in used[role])], role


def test_no_table_is_left_out():
    """Those of the readers are in test_reader.py and test_host_config.py, the lease's in test_lease.py,
    the host daemon's in test_host_policy.py, its launcher's in test_launcher.py."""
    assert set(policy()) == {"parent", "nursery", "worker", "nursery_dialed", "worker_dialed", "dialer", "reader", "reader_host", "lease", "host", "nursery_host", "launcher",
                             "parent_reload", "nursery_reload"}


def test_lines_that_claim_to_be_unused_are_few_and_say_why():
    for role, lines in policy().items():
        for line in lines:
            if line["unused"]:
                assert line["call"] == "clock_gettime" or line["action"] == "ENOMEM", "%s: %s" % (role, line)
                assert len(line["unused"]) > 10 or line["unused"] == "nothing asks"


def test_the_addresses_that_are_pinned_are_one_for_each_process(tenant, agent, tmp_path):
    """What strace shows of connect(): one pointer in the worker's life, whatever the agent does."""
    proxy = Traced(str(tmp_path), agent, "--timeout-http-request", "200ms", netns=tenant.proxy, listen=ADDRESSES).start()
    page = None
    with contextlib.suppress(PermissionError):  # strace traces it already, /proc shows it all the same
        page = proc.pinned_page(proxy.worker)[0]
    requests_of_all_kinds(tenant, agent)
    proxy.end()
    used = {"parent": [], "nursery": [], "worker": []}
    sort_calls(str(tmp_path), used)
    pointers = {tuple(arguments[1:3]) for name, arguments, _ in used["worker"] if name == "connect"}
    assert pointers == {(page, len("/metadata_proxy") + 3)}
