"""What each process may do, compared with what was last reviewed: the tables as they are printed, and the filters as
the kernel has them loaded in live processes.

After an intended change of a policy, with METAWARD_PREFIX set to an installed build of it:

    METAWARD_GOLDEN_WRITE=1 python3 -B -m pytest tests/system/test_golden_policy.py

The filters' files are the unit tests' (tests/unit/test_golden_filter.c says how to make them anew).
"""
import ctypes
import os
import struct
import subprocess

import pytest

import proc
from harness import DAEMON, Agent, Namespace, Proxy
from inject import Injected

pytestmark = pytest.mark.plain  # a sanitized build has lines of its own, and says so

HERE = os.path.dirname(os.path.abspath(__file__))
TABLES = os.path.join(HERE, "golden", "policy.json")
FILTERS = os.path.join(HERE, "..", "unit", "golden")
PTRACE_SECCOMP_GET_FILTER = 0x420C
# What test_golden_filter.c puts where the address and its length belong.
PLACES = {0x11223344: "high", 0x55667788: "low", 99: "length"}


def printed():
    return subprocess.run([DAEMON, "--print-policy=json"], capture_output=True, check=True, text=True).stdout


def test_the_policies_are_the_reviewed_ones():
    if os.environ.get("METAWARD_GOLDEN_WRITE"):
        with open(TABLES, "w", encoding="utf-8") as f:
            f.write(printed())
    with open(TABLES, encoding="utf-8") as f:
        assert printed().splitlines() == f.read().splitlines()


def golden(role):
    """The reviewed program: (code, jt, jf, k) of each instruction."""
    with open(os.path.join(FILTERS, role + ".bpf"), encoding="utf-8") as f:
        version = f.readline().split("libseccomp ")[1].split(";")[0]
        built = subprocess.run(["pkg-config", "--modversion", "libseccomp"], capture_output=True, text=True, check=False)
        if built.stdout.strip() != version:
            pytest.skip("the files were made with libseccomp " + version)
        return [tuple(int(x, 0) for x in line.split(":")[1].split()) for line in f]


def loaded(pid, before_last):
    """A filter of a live process, 0 being the one that was loaded last. The kernel counts from the first."""
    index = int(proc.status(pid)["Seccomp_filters"][0]) - 1 - before_last
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    program = ctypes.create_string_buffer(4096 * 8)
    with Injected(pid):
        length = libc.ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, ctypes.addressof(program))
    if length < 0:
        pytest.skip("this kernel shows no filters: %s" % os.strerror(ctypes.get_errno()))
    return list(struct.iter_unpack("HBBI", program.raw[:length * 8]))


@pytest.fixture(scope="module")
def proxy():
    with Namespace() as net, Agent() as agent, Proxy(agent, netns=net, listen=["127.0.0.1:8080"]) as started:
        yield started


def differences(found, wanted):
    """Where two programs differ; what stands in the places of the address is told apart."""
    assert len(found) == len(wanted)
    places = {}
    for number, (one, other) in enumerate(zip(found, wanted)):
        if one != other:
            assert one[:3] == other[:3] and other[3] in PLACES, "instruction %d" % number
            assert places.setdefault(PLACES[other[3]], one[3]) == one[3]
    return places


def test_the_worker_is_under_the_reviewed_filters(proxy):
    pid = proxy.worker
    address, content, _ = proc.pinned_page(pid)
    places = differences(loaded(pid, 0), golden("worker"))
    assert places["high"] << 32 | places["low"] == address
    assert places["length"] == len(content.rstrip(b"\0")) + 1
    assert differences(loaded(pid, 1), golden("nursery")) == {}


def test_the_nursery_is_under_the_reviewed_filter(proxy):
    assert differences(loaded(proxy.nursery, 0), golden("nursery")) == {}


def test_the_parent_is_under_the_reviewed_filter(proxy):
    places = differences(loaded(proxy.pid, 0), golden("parent"))
    with open("/proc/%d/mem" % proxy.pid, "rb", buffering=0) as memory:
        memory.seek(places["high"] << 32 | places["low"])
        assert memory.read(places["length"]).rstrip(b"\0") == b"\1\0/dev/log"
