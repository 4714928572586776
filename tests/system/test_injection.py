"""A worker that a guest has taken over: system calls made in the live, serving process, as its code would make them.

Each call that the policy does not have ends the worker with SIGSYS, and the parent starts another one; the few that
fail or succeed instead change nothing that outlives the worker. One proxy a try: pauses between restarts grow.
"""
import contextlib
import errno
import itertools
import os
import signal
import socket
import struct

import pytest

import proc
from harness import Client, Proxy, wait_for
from inject import INT80, Died, Injected
from shared import agent, net  # noqa: F401

pytestmark = pytest.mark.plain  # the sanitizers' calls are allowed in a sanitized worker

_ports = itertools.count(10000)
NONBLOCK_CLOEXEC = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
STREAM = socket.SOCK_STREAM | NONBLOCK_CLOEXEC
SEND = socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT
LENGTH = 2 + len("/metadata_proxy") + 1
SHUT_RD, SHUT_WR, SHUT_RDWR = 0, 1, 2


@pytest.fixture
def proxy(net, agent):
    port = next(_ports)
    with Proxy(agent, netns=net, listen=["127.0.0.1:%d" % port]) as started:
        started.port = port
        yield started


def ask(net, proxy):
    with Client(net.connect("127.0.0.1", proxy.port)) as guest:
        assert guest.get().status == 200


def dies(proxy, number, *arguments, **how):
    """Make the call and see it end the worker, the parent tell so, and the next worker serve."""
    worker = proxy.worker
    with pytest.raises(Died) as died, Injected(worker) as inside:
        inside.call(number, *[a(inside) if callable(a) else a for a in arguments], **how)
    assert died.value.signal == signal.SIGSYS
    event = wait_for("the event", lambda: proxy.event("worker-died"))
    assert event["signal"] == "SIGSYS" and event["pid"] == str(worker) and "1326" in event["see"]
    wait_for("the next worker", lambda: proxy.event("serving", 2))


def path(text):
    return lambda inside: inside.text(text)


def data(content):
    return lambda inside: inside.place(content)


def pinned(inside):
    return proc.pinned_page(inside.pid)[0]


def same_address(inside):
    """The same bytes that the filter pins, at another place."""
    return inside.place(proc.pinned_page(inside.pid)[1][:LENGTH])


UNIX_ADDRESS = struct.pack("H108s", socket.AF_UNIX, b"/metadata_proxy")
INET_ADDRESS = struct.pack("!BBH4s8x", socket.AF_INET, 0, 80, bytes([127, 0, 0, 1]))

NAMES = [("open", path("/metadata_proxy"), 0), ("open", path("/etc/passwd"), 0), ("openat", -100, path("/"), 0o200000),
         ("openat2", -100, path("/"), data(bytes(24)), 24), ("stat", path("/"), data(bytes(256))), ("chroot", path("/")),
         ("memfd_create", path("m"), 0), ("execve", path("/metadata_proxy"), 0, 0),
         ("execveat", 2, path(""), 0, 0, 0x1000), ("mount", 0, path("/"), 0, 0x20, 0)]

SOCKETS = [("socket", socket.AF_INET, STREAM, 0), ("socket", socket.AF_INET6, STREAM, 0),
           ("socket", socket.AF_UNIX, socket.SOCK_DGRAM | NONBLOCK_CLOEXEC, 0),
           ("socket", socket.AF_UNIX, socket.SOCK_STREAM, 0), ("socket", socket.AF_UNIX, STREAM, 1),
           ("socket", socket.AF_NETLINK, socket.SOCK_RAW | NONBLOCK_CLOEXEC, 0),
           ("socket", socket.AF_PACKET, socket.SOCK_RAW | NONBLOCK_CLOEXEC, 0), ("socket", socket.AF_VSOCK, STREAM, 0),
           ("socketpair", socket.AF_UNIX, STREAM, 0, data(bytes(8))),
           ("connect", 3, same_address, LENGTH), ("connect", 3, data(INET_ADDRESS), 16),
           ("connect", 3, pinned, LENGTH - 1), ("connect", 3, pinned, 110),
           ("connect", 3, lambda inside: pinned(inside) + 1, LENGTH),
           ("connect", 3, lambda inside: pinned(inside) | 1 << 63, LENGTH),
           ("bind", 3, data(UNIX_ADDRESS), 110), ("listen", 3, 1),
           ("accept", 3, 0, 0), ("accept4", 3, 0, 0, 0), ("accept4", 3, 0, 0, socket.SOCK_CLOEXEC),
           ("setsockopt", 3, 1, 15, data(b"\1\0\0\0"), 4), ("getsockopt", 3, 1, 3, data(bytes(4)), data(b"\4\0\0\0")),
           ("sendto", 1, data(b"x"), 1, SEND, data(UNIX_ADDRESS), 110), ("sendto", 1, data(b"x"), 1, 0, 0, 0),
           ("sendto", 1, data(b"x"), 1, SEND, 0, 110), ("sendmsg", 0, data(bytes(56)), SEND),
           ("sendmmsg", 0, data(bytes(64)), 1, SEND),
           ("recvfrom", 3, data(bytes(8)), 8, 0, data(bytes(16)), data(b"\x10\0\0\0")),
           ("recvfrom", 0, data(bytes(8)), 8, socket.MSG_PEEK, 0, 0), ("recvmsg", 1, data(bytes(56)), 0x40000040),
           ("recvmsg", 0, data(bytes(56)), 0), ("recvmsg", 0, data(bytes(56)), socket.MSG_DONTWAIT),
           ("shutdown", 3, SHUT_RD), ("shutdown", 3, SHUT_RDWR), ("shutdown", 1, SHUT_RDWR)]

