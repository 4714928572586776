"""What reviews found in an earlier metadata proxy, tried here: the tests bear the findings' numbers (docs/security.md).

F14 (code) is the linters', F16 (dependencies) the build's. F9 and F13 are looked at from all sides in test_steps.py and
test_confinement.py; F15's background is test_daemonize.py.
"""
import contextlib
import functools
import fcntl
import itertools
import os
import re
import signal
import socket
import stat
import subprocess

import pytest

import proc
from harness import DAEMON, NETWORK, OTHER, SANITIZED, WORKER, Agent, Client, Proxy, start_failing, wait_for
from hostile import Hostile, instead_of
from shared import agent, net, usual_words  # noqa: F401

PRIVATE = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
LIBEXEC = os.path.dirname(WORKER)


@pytest.fixture
def words(net, agent):
    """Makes the usual command line, with some options exchanged."""
    return functools.partial(usual_words, net, agent)


@pytest.fixture
def serve(net, agent):
    """Start a proxy that is stopped at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda *options, **how: stack.enter_context(Proxy(agent, *options, netns=net, listen=["127.0.0.1:8080"], **how))


def ask(net, target="/"):
    with Client(net.connect("127.0.0.1", 8080)) as guest:
        return guest.get(target)


def lines_of(output):
    """What was said; a sanitized build says first that it is one."""
    return [line for line in output.splitlines() if "event=confinement-delta" not in line]


# --- F1: what decides which executable runs as root ---


def test_f01_a_hostile_path_decides_nothing(serve, net, tmp_path):
    mark = tmp_path / "was-here"
    for name in ("metaward-worker", "haproxy", "ip", "sh", "which", "mount"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\ntouch %s\n" % mark)
        program.chmod(0o755)
    serve(under=["env", "PATH=%s" % tmp_path])
    assert ask(net).status == 200 and not mark.exists()


def refused_at(words, script, *arguments):
    """Start with another tree where the worker's executable should be."""
    status, output = start_failing(*words(), under=PRIVATE + [script + ' && shift %d && exec "$@"' % len(arguments), "sh",
                                                              *arguments])
    assert status == 14 and "cannot open the worker's executable: %s: EPERM" % WORKER in output, output


def test_f01_a_link_in_the_path_of_the_worker_is_refused(words):
    script = 'cp -a "$1" "$2/real" && mount -t tmpfs none "$1/.." && ln -s "$2/real" "$1"'
    with contextlib.ExitStack() as stack:
        folder = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
        stack.callback(subprocess.run, ["rm", "-rf", folder], check=True)
        refused_at(words, script, LIBEXEC, folder)


def test_f01_a_link_in_place_of_the_worker_is_refused(words):
    refused_at(words, 'mount -t tmpfs none "$1" && ln -s /bin/true "$1/metaward-worker"', LIBEXEC)


@pytest.mark.parametrize("mode", ["0775", "0757", "0777", "2777"])
def test_f01_a_worker_that_others_may_write_to_is_refused(words, mode):
    refused_at(words, 'mount -t tmpfs none "$1" && cp /bin/true "$2" && chmod ' + mode + ' "$2"', LIBEXEC, WORKER)


@pytest.mark.parametrize("owner", ["nobody", "12345:12345"])
def test_f01_a_worker_of_another_user_is_refused(words, owner):
    refused_at(words, 'mount -t tmpfs none "$1" && cp /bin/true "$2" && chown ' + owner + ' "$2"', LIBEXEC, WORKER)


@pytest.mark.parametrize("change", ["chmod 0777", "chmod 0775", "chown nobody"])
def test_f01_a_directory_of_others_on_the_way_to_the_worker_is_refused(words, change):
    refused_at(words, 'mount -t tmpfs -o mode=0755 none "$1" && cp /bin/true "$2" && ' + change + ' "$1"', LIBEXEC, WORKER)


