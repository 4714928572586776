"""The drop-in, started, watched and ended as Neutron does it with the proxy that it knows."""
import json
import os
import pwd
import signal
import stat
import subprocess
import tempfile
import time

import pytest

import leftovers
import proc
from harness import NETWORK, PREFIX, SANITIZED, WORKER, Agent, Client, Tenant, wait_for

PROGRAM = os.path.join(PREFIX, "libexec", "metaward", "haproxy")

CONFIGURATION = """
global
    log         /dev/log local0 debug
    log-tag     haproxy-metadata-proxy-{network}
    user        nobody
    group       nogroup
    maxconn     1024
    pidfile     {pid_file}
    nbthread    2
    daemon

defaults
    log global
    mode http
    option httplog
    option dontlognull
    option http-server-close
    option forwardfor
    retries                 3
    timeout http-request    30s
    timeout connect         30s
    timeout client          32s
    timeout server          32s
    timeout http-keep-alive 30s

listen listener
    bind 169.254.169.254:80
    bind fe80::a9fe:a9fe:80 interface tap0

    server metadata {socket}

    http-request del-header X-Neutron-Router-ID
    http-request set-header X-Neutron-Network-ID {network}
"""


class Network:
    """One network's files and namespace, as the agent prepares them."""

    def __init__(self, tenant, agent):
        self.tenant, self.agent = tenant, agent
        self.directory = leftovers.folder("dropin")
        self.path = os.path.join(self.directory, NETWORK + ".conf")
        self.pid_file = os.path.join(self.directory, NETWORK + ".pid.haproxy")
        self.write(CONFIGURATION.format(network=NETWORK, pid_file=self.pid_file, socket=agent.path))
        self.started = []

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text)

    def command(self, *options):
        return ["ip", "netns", "exec", self.tenant.proxy.name, "env", "PROCESS_TAG=haproxy-" + NETWORK, PROGRAM,
                *(options or ("-f", self.path))]

    def start(self, *options):
        """As Neutron: pipes on 0, 1 and 2, and wait for the end of all of them.

        A sanitized child keeps stderr for its reports, so its pipes do not end; it gets files.
        """
        if SANITIZED:
            done = self.start_with_files(*options)
        else:
            done = subprocess.run(self.command(*options), input="", capture_output=True, text=True, timeout=20, check=False)
        if done.returncode == 0 and os.path.exists(self.pid_file):
            self.started.append(self.pid)
        return done

    def start_with_files(self, *options):
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(self.command(*options), stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=20, check=False)
            for file in (out, err):
                file.seek(0)
            lines = [line for line in err if "event=confinement-delta" not in line]
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), "".join(lines))

    @property
    def pid(self):
        with open(self.pid_file, encoding="ascii") as f:
            return int(f.read())

    def ask(self, address="169.254.169.254"):
        with Client(self.tenant.guest.connect(address)) as guest:
            answer = guest.get("/latest/meta-data/")
            return answer.status, dict(json.loads(answer.body)["headers"]) if answer.status == 200 else answer.body

    def end(self):
        for pid in self.started:
            if alive(pid):
                os.kill(pid, signal.SIGTERM)
                wait_for("the drop-in's end", lambda p=pid: not alive(p))
        for name in os.listdir(self.directory):
            os.unlink(os.path.join(self.directory, name))
        os.rmdir(self.directory)


def alive(pid):
    """Is there such a process, not only its remains that init has not fetched yet?"""
    try:
        return read("/proc/%d/stat" % pid).rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def read(path):
    with open(path, "rb") as f:
        return f.read()


def child(pid):
    return int(read("/proc/%d/task/%d/children" % (pid, pid)))


@pytest.fixture
def network(tenant):
    with Agent() as agent:
        made = Network(tenant, agent)
        yield made
        made.end()


def test_the_first_process_ends_when_guests_are_served_and_the_network_looks_active(network):
    done = network.start()
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    # what Neutron calls active: the number in the pid file is a process whose command line has the uuid
    assert NETWORK in read("/proc/%d/cmdline" % network.pid).decode().replace("\0", " ")
    assert b"-f\0" in read("/proc/%d/cmdline" % network.pid)
    assert network.ask()[0] == 200


