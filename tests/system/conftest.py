"""Common fixtures; harness.py has the tools."""
import ctypes
import os

import pytest

import harness
import leftovers

_left = []  # by the processes that ran the tests


def pytest_configure(config):
    config.addinivalue_line("markers", "measured: compares times or memory; not for sanitized builds")
    config.addinivalue_line("markers", "plain: looks at the shipped executables; not for sanitized builds")
    if not os.access(harness.DAEMON, os.X_OK):
        raise pytest.UsageError("METAWARD_PREFIX must name an installed tree; ./dev test does")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    _left.extend(getattr(node, "workeroutput", {}).get("left", []))


def pytest_sessionfinish(session):
    """Nothing that the run has made is left: neither folders and namespaces nor mounts and processes."""
    try:
        harness.wait_for("nothing to be left", lambda: not leftovers.left(), patience=5)
    except AssertionError:
        _left.extend(leftovers.left())
    leftovers.remove()
    if hasattr(session.config, "workeroutput"):  # it is the other process that tells and decides
        session.config.workeroutput["left"] = _left
    elif _left:
        session.config.get_terminal_writer().line("\nThe tests have left behind:\n  " + "\n  ".join(_left))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    """A proxy that a test started itself ends with the test, also where the test has failed."""
    before = set(harness.Proxy.running)
    yield
    for proxy in harness.Proxy.running - before:
        proxy.process.kill()
        proxy.process.wait()
        harness.Proxy.running.discard(proxy)


@pytest.fixture
def tenant():
    with harness.Tenant() as made:
        yield made


@pytest.fixture
def agent():
    with harness.Agent() as made:
        yield made


@pytest.fixture
def subreaper():
    """A daemon whose own parent has ended is this process's child then, so that its end can be waited for."""
    prctl, set_child_subreaper = ctypes.CDLL(None).prctl, 36
    assert prctl(set_child_subreaper, 1, 0, 0, 0) == 0
    yield
    prctl(set_child_subreaper, 0, 0, 0, 0)
