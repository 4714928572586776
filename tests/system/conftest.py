"""Common fixtures; harness.py has the tools."""
import ctypes
import os

import pytest

import harness


def pytest_configure(config):
    config.addinivalue_line("markers", "measured: compares times or memory; not for sanitized builds")
    config.addinivalue_line("markers", "plain: looks at the shipped executables; not for sanitized builds")
    if not os.access(harness.DAEMON, os.X_OK):
        raise pytest.UsageError("METAWARD_PREFIX must name an installed tree; ./dev test does")


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