def test_f01_a_folder_or_a_pipe_in_place_of_the_worker_is_refused(words):
    for make, error in (("mkdir", "EACCES"), ("mkfifo", "EPERM"), ("mknod -m 755 %s c 1 3 &&:", "EPERM")):
        make = make % ('"$1/metaward-worker"',) if "%s" in make else make
        status, output = start_failing(*words(), under=PRIVATE + [
            'mount -t tmpfs none "$1" && %s "$1/metaward-worker" && shift && exec "$@"' % make, "sh", LIBEXEC])
        assert status == 14 and error in output, output


# --- F2: what is written, and with which rights ---


def test_f02_nothing_but_the_pid_file_is_ever_made(net, agent, tmp_path):
    run = tmp_path / "run"
    run.mkdir(mode=0o755)
    traces = tmp_path / "trace"
    proxy = Proxy(agent, "--pid-file", str(run / "pid"), netns=net, listen=["127.0.0.1:8080"],
                  under=["strace", "-f", "-qq", "-e", "signal=none", "-o", str(traces), "-e",
                         "trace=open,openat,creat,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,symlinkat,rename,renameat,renameat2"])
    proxy.start()
    assert ask(net).status == 200
    os.kill(proxy.children()[0], signal.SIGTERM)
    proxy.process.wait(20)
    made = [line for line in traces.read_text().splitlines()
            if ("O_CREAT" in line or not re.search(r"\bopen(at)?\(", line)) and "resumed" not in line]
    made = [line for line in made if not re.search(r"/dev/shm|asan|syscall_0x", line)]
    assert len(made) == 2 and "O_EXCL|O_NOFOLLOW" in made[0] and "renameat" in made[1], made


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_f02_the_pid_files_mode_is_the_same_under_every_umask(serve, tmp_path, umask):
    run = tmp_path / "run"
    run.mkdir(mode=0o755)
    serve("--pid-file", str(run / "pid"), under=["sh", "-c", 'umask %o && exec "$0" "$@"' % umask])
    assert stat.S_IMODE((run / "pid").stat().st_mode) == 0o644


@pytest.mark.parametrize("mode, good", [(0o777, False), (0o775, False), (0o757, False), (0o1777, True), (0o700, True)])
def test_f02_a_pid_file_where_others_may_write_is_refused(words, tmp_path, mode, good):
    run = tmp_path / "run"
    run.mkdir()
    run.chmod(mode)
    status, output = start_failing(*words(pid_file=str(run / "pid"), listen="127.0.0.1:8081"), under=["timeout", "0.3"])
    if good:
        assert "event=serving" in output  # and ended by the time-out
    else:
        assert status == 20 and "others than its owner may write to its directory" in output
    assert os.listdir(run) == []


# --- F3: what may stand in the place of a file ---


def link(target):
    return lambda path: os.symlink(target, path)


def hard_link(path):
    target = path + ".target"
    with open(target, "w", encoding="ascii") as f:
        f.write("root:x:0:0\n")
    os.link(target, path)


def unix_socket(path):
    with contextlib.chdir(os.path.dirname(path)), socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.basename(path))


def huge(path):
    with open(path, "wb") as f:
        f.truncate(1 << 30)


def text(content):
    def make(path):
        with open(path, "w", encoding="ascii") as f:
            f.write(content)
    return make


PLACES = {"a link to a file": link("/etc/hostname"), "a dangling link": link("/tmp/metaward-no-such-file"),
          "a link to itself": link("pid"), "a pipe": os.mkfifo, "a folder": os.mkdir, "a socket": unix_socket,
          "a device": lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)), "1 GB": huge,
          "somebody's text": text("hello\n"), "two numbers": text("1 2\n"), "a hard link": hard_link}


