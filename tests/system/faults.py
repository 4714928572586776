"""Run a command, and let one system call of it, or of a process that it starts, seem to have failed.

    faults.py CALL OCCURRENCE ERRNO COMMAND...

The occurrence is counted over all processes, in the order in which the calls return. The call itself is made; only its
result is exchanged. (strace can exchange the call itself, but not under a system call filter, which would kill it.)
Exits as the command does.
"""
import ctypes
import errno
import os
import signal
import sys

from inject import NUMBERS, WALL, Registers, _libc, _ptrace

PTRACE_TRACEME, PTRACE_SYSCALL, PTRACE_SETOPTIONS, PTRACE_GETREGS, PTRACE_SETREGS = 0, 24, 0x4200, 12, 13
SYSGOOD, FORK, VFORK, CLONE, EXEC, EXITKILL = 1, 2, 4, 8, 16, 1 << 20
SYSCALL_STOP = signal.SIGTRAP | 0x80


class Fault:
    def __init__(self, call, occurrence, error):
        self.number, self.left, self.error = NUMBERS.get(call) or int(call), occurrence, error
        self.inside = set()  # processes between a call's start and its end

    def at_stop(self, pid):
        """A call starts or ends in this process."""
        if pid not in self.inside:
            self.inside.add(pid)
            return
        self.inside.discard(pid)
        registers = Registers()
        _ptrace(PTRACE_GETREGS, pid, 0, ctypes.addressof(registers))
        if registers.orig_rax != self.number:
            return
        self.left -= 1
        if self.left == 0:
            registers.rax = -self.error & 0xFFFFFFFFFFFFFFFF
            _ptrace(PTRACE_SETREGS, pid, 0, ctypes.addressof(registers))


def start(command):
    pid = os.fork()
    if pid == 0:
        _libc.ptrace(PTRACE_TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.execv(command[0], command)
    os.waitpid(pid, WALL)
    _ptrace(PTRACE_SETOPTIONS, pid, 0, SYSGOOD | FORK | VFORK | CLONE | EXEC | EXITKILL)
    _ptrace(PTRACE_SYSCALL, pid)
    return pid


def follow(first, fault):
    """Until the first process ends. Returns its status."""
    known = {first}
    while True:
        pid, status = os.waitpid(-1, WALL)
        if not os.WIFSTOPPED(status):
            if pid == first:
                return status
            continue
        number, deliver = os.WSTOPSIG(status), 0
        if number == SYSCALL_STOP:
            fault.at_stop(pid)
        elif pid not in known:
            known.add(pid)  # a new process stops once
        elif number != signal.SIGTRAP:
            deliver = number
        try:
            _ptrace(PTRACE_SYSCALL, pid, 0, deliver)
        except ProcessLookupError:
            pass


def main():
    call, occurrence, error = sys.argv[1], int(sys.argv[2]), getattr(errno, sys.argv[3])
    status = follow(start(sys.argv[4:]), Fault(call, occurrence, error))
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    main()
