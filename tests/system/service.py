"""The units of the host daemon, and their restrictions without a service manager.

    python3 service.py UNIT errno|kill WRITABLE COMMAND...

runs a command as the unit asks: capabilities, limits, namespaces, mounts, system calls; those that the unit leaves out
are not there (errno), as it asks, or kill. All file systems are read-only but the folder WRITABLE, which stands for the
unit's RuntimeDirectory=; "-": none. What of the unit is not applied here: what hides
/tmp and /dev, where the tests have their agents, control groups, and filters of system calls' arguments.

Launchers is a service manager for the launcher's units: it starts one for each connection.
"""
import contextlib
import ctypes
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE = {"mnt": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "net": 0x40000000}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_SLAVE = 1, 2, 4, 8, 0x1000, 0x4000, 0x80000
PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 23, 24, 38, 22
SYS_MOUNT_SETATTR, AT_RECURSIVE, AT_FDCWD = 442, 0x8000, -100
RET_ALLOW, RET_ERRNO, RET_KILL = 0x7FFF0000, 0x50000, 0x80000000
ENOSYS = 38
SYS_MSEAL = 462  # which the library does not know yet
CAPABILITIES = ("chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
                "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct "
                "sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control "
                "setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf "
                "checkpoint_restore").split()


def read(path):
    """The unit's settings: {key: all its words}."""
    settings = {}
    with open(path, encoding="utf-8") as f:
        for key, value in re.findall(r"^(\w+)=(.*)$", f.read(), re.MULTILINE):
            settings.setdefault(key, []).extend(value.split())
    return settings


def expand(words):
    """The names of system calls behind the words of SystemCallFilter=; what is always allowed is among them."""
    calls = set()
    for word in ["@default", *words]:
        if not word.startswith("@"):
            calls.add(word)
            continue
        lines = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", word], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        inside = [line.strip() for line in lines[1:] if line.strip() and not line.strip().startswith("#")]
        calls |= expand(inside) if any(name.startswith("@") for name in inside) else set(inside)
    return calls


def checked(result):
    """Of a C function."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def mount(source, target, kind, flags, data=None):
    checked(LIBC.mount(*(value.encode() if value else None for value in (source, target, kind)), ctypes.c_ulong(flags),
                       data.encode() if data else None))


def read_only(path, yes, below):
    attributes = struct.pack("QQQQ", MS_RDONLY if yes else 0, 0 if yes else MS_RDONLY, 0, 0)
    checked(LIBC.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), AT_RECURSIVE if below else 0, attributes,
                         len(attributes)))


def mounts(unit, writable):
    """ProtectSystem=strict, ProtectProc= and ProcSubset=, behind mounts that come in and do not go out."""
    assert unit["MountFlags"] == ["slave"] and unit["ProtectSystem"] == ["strict"]
    mount(None, "/", None, MS_REC | MS_SLAVE)
    folders = [] if writable == "-" else [writable]
    for path in folders:
        mount(path, path, None, MS_BIND)
    read_only("/", True, True)
    for path in [*folders, "/dev"]:
        read_only(path, False, False)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
          "hidepid=%s,subset=%s" % (unit["ProtectProc"][0], unit["ProcSubset"][0]))


def limits(unit):
    for key, words in unit.items():
        if key.startswith("Limit"):
            value = int(words[0])
            hard = resource.getrlimit(kind := getattr(resource, "RLIMIT_" + key[5:]))[1]
            if hard not in (-1, resource.RLIM_INFINITY):  # without CAP_SYS_RESOURCE a test can't raise it
                value = min(value, hard)
            resource.setrlimit(kind, (value, value))


def capabilities(unit):
    kept = {word.removeprefix("CAP_").lower() for word in unit["CapabilityBoundingSet"]}
    assert kept <= set(CAPABILITIES)
    for number, name in enumerate(CAPABILITIES):
        if name not in kept and LIBC.prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            checked(LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0))


def system_calls(unit, calls, outside):
    """The filter: these calls, and nothing else is there."""
    assert unit["SystemCallErrorNumber"] == ["ENOSYS"]
    library = ctypes.CDLL("libseccomp.so.2")
    numbers = {library.seccomp_syscall_resolve_name(name.encode()) for name in calls} | {SYS_MSEAL}
    program = [(0x20, 0, 0, 0)]  # the number
    for number in sorted(number for number in numbers if number >= 0):
        program += [(0x15, 0, 1, number), (0x06, 0, 0, RET_ALLOW)]
    program.append((0x06, 0, 0, RET_KILL if outside == "kill" else RET_ERRNO | ENOSYS))
    load(program)


def load(program):
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    checked(LIBC.prctl(PR_SET_SECCOMP, 2, struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)), 0, 0))


def enter(path, outside, writable):
    unit = read(path)
    calls = expand(unit["SystemCallFilter"])
    assert all(unit[key] == ["yes"] for key in ("PrivateNetwork", "PrivateIPC", "PrivateMounts", "ProtectHostname",
                                                 "NoNewPrivileges"))
    checked(LIBC.unshare(CLONE["mnt"] | CLONE["uts"] | CLONE["ipc"] | CLONE["net"]))
    mounts(unit, writable)
    os.umask(int(unit["UMask"][0], 8))
    limits(unit)
    capabilities(unit)
    checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    for _ in range(40):  # about as many as a manager loads for the other settings, one for each architecture
        load([(0x06, 0, 0, RET_ALLOW)])
    system_calls(unit, calls, outside)


class Launchers:
    """Listens at a path, and starts the command for each connection, which is its standard input."""

    def __init__(self, path, *command):
        self.path, self.command, self.processes, self.lines = path, command, [], []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(path)
        os.chmod(path, 0o600)
        self.socket.listen(4)
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                process = subprocess.Popen(self.command, stdin=connection, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                           text=True, errors="replace")
                self.processes.append(process)
                self.threads.append(threading.Thread(target=self.listen, args=(process, connection), daemon=True))
                self.threads[-1].start()

    def listen(self, process, connection):
        """Until it ends. As a manager does, hold the connection until then."""
        with connection:
            self.lines.extend(process.stderr)

    def stop(self):
        """Those that were started end by themselves, with their daemon. @return their statuses"""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.threads[0].join()
        try:
            return [process.wait(20) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
            for thread in self.threads[1:]:
                thread.join()
            for process in self.processes:
                process.stderr.close()


if __name__ == "__main__":
    enter(*sys.argv[1:4])
    os.execv(sys.argv[4], sys.argv[4:])