@pytest.mark.parametrize("place", PLACES)
def test_f03_what_is_no_pid_file_is_neither_followed_nor_replaced(words, tmp_path, place):
    path = str(tmp_path / "pid")
    PLACES[place](path)
    before = os.lstat(path)
    status, output = start_failing(*words(pid_file=path))
    assert status == 20 and path in output, output
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode, after.st_size, after.st_mtime) == (
        before.st_ino, before.st_mode, before.st_size, before.st_mtime)
    assert not os.path.exists("/tmp/metaward-no-such-file")


def test_f03_an_agents_socket_that_is_a_link_is_not_followed(net, tmp_path):
    """The worker's root allows no links at all, whatever stands in the agent's folder."""
    folder = tmp_path / "agent"
    folder.mkdir()
    with Agent(directory=str(folder)) as agent:
        os.rename(agent.path, agent.path + ".real")
        os.symlink("metadata_proxy.real", agent.path)
        with Proxy(agent, netns=net, listen=["127.0.0.1:8080"]):
            assert ask(net).status == (200 if SANITIZED else 503)  # a sanitized worker keeps the host's root


# --- F4 and F5: what children inherit ---


def test_f04_nothing_of_the_environment_reaches_a_child(serve, net):
    proxy = serve(under=["env", "OS_PASSWORD=secret", "LD_LIBRARY_PATH=/tmp", "LD_DEBUG_OUTPUT=/tmp/metaward-debug",
                         "GLIBC_TUNABLES=glibc.malloc.check=3", "EVENT_NOEPOLL=1", "EVENT_SHOW_METHOD=1", "MALLOC_ARENA_MAX=1"])
    for pid in (proxy.nursery, proxy.worker):
        assert proc.read(pid, "environ") == ""
    assert "anon_inode:[eventpoll]" in proc.kinds(proxy.worker).values()
    assert ask(net).status == 200


@pytest.mark.plain
def test_f04_a_library_that_is_loaded_into_the_parent_does_not_reach_a_child(serve, tmp_path):
    source, library = tmp_path / "x.c", tmp_path / "x.so"
    source.write_text("int metaward_test_marker;\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    proxy = serve(under=["env", "LD_PRELOAD=%s" % library])
    assert str(library) in proc.read(proxy.pid, "maps")  # root may do this to its own program
    for pid in (proxy.nursery, proxy.worker):
        assert "x.so" not in proc.read(pid, "maps")


def test_f05_a_hundred_leaked_descriptors_reach_nobody(serve, net, tmp_path):
    clean = serve()
    wanted = {role: proc.kinds(pid) for role, pid in (("parent", clean.pid), ("worker", clean.worker))}
    clean.stop()
    leaks = 'i=10; while [ $i -lt 110 ]; do eval "exec $i</etc/passwd"; i=$((i + 1)); done; exec "$0" "$@"'
    proxy = serve(under=["bash", "-c", leaks])
    for role, pid in (("parent", proxy.pid), ("worker", proxy.worker)):
        found = proc.kinds(pid)
        assert sorted(found) == sorted(wanted[role])
        assert "/etc/passwd" not in found.values()
    assert "/etc/passwd" not in proc.kinds(proxy.nursery).values()
    assert ask(net).status == 200


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "0<&- 1>&-"])
def test_f05_a_start_without_standard_descriptors_does_not_take_others_for_them(serve, net, closed):
    proxy = serve(under=["sh", "-c", 'exec "$0" "$@" ' + closed])
    assert [proc.descriptors(proxy.pid)[fd] for fd in (0, 1)] == ["/dev/null"] * 2
    assert ask(net).status == 200