DESCRIPTORS = [("read", 0, data(bytes(8)), 8), ("write", 1, data(b"x"), 1), ("writev", 1, 0, 0), ("dup2", 3, 9),
               ("fcntl", 3, 0, 9), ("ioctl", 3, 0x8910, data(bytes(64))), ("poll", 0, 0, 0), ("epoll_create1", 0),
               ("epoll_ctl", 3, 1, 3, data(bytes(12))), ("epoll_wait", 3, data(bytes(12)), 1, 0),
               ("close_range", 0, 9, 0), ("pidfd_getfd", 3, 0, 0)]

PROCESSES = [("fork",), ("vfork",), ("clone", signal.SIGCHLD, 0, 0, 0, 0), ("clone", 0x10000 | 0x800 | 0x100, 0, 0, 0, 0),
             ("clone3", data(bytes(88)), 88), ("kill", 1, 0), ("kill", -1, signal.SIGKILL), ("tgkill", 1, 1, signal.SIGKILL),
             ("pidfd_open", 1, 0), ("ptrace", 16, 1, 0, 0), ("process_vm_readv", 1, 0, 0, 0, 0, 0), ("getppid",), ("getpid",),
             ("rt_sigaction", signal.SIGSYS, 0, 0, 8), ("futex", data(bytes(4)), 0, 1, data(bytes(16)), 0, 0)]

POWER = [("setuid", 0), ("prctl", 4, 1, 0, 0, 0), ("prctl", 38, 0, 0, 0, 0), ("seccomp", 1, 0, data(bytes(16))),
         ("setns", 3, 0), ("unshare", 0x10000000), ("bpf", 0, data(bytes(64)), 64), ("perf_event_open", data(bytes(112)), 0, -1, -1, 0),
         ("io_uring_setup", 1, data(bytes(120))), ("userfaultfd", 0), ("keyctl", 0, -3, 0), ("init_module", 0, 0, path("")),
         ("landlock_create_ruleset", 0, 0, 1)]

# By number: pkey_mprotect, remap_file_pages, process_madvise, mlock, shmat, memfd_secret, arch_prctl, modify_ldt,
# set_robust_list, set_tid_address, personality, iopl, map_shadow_stack, mseal, and what no kernel has yet.
MEMORY_AND_BEYOND = [("mmap", 0, 4096, 7, 0x22, -1, 0), ("mmap", 0, 4096, 4, 0x22, -1, 0), ("munmap", pinned, 4096),
                     ("mprotect", pinned, 4096, 3), ("mprotect", pinned, 4096, 5),
                     ("mremap", pinned, 4096, 8192, 1), ("mremap", pinned, 4096, 4096, 3, 4096), (329, pinned, 4096, 3, -1), (216, pinned, 4096, 0, 0, 0), (440, -1, 0, 0, 0, 0), (149, pinned, 4096),
                     (30, 0, 0, 0), (447, 0), (158, 0x1002, 0), (154, 0, 0, 0), (273, 0, 24), (218, 0), (135, 0), (172, 3),
                     (453, 0, 4096, 0), (462, pinned, 4096, 0), (999,), (-1,)]


def name(attempt):
    return str(attempt[0])


@pytest.mark.parametrize("attempt", NAMES, ids=name)
def test_calls_that_name_a_file_end_the_worker(proxy, attempt):
    dies(proxy, *attempt)


@pytest.mark.parametrize("attempt", SOCKETS, ids=name)
def test_other_sockets_addresses_and_flags_end_the_worker(proxy, attempt):
    dies(proxy, *attempt)


@pytest.mark.parametrize("attempt", DESCRIPTORS, ids=name)
def test_other_uses_of_descriptors_end_the_worker(proxy, attempt):
    dies(proxy, *attempt)


@pytest.mark.parametrize("attempt", PROCESSES, ids=name)
def test_calls_about_processes_end_the_worker(proxy, attempt):
    dies(proxy, *attempt)


