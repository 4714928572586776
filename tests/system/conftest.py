"""Common fixtures; harness.py has the tools."""
import os

import pytest

import harness


def pytest_configure(config):
    config.addinivalue_line("markers", "measured: compares times or memory; not for sanitized builds")
    config.addinivalue_line("markers", "plain: looks at the shipped executables; not for sanitized builds")
    if not os.access(harness.DAEMON, os.X_OK):
        raise pytest.UsageError("METAWARD_PREFIX must name an installed tree; ./dev test does")


@pytest.fixture
def tenant():
    with harness.Tenant() as made:
        yield made


@pytest.fixture
def agent():
    with harness.Agent() as made:
        yield made