def test_the_process_of_the_pid_file_is_what_tools_look_for(network):
    network.start()
    pid = network.pid
    assert os.path.basename(os.readlink("/proc/%d/exe" % pid)) == "haproxy"
    assert not os.path.islink(PROGRAM)
    assert os.stat("/proc/%d/ns/net" % pid).st_ino == os.stat(network.tenant.proxy.path).st_ino
    null = os.stat("/dev/null").st_rdev
    assert [os.stat("/proc/%d/fd/%d" % (pid, fd)).st_rdev for fd in range(3)] == [null] * 3
    status = os.stat(network.pid_file)
    assert stat.S_IMODE(status.st_mode) == 0o644
    assert read(network.pid_file) == b"%d\n" % pid


@pytest.mark.plain
def test_a_network_holds_as_few_descriptors_as_three_processes_can(network):
    """docs/neutron.md gives the reason for each."""
    network.start()
    nursery = child(network.pid)
    listeners = ["inet stream listening", "inet6 stream listening"]
    expected = [["anon_inode:[eventpoll]", *listeners, "unix dgram", "unix seqpacket"], sorted(["unix seqpacket", WORKER]),
                sorted(["/dev/null"] * 3 + [network.pid_file, "unix seqpacket", "unix seqpacket"] + listeners)]
    # "serving" is logged at last, through a socket that is there only for that
    wait_for("exactly these", lambda: [sorted(proc.kinds(pid).values()) for pid in (
        child(nursery), nursery, network.pid)] == expected)


def test_guests_are_named_to_the_agent_over_both_families(network):
    network.start()
    _, seen = network.ask()
    assert (seen["X-Forwarded-For"], seen["X-Neutron-Network-ID"]) == (Tenant.GUEST, NETWORK)
    _, seen = network.ask("fe80::a9fe:a9fe%eth0")
    assert (seen["X-Forwarded-For"], seen["X-Neutron-Network-ID"]) == ("fe80::5", NETWORK)


def test_the_configuration_is_never_written(network):
    before = (read(network.path), os.stat(network.path).st_mtime_ns)
    network.start()
    network.ask()
    os.kill(network.pid, signal.SIGTERM)
    wait_for("the end", lambda: not alive(network.started[0]))
    assert (read(network.path), os.stat(network.path).st_mtime_ns) == before


