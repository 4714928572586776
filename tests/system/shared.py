"""A namespace and an agent for all tests of a module, and the command line between them: `from shared import agent, net`."""
import pytest

from harness import NETWORK, Agent, Namespace


@pytest.fixture(scope="module")
def net():
    with Namespace() as made:
        yield made


@pytest.fixture(scope="module")
def agent():
    with Agent() as made:
        yield made


def usual_words(net, agent, **options):
    """The usual options of metawardd, with some exchanged (None leaves one out)."""
    usual = {"network-id": NETWORK, "metadata-proxy-socket": agent.path, "netns": net.name, "user": "nobody",
             "listen": "127.0.0.1:8080", "log": "stderr"}
    given = dict(usual, **{name.replace("_", "-"): value for name, value in options.items()})
    return [word for name, value in given.items() if value is not None for word in ("--" + name, value)]
