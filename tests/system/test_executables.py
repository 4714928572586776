"""The two executables as they are shipped: what is linked into each, what is not, and how they are hardened."""
import glob
import os
import re
import subprocess

import pytest

from harness import DAEMON, WORKER

pytestmark = pytest.mark.plain

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# A function's declaration at the start of a line: not static, not a type, not a macro.
DECLARATION = re.compile(r"(?m)^(?!static|typedef|extern|#)[a-z][\w *]*?\b(\w+)\([^;{]*\)(?: __attribute__.*)?;")
ENDBR64 = "endbr64"


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def declared(folder):
    """The functions that the headers of a folder declare."""
    names = set()
    for path in glob.glob(os.path.join(TOP, folder, "**", "*.h"), recursive=True):
        with open(path, encoding="utf-8") as f:
            names.update(DECLARATION.findall(f.read()))
    return names


def defined(executable):
    """The functions that an executable contains, its own and those of static libraries."""
    return {line.split()[2] for line in output("nm", executable).splitlines()
            if re.match(r"[0-9a-f]+ [TtWwi] ", line)}


def public(executable):
    """The functions among them that other files may call. What a header declares is one of these."""
    return {line.split()[2] for line in output("nm", "-g", "--defined-only", executable).splitlines()
            if re.match(r"[0-9a-f]+ [TW] ", line)}


def imported(executable):
    return {line.split()[-1].split("@")[0] for line in output("nm", "-u", executable).splitlines()}


def compiled_from(executable):
    """The source files of an executable, as its debugging information names them; empty where it has none."""
    return set(re.findall(r"DW_AT_name\s*:.*?([^\s:/]+/(?:[^\s:/]+/)*[^\s:/]+\.c)\s*$",
                          output("readelf", "-wi", "--dwarf-depth=1", executable), re.M))


def dynamic(executable):
    return output("readelf", "-dW", executable)


def segments(executable):
    return output("readelf", "-lW", executable)


def test_the_lists_of_functions_are_not_empty():
    """The tests below would say nothing if the headers were read wrongly."""
    unpriv = declared("unpriv") & public(WORKER)
    assert len(unpriv) > 60 and {"serve_run", "nursery_run", "http_request_parse", "http_chunked_decode", "http_rewrite"} <= unpriv
    assert {"supervise", "host_supervise"} <= declared("priv") & public(DAEMON)


def test_nothing_that_reads_what_guests_send_is_in_the_parent():
    assert declared("unpriv") & (public(DAEMON) | imported(DAEMON)) == set()
    assert [name for name in defined(DAEMON) | imported(DAEMON) if re.match("(event|evutil|evbuffer|bufferevent|evmap)_", name)] == []
    assert [source for source in compiled_from(DAEMON) if "unpriv/" in source] == []


def test_nothing_of_the_parent_is_in_the_worker():
    assert declared("priv") & public(WORKER) == set()
    assert [source for source in compiled_from(WORKER) if "/priv/" in source] == []
    assert [name for name in defined(WORKER) if re.match("(capng|confine_(tree|before_exec|parent)|facts_|trusted_|account_)", name)] == []


def test_no_process_carries_the_compiler_of_filters():
    for executable in (DAEMON, WORKER):
        assert [name for name in defined(executable) | imported(executable) if name.startswith(("seccomp_", "policy_print"))] == []


def test_the_worker_can_look_up_no_names():
    """libevent's look-ups end in stand-ins of our own (unpriv/absent.c): no resolver, no users, no groups."""
    found = [name for name in defined(WORKER) if re.match(
        r"_*(nss_|res_n|res_m|resolv|gethostby|getpw|getgr|getservent|getaliasent|netgroup|dn_expand|ns_parse)", name)]
    assert found == []


def test_the_worker_can_start_nothing_but_a_worker():
    found = defined(WORKER) & {"system", "popen", "posix_spawn", "execve", "execv", "execvp", "execl", "fork", "vfork",
                               "setns", "unshare", "mount", "umount2", "pivot_root", "ptrace", "setuid", "setresuid"}
    assert found == set()


def test_the_parent_needs_two_libraries_and_the_worker_none():
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic(DAEMON))
    assert sorted(needed) == ["libc.so.6", "libcap-ng.so.0"]
    assert "(NEEDED)" not in dynamic(WORKER)
    assert "INTERP" not in segments(WORKER)  # a static executable that is position-independent all the same


@pytest.mark.parametrize("executable", [DAEMON, WORKER], ids=["parent", "worker"])
class TestHardening:
    def test_it_is_placed_at_random(self, executable):
        assert re.search(r"Type:\s+DYN", output("readelf", "-hW", executable))
        assert re.search(r"FLAGS_1.*\bPIE\b", dynamic(executable))

    def test_its_relocations_are_read_only_from_the_start(self, executable):
        assert "GNU_RELRO" in segments(executable)
        assert re.search(r"\(FLAGS\).*BIND_NOW", dynamic(executable)) and re.search(r"FLAGS_1.*\bNOW\b", dynamic(executable))
        assert "TEXTREL" not in dynamic(executable)

    def test_no_memory_is_writable_and_executable(self, executable):
        stack = re.search(r"GNU_STACK.*\s(R\w*)\s+0x\w+$", segments(executable), re.M)
        assert stack.group(1) == "RW"
        assert re.findall(r"LOAD.*\sRWE\s", segments(executable)) == []

    def test_it_looks_for_libraries_nowhere_else(self, executable):
        assert "RPATH" not in dynamic(executable) and "RUNPATH" not in dynamic(executable)

    def test_its_stack_is_guarded_and_its_copies_are_checked(self, executable):
        names = defined(executable) | imported(executable)
        assert "__stack_chk_fail" in names
        assert "__memcpy_chk" in names

    def test_our_functions_begin_where_indirect_calls_may_land(self, executable):
        """The linker's own note needs every library to be built like that, which Debian's are not."""
        ours = {"main", "channel_receive", "message_valid", "filter_load"}
        for name in ours:
            listing = output("objdump", "-d", "--no-show-raw-insn", "--disassemble=" + name, executable)
            first = re.search(r"<%s>:\n\s*[0-9a-f]+:\s+(\S+)" % name, listing)
            assert first and first.group(1) == ENDBR64, name

    def test_it_belongs_to_root_and_only_root_may_change_it(self, executable):
        stat = os.stat(executable)
        assert (stat.st_uid, stat.st_mode & 0o7022) == (0, 0)


def test_the_parents_own_code_stays_small():
    lines = 0
    for path in glob.glob(os.path.join(TOP, "priv", "*.[ch]")):
        with open(path, encoding="utf-8") as f:
            lines += len(f.readlines())
    assert 300 < lines <= 1000
