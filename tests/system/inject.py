"""System calls made by somebody else's process: what code that a guest had put into the worker could do.

A live process is stopped with ptrace, as root, and made to execute one system call instruction with registers of our
choice. It is then under all that confines it, and under nothing else: the strongest question that can be asked of a
sandbox from outside. x86-64 only.
"""
import contextlib
import ctypes
import os
import signal
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

PTRACE_POKETEXT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_SINGLESTEP, PTRACE_DETACH = 4, 12, 13, 9, 17
PTRACE_ATTACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 16, 0x4206, 0x4207
WALL = 0x40000000
SYSCALL, INT80 = b"\x0f\x05", b"\xcd\x80"

# The numbers that the tests use by name; x86-64.
NUMBERS = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "poll": 7, "mmap": 9, "mprotect": 10, "munmap": 11,
    "brk": 12, "rt_sigaction": 13, "ioctl": 16, "writev": 20, "madvise": 28, "mremap": 25, "dup2": 33, "getpid": 39,
    "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47,
    "shutdown": 48, "bind": 49, "listen": 50, "socketpair": 53, "setsockopt": 54, "getsockopt": 55, "clone": 56,
    "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "fcntl": 72, "ptrace": 101, "setuid": 105, "prctl": 157,
    "chroot": 161, "mount": 165, "init_module": 175, "futex": 202, "epoll_wait": 232, "epoll_ctl": 233, "tgkill": 234,
    "keyctl": 250, "openat": 257, "unshare": 272, "accept4": 288, "epoll_create1": 291, "perf_event_open": 298,
    "sendmmsg": 307, "setns": 308, "process_vm_readv": 310, "seccomp": 317, "memfd_create": 319, "bpf": 321,
    "execveat": 322, "userfaultfd": 323, "io_uring_setup": 425, "pidfd_open": 434, "clone3": 435, "close_range": 436,
    "openat2": 437, "pidfd_getfd": 438, "landlock_create_ruleset": 444, "memfd_secret": 447, "exit_group": 231,
    "clock_gettime": 228, "getppid": 110, "capset": 126, "prlimit64": 302, "landlock_restrict_self": 446, "mseal": 462,
}


class Died(Exception):
    """The process was killed by this signal while it made the call."""

    def __init__(self, number):
        super().__init__("killed by %s" % signal.Signals(number).name)
        self.signal = number


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
        "ds es fs gs").split()]


def _ptrace(request, pid, address=0, data=0):
    if _libc.ptrace(request, pid, address, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace %d" % request)


class Injected:
    """A process under our control while the `with` block lasts; it goes on as before afterwards, if it lives.

    It must be waiting in a system call: then the instruction before its program counter is the one to use.
    """

    def __init__(self, pid):
        self.pid, self.alive = pid, True

    def __enter__(self):
        _ptrace(PTRACE_SEIZE, self.pid)
        _ptrace(PTRACE_INTERRUPT, self.pid)
        self._wait()
        self.saved = Registers()
        _ptrace(PTRACE_GETREGS, self.pid, 0, ctypes.addressof(self.saved))
        self.memory = open("/proc/%d/mem" % self.pid, "r+b", buffering=0)
        self.instruction = self.saved.rip - 2
        assert self.read(self.instruction, 2) == SYSCALL, "the process was not in a system call"
        self.scratch = (self.saved.rsp - 16384) & ~4095
        return self

    def __exit__(self, *_):
        if self.alive:
            try:
                _ptrace(PTRACE_SETREGS, self.pid, 0, ctypes.addressof(self.saved))
                _ptrace(PTRACE_DETACH, self.pid)
            except ProcessLookupError:  # SIGKILL takes it out of our hands; its parent hears of it after us
                with contextlib.suppress(Died, SystemExit):
                    self._wait()
        self.memory.close()

    def _wait(self):
        _, status = os.waitpid(self.pid, WALL)
        if os.WIFSIGNALED(status):
            self.alive = False
            raise Died(os.WTERMSIG(status))
        if os.WIFEXITED(status):
            self.alive = False
            raise Died(0) if os.WEXITSTATUS(status) else SystemExit(0)
        return os.WSTOPSIG(status)

    def read(self, address, length):
        self.memory.seek(address)
        return self.memory.read(length)

    def write(self, address, data):
        self.memory.seek(address)
        self.memory.write(data)

    def place(self, data, at=0):
        """Put bytes on the process's stack, below what it uses. Returns their address."""
        self.write(self.scratch + at, data)
        return self.scratch + at

    def text(self, text, at=0):
        return self.place(text.encode() + b"\0", at)

    def call(self, number, *arguments, entry=SYSCALL):
        """One system call. Returns its result, negative errno for an error; raises Died."""
        values = [a & 0xFFFFFFFFFFFFFFFF for a in arguments] + [0] * (6 - len(arguments))
        registers = Registers.from_buffer_copy(self.saved)
        registers.rax = (NUMBERS[number] if isinstance(number, str) else number) & 0xFFFFFFFFFFFFFFFF
        registers.orig_rax = 0xFFFFFFFFFFFFFFFF  # no restart of the call that was interrupted
        registers.rip = self.instruction
        registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9 = values
        if entry != SYSCALL:
            self.write(self.instruction, entry)
        try:
            _ptrace(PTRACE_SETREGS, self.pid, 0, ctypes.addressof(registers))
            _ptrace(PTRACE_SINGLESTEP, self.pid)
            self._wait()
        finally:
            if entry != SYSCALL and self.alive:
                self.write(self.instruction, SYSCALL)
        try:
            _ptrace(PTRACE_GETREGS, self.pid, 0, ctypes.addressof(registers))
        except ProcessLookupError:  # killed by somebody else in that moment
            self._wait()
            raise
        return struct.unpack("q", struct.pack("Q", registers.rax))[0]