def test_f05_a_start_without_stderr_serves_all_the_same(words, net, tmp_path):
    (tmp_path / "run").mkdir(mode=0o755)
    pid_file = tmp_path / "run" / "pid"
    process = subprocess.Popen(["sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-', DAEMON, *words(pid_file=str(pid_file))])
    wait_for("the pid file", pid_file.exists)
    assert [proc.descriptors(process.pid)[fd] for fd in (0, 1, 2)] == ["/dev/null"] * 3
    assert ask(net).status == 200
    process.terminate()
    assert process.wait(20) == 0


# --- F6: user and group ---

IDS = {"root": 12, "0": 12, "no-such-account": 12, "": 2, "-1": 2, "4294967295": 12, "4294967296": 12, "99999999999999999999": 12,
       "+1": 2, "0x0": 12, "00": 12, "1 ": 2, " 1": 2, "nobody\n": 2, "../nobody": 2, "n" * 64: 2, "nobody:root": 2}


@pytest.mark.parametrize("value", IDS)
@pytest.mark.parametrize("option", ["user", "group"])
def test_f06_root_and_what_is_no_account_is_refused(words, option, value):
    status, output = start_failing(*words(**{option: value}))
    expected = IDS[value] + (1 if option == "group" and IDS[value] == 12 else 0)
    assert status == expected, output
    assert len(lines_of(output)) == 1


def test_f06_the_old_names_of_the_options_are_no_way_around(words):
    assert start_failing(*words(user=None, metadata_proxy_user="root"))[0] == 12
    assert start_failing(*words(metadata_proxy_group="0"))[0] == 13


def test_f06_groups_of_the_starter_are_nobodys(serve):
    proxy = serve(under=["setpriv", "--groups", "1,2,3,4"])
    for pid in (proxy.pid, proxy.nursery, proxy.worker):
        assert proc.status(pid)["Groups"] == []


# --- F7 and F8: what is given ---

HOSTILE = ["", " ", "a b", "a\rb", "a\nb", "x\r\nX-Neutron-Network-ID: " + OTHER, "a\tb", "\x7f", "\x1b[31m", "caf\u00e9",
           "../../etc/passwd", "a" * 10000, "\udc80\udcff"]


def options():
    """Every option that takes a value, from --help, with the old names."""
    text = subprocess.run([DAEMON, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(?m)^  --([a-z-]+) \S", text) + ["metadata_port", "metadata_proxy_user", "metadata_proxy_group"]


def test_f07_no_option_takes_a_hostile_value(words):
    names = [name for name in options() if name != "print-policy"]
    assert len(names) > 25
    for name, value in itertools.product(names, HOSTILE):
        if (name, value) != ("log-tag", "../../etc/passwd"):  # names no file, and may be any plain word
            line = words()
            with contextlib.suppress(ValueError):
                at = line.index("--" + name)
                del line[at:at + 2]
            status, output = start_failing(*line, "--" + name, value)
            assert status == 2, "--%s %r: %s" % (name, value[:40], output)
            assert re.fullmatch(r"[\x20-\x7e]{1,600}\n", output), "--%s %r: %r" % (name, value[:40], output)


def test_f07_what_a_good_command_line_says_is_all_that_agents_hear(serve, net, agent):
    """The identity is the option's value, and nothing of a guest's makes a second one."""
    serve(network=NETWORK.upper())
    with Client(net.connect("127.0.0.1", 8080)) as guest:
        assert guest.get(headers="X-Neutron-Network-ID: %s\r\n" % OTHER).status == 200
    assert agent.requests[-1].header("X-Neutron-Network-ID") == NETWORK.upper()


@pytest.mark.parametrize("identities", [[], ["--network-id", NETWORK, "--router-id", OTHER],
                                        ["--network-id", NETWORK, "--network-id", NETWORK],
                                        ["--router-id", OTHER, "--router-id", NETWORK],
                                        ["--network-id", NETWORK, "--network_id", OTHER]])
def test_f08_exactly_one_identity_is_needed(words, identities):
    status, output = start_failing(*words(network_id=None), *identities)
    assert status == 2 and "exactly one of network-id and router-id" in output or "given twice" in output


# --- F9: failures of what is started ---


@pytest.mark.parametrize("step", range(10, 41, 3))
def test_f09_a_worker_that_dies_while_it_starts_ends_the_start_with_a_reason(words, step):
    role = Hostile("fail-before-ready", step)
    status, output = start_failing(*words(network_id=role.network), under=role.under)
    (line,) = lines_of(output)
    assert status == step and re.fullmatch(r"metawardd: cannot .*: worker: EIO: .* \(exit status %d\)" % step, line)


def test_f09_a_program_that_is_not_ours_ends_the_start(words):
    status, output = start_failing(*words(), under=instead_of(WORKER, "/bin/true"))
    assert status in (39, 29) and "cannot" in output


# --- F10: removing what we made ---


@pytest.fixture
def with_pid_file(serve, tmp_path):
    run = tmp_path / "run"
    run.mkdir(mode=0o755)
    proxy = serve("--pid-file", str(run / "pid"))
    return proxy, run


def test_f10_a_pid_file_that_can_not_be_removed_is_emptied_and_told(with_pid_file):
    proxy, run = with_pid_file
    os.chown(run, 1, 1)
    assert proxy.stop() == 40
    assert any("cannot clean up: %s: EACCES: remove the file by hand" % (run / "pid") in line for line in proxy.lines)
    assert (run / "pid").read_bytes() == b""


def test_f10_an_immutable_folder_is_told_as_well(with_pid_file):
    proxy, run = with_pid_file
    if subprocess.run(["chattr", "+i", str(run)], capture_output=True, check=False).returncode != 0:
        pytest.skip("this file system has no immutable folders")
    try:
        assert proxy.stop() == 40
        assert any("cannot clean up" in line and "EPERM" in line for line in proxy.lines)
    finally:
        subprocess.run(["chattr", "-i", str(run)], check=True)


def test_f10_a_file_that_was_put_in_its_place_stays(with_pid_file):
    proxy, run = with_pid_file
    (run / "pid").unlink()
    (run / "pid").write_text("1\n")
    assert proxy.stop() == 0
    assert (run / "pid").read_text() == "1\n"


def test_f10_what_is_gone_already_is_no_failure(with_pid_file):
    proxy, run = with_pid_file
    (run / "pid").unlink()
    run.rmdir()
    assert proxy.stop() == 0


def test_f10_a_folder_that_was_moved_is_still_the_same(with_pid_file):
    proxy, run = with_pid_file
    moved = run.parent / "moved"
    run.rename(moved)
    run.mkdir()
    (run / "pid").write_text("1\n")
    assert proxy.stop() == 0
    assert os.listdir(moved) == [] and os.listdir(run) == ["pid"]


# --- F11 and F12: the command line, the log ---


@pytest.mark.parametrize("extra, said", [
    (["--no-such-option"], "no such option"), (["--listen"], "needs a value"), (["--daemonize=yes"], "takes no value"),
    (["stray"], "not an option"), (["--user", "nobody"], "given twice"), (["--netn", "x"], "no such option"),
    (["-f", "x"], "no such option"), (["--", "x"], "not an option"), (["--log", "file"], "not one of the words"),
    (["--max-connections", "0"], "not a whole number in its range"), (["--timeout-client", "5x"], "not a time")])
def test_f11_a_command_line_that_is_not_whole_starts_nothing(words, extra, said):
    line = words(log=None) if extra[0] == "--log" else words()
    status, output = start_failing(*line, *extra)
    assert status == 2 and said in output and "see metawardd --help" in output and len(output.splitlines()) == 1


def test_f12_a_guest_can_not_forge_a_line(serve, net):
    proxy = serve()
    target = "/%0aevent=serving\x0bx"
    with Client(net.connect("127.0.0.1", 8080)) as guest:
        guest.send(b"GET " + target.encode() + b"\nevent=worker-died HTTP/1.1\r\nHost: \x1b[0m\r\n\r\n")
        guest.answer()
    wait_for("the line", lambda: any("status=4" in line for line in proxy.lines))
    assert [line for line in proxy.lines if re.search(r"[^\x20-\x7e]", line)] == []
    assert proxy.event("worker-died") is None and len(proxy.events("serving")) == 1


# --- F13: nothing is left in memory dumps ---


def test_f13_no_process_leaves_a_core(serve, tmp_path):
    unlimited = 'ulimit -c unlimited && cd "$0" && exec "$@"'
    proxy = serve(under=["sh", "-c", unlimited, str(tmp_path)])
    os.kill(proxy.worker, signal.SIGSEGV)
    wait_for("the next worker", lambda: proxy.event("serving", 2))
    worker = proxy.worker
    os.kill(proxy.pid, signal.SIGABRT)
    _, status = os.waitpid(proxy.pid, 0)
    proxy.process.returncode = -signal.SIGABRT
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)
    assert os.listdir(tmp_path) == []
    wait_for("the worker to follow its parent", lambda: not os.path.exists("/proc/%d" % worker))


# --- F15: pid files and two starts ---


def test_f15_a_second_start_on_the_same_address_fails_and_says_so(serve, words, net):
    serve()
    status, output = start_failing(*words())
    assert status == 18 and "cannot listen: 127.0.0.1:8080: EADDRINUSE: correct --listen, or stop" in output
    assert ask(net).status == 200


def test_f15_a_number_of_a_living_process_does_not_keep_a_start_away(serve, tmp_path):
    """What counts is the lock: the number may be anybody's by now, and that process is left alone."""
    run = tmp_path / "run"
    run.mkdir(mode=0o755)
    (run / "pid").write_text("%d\n" % os.getpid())
    proxy = serve("--pid-file", str(run / "pid"))
    assert (run / "pid").read_text() == "%d\n" % proxy.pid


def test_f15_a_pid_file_that_a_living_process_holds_keeps_a_start_away(words, tmp_path):
    run = tmp_path / "run"
    run.mkdir(mode=0o755)
    with open(run / "pid", "w", encoding="ascii") as f:
        f.write("4711\n")
        f.flush()
        fcntl.flock(f, fcntl.LOCK_EX)
        status, output = start_failing(*words(pid_file=str(run / "pid")))
        assert status == 20 and "another instance, pid 4711, holds it" in output
    assert (run / "pid").read_text() == "4711\n"


# --- F17: power is gone before a guest is heard ---


def test_f17_power_is_gone_before_the_worker_runs_and_is_looked_for_before_it_gets_a_listener(net, agent, tmp_path):
    """The order of what the processes do, as strace sees it."""
    traces = tmp_path / "trace"
    proxy = Proxy(agent, netns=net, listen=["127.0.0.1:8080"], under=[
        "strace", "-f", "-qq", "-y", "-e", "signal=none", "-o", str(traces), "-e",
        "trace=setgroups,setresgid,setresuid,capset,prctl,execveat,seccomp,sendmsg,openat,readlinkat,getdents64,accept4,landlock_restrict_self"])
    proxy.start()
    assert ask(net).status == 200
    os.kill(proxy.children()[0], signal.SIGTERM)
    proxy.process.wait(20)
    lines = traces.read_text().splitlines()

    def first(pattern, after=-1):
        return next(i for i, line in enumerate(lines) if i > after and re.search(pattern, line))

    order = [first(r"PR_CAPBSET_DROP"), first(r"setgroups\(0"), first(r"setresgid\(65534"), first(r"setresuid\(65534"),
             first(r"execveat\(")]
    assert order == sorted(order) and first(r"PR_SET_NO_NEW_PRIVS") < order[-1]
    spawn = first(r"sendmsg\(.*SCM_RIGHTS")
    looked = first(r'openat\(.*"/proc/\d+/status"', spawn)
    inside = [i for i, line in enumerate(lines) if re.search(r"seccomp\(SECCOMP_SET_MODE_FILTER", line)]
    handed = first(r"sendmsg\(.*SCM_RIGHTS", spawn)
    accepted = first(r"accept4\(")
    assert inside[0] < spawn < inside[1] < looked < handed < accepted
    assert len(inside) == 3 and inside[2] > handed  # the parent's own, when it needs nothing more