@pytest.mark.measured
def test_sigterm_ends_it_within_a_tenth_of_a_second(network):
    network.start()
    pid = network.pid
    begun = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    wait_for("the end", lambda: not alive(pid))
    assert time.monotonic() - begun < 0.1
    assert network.start().returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_leaves_nothing_behind(network, number):
    network.start()
    pid = network.pid
    nursery = child(pid)
    worker = child(nursery)
    os.kill(pid, number)
    wait_for("the end of all", lambda: not any(map(alive, (pid, nursery, worker))))
    assert network.start().returncode == 0 and network.pid != pid
    assert network.ask()[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_start_right_after_the_end_gets_the_addresses(network, number):
    """The process of the pid file ends first; its worker, which has the listeners too, may be there a moment longer."""
    for _ in range(10):
        done = network.start()
        assert done.returncode == 0, done.stderr
        assert network.ask()[0] == 200
        pid = network.pid
        os.kill(pid, number)
        while alive(pid):  # without a pause, for the successor must come early
            pass


@pytest.mark.measured
def test_the_process_of_the_pid_file_does_not_wait_for_its_children(network):
    """Neutron looks for it right after SIGTERM, and sleeps a second where it finds it."""
    network.start()
    pid, nursery = network.pid, child(network.pid)
    with proc.held_up(nursery):
        os.kill(pid, signal.SIGTERM)
        wait_for("the end", lambda: not alive(pid), patience=0.5)
    wait_for("the nursery's end", lambda: not alive(nursery))


def test_a_second_instance_fails_with_status_1_and_says_who_has_the_address(network):
    network.start()
    pid = network.pid
    done = network.start()
    assert done.returncode == 1
    assert "169.254.169.254:80" in done.stderr and "process %d" % pid in done.stderr
    assert done.stderr.count("\n") == 1
    assert network.pid == pid and network.ask()[0] == 200


def test_a_stale_pid_file_and_one_of_a_foreign_process_do_not_hinder_a_start(network):
    for number in (999999, os.getpid()):
        with open(network.pid_file, "w", encoding="ascii") as f:
            f.write("%d\n" % number)
        assert network.start().returncode == 0
        assert network.pid not in (number, 0)
        os.kill(network.pid, signal.SIGTERM)
        wait_for("the end", lambda: not alive(network.started[-1]))


def test_the_configurations_owner_gets_a_pid_file_only_where_he_could_make_one(network):
    """Root makes it, but somebody else has chosen the path: a file in a directory of root's can mean a lot."""
    account = pwd.getpwnam("nobody")
    os.chown(network.path, account.pw_uid, account.pw_gid)
    done = network.start()
    assert done.returncode == 1
    assert "%s: its directory is another user's than the configuration" % network.pid_file in done.stderr
    assert not os.path.exists(network.pid_file)
    os.chown(network.directory, account.pw_uid, account.pw_gid)
    assert network.start().returncode == 0
    assert network.ask()[0] == 200


def test_what_is_not_understood_starts_nothing(network):
    good = read(network.path).decode()
    network.write(good.replace("    retries                 3\n", "    retries                 3\n    compression algo gzip\n"))
    line = read(network.path).decode().split("\n").index("    compression algo gzip") + 1
    done = network.start()
    assert done.returncode == 1
    assert done.stderr.startswith("%s:%d: 'compression'" % (network.path, line)), done.stderr
    assert not os.path.exists(network.pid_file)


@pytest.mark.parametrize("options", [["-f", "/nowhere/x.conf"], ["-f", "/dev/null"], ["-f", "/proc"], ["-x"], [], ["-f", "x.conf"]])
def test_a_file_that_is_none_and_an_option_that_is_none_fail_with_status_1_and_one_line(options):
    done = subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("below", [True, False])
def test_a_relative_path_starts_where_it_was_started(network, below):
    """The command line stays as it was given, for whoever looks for it."""
    directory, name = os.path.split(network.path)
    path = os.path.join(os.path.basename(directory), name) if below else name
    home = os.getcwd()
    os.chdir(os.path.dirname(directory) if below else directory)
    try:
        done = network.start("-f", path)
    finally:
        os.chdir(home)
    assert done.returncode == 0, done.stderr
    assert read("/proc/%d/cmdline" % network.pid).split(b"\0")[2] == path.encode()
    assert network.ask()[0] == 200


def test_a_symbolic_link_is_not_read(network):
    link = network.path + ".link"
    os.symlink(network.path, link)
    done = network.start("-f", link)
    assert done.returncode == 1 and "ELOOP" in done.stderr


def test_a_check_says_valid_and_starts_nothing(network):
    done = network.start("-c", "-f", network.path)
    assert (done.returncode, done.stdout) == (0, "Configuration file is valid\n")
    assert not os.path.exists(network.pid_file)


def test_the_version_says_that_it_is_metaward():
    for option in ("-v", "-vv"):
        done = subprocess.run([PROGRAM, option], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0 and "metaward" in done.stdout and "haproxy" in done.stdout


@pytest.mark.parametrize("option", ["-Ws", "-Ds", "-db", "-W"])
def test_wrappers_keep_it_in_the_foreground(network, option):
    process = subprocess.Popen(network.command(option, "-f", network.path), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process:
        wait_for("the pid file", lambda: os.path.exists(network.pid_file))
        assert network.pid == process.pid
        assert network.ask()[0] == 200
        process.terminate()
        assert process.wait(20) == 0


def test_the_command_lines_pid_file_goes_before_the_configured_one(network):
    other = network.pid_file + ".other"
    assert network.start("-f", network.path, "-p", other).returncode == 0
    assert not os.path.exists(network.pid_file)
    with open(other, encoding="ascii") as f:
        network.started.append(int(f.read()))
    assert alive(network.started[-1])


@pytest.mark.parametrize("option", ["-sf", "-st"])
def test_a_new_instance_takes_over_from_the_old_one(network, option):
    network.start()
    old = network.pid
    done = network.start("-f", network.path, option, str(old))
    assert done.returncode == 0, done.stderr
    wait_for("the old one's end", lambda: not alive(old))
    assert network.pid != old and network.ask()[0] == 200