@pytest.mark.parametrize("attempt", POWER, ids=name)
def test_calls_that_change_power_end_the_worker(proxy, attempt):
    dies(proxy, *attempt)


@pytest.mark.parametrize("attempt", MEMORY_AND_BEYOND, ids=name)
def test_other_ways_to_memory_and_unknown_numbers_end_the_worker(proxy, attempt):
    dies(proxy, *attempt)


def test_the_x32_way_in_ends_the_worker(proxy):
    dies(proxy, 3 | 0x40000000, 9)


def test_the_32_bit_way_in_ends_the_worker(proxy):
    dies(proxy, 6, entry=INT80)  # close there, lstat here


def test_memory_can_be_neither_had_nor_changed(proxy, net):
    """Refused, not killed: a library that asks hears that there is none. The worker serves on."""
    worker = proxy.worker
    with Injected(worker) as inside:
        page = pinned(inside)
        for call in (("mmap", 0, 4096, 3, 0x22, -1, 0), ("mmap", page, 4096, 3, 0x32, -1, 0), ("mprotect", page, 4096, 1),
                     ("madvise", page, 4096, 4), ("brk", 0)):
            assert inside.call(*call) == -errno.ENOMEM, call[0]
    assert proxy.worker == worker
    ask(net, proxy)


def test_the_kernel_ignores_the_bits_that_the_filter_ignores(proxy):
    high = 1 << 32
    with Injected(proxy.worker) as inside:
        fd = inside.call("socket", socket.AF_UNIX | high, STREAM | high, high)
        assert fd == 4
        assert inside.call("connect", fd | high, pinned(inside), LENGTH | high) == 0
        with proc.borrow(inside.pid, fd) as sock:
            assert sock.getpeername().endswith("/metadata_proxy")


def test_the_address_can_be_used_with_no_other_socket_that_is_there(proxy, net):
    with Injected(proxy.worker) as inside:
        for fd, error in ((0, errno.EISCONN), (1, errno.EPROTOTYPE), (2, errno.ENOTSOCK), (3, errno.EISCONN)):
            result = inside.call("connect", fd, pinned(inside), LENGTH)
            assert result < 0, (fd, error)
    ask(net, proxy)


def test_a_listener_can_be_closed_to_nobody_but_the_worker_itself(proxy, net):
    with Injected(proxy.worker) as inside:
        assert inside.call("shutdown", 3, SHUT_WR) == 0  # nothing, for a listener
    ask(net, proxy)
    with Injected(proxy.worker) as inside:
        assert inside.call("close", 3) == 0
    os.kill(proxy.worker, signal.SIGKILL)
    wait_for("the next worker", lambda: proxy.event("serving", 2))
    ask(net, proxy)


def test_a_log_that_was_shut_down_is_whole_again_with_the_next_worker(proxy, net):
    with Injected(proxy.worker) as inside:
        assert inside.call("shutdown", 1, SHUT_WR) == 0
        assert inside.call("sendto", 1, inside.text("nothing"), 7, SEND, 0, 0) == -errno.EPIPE
    os.kill(proxy.worker, signal.SIGKILL)
    wait_for("the next worker", lambda: proxy.event("serving", 2))
    ask(net, proxy)
    wait_for("its line", lambda: any(" request " in line or "GET" in line for line in proxy.lines))


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_a_worker_that_closes_a_descriptor_of_its_own_leaves_a_parent_that_goes_on(proxy, net, fd):
    worker = proxy.worker
    with contextlib.suppress(Died), Injected(worker) as inside:  # without a channel it is killed at once
        inside.call("close", fd)
    if fd == 0:
        wait_for("the next worker", lambda: proxy.event("serving", 2))
    elif proxy.worker == worker:
        os.kill(worker, signal.SIGKILL)
        wait_for("the next worker", lambda: proxy.event("serving", 2))
    ask(net, proxy)


def test_bytes_on_the_channel_that_are_no_message_end_the_worker(proxy, net):
    worker = proxy.worker
    with contextlib.suppress(Died), Injected(worker) as inside:  # the parent may be faster than we
        inside.call("sendto", 0, inside.place(bytes(24)), 24, SEND, 0, 0)
    event = wait_for("the event", lambda: proxy.event("worker-killed"))
    assert event["pid"] == str(worker) and event["why"] == "a message that is not valid"
    wait_for("the next worker", lambda: proxy.event("serving", 2))
    ask(net, proxy)


def test_an_ending_worker_is_replaced(proxy, net):
    with pytest.raises(SystemExit), Injected(proxy.worker) as inside:
        inside.call("exit_group", 0)
    wait_for("the next worker", lambda: proxy.event("serving", 2))
    ask(net, proxy)
