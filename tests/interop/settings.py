"""What one run is asked to do; run.py sets it from its command line before anything else is imported."""
import os

DIRECTORY = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
STATE = "/var/lib/metaward-interop"  # what a run makes: databases, logs, recordings; `down` removes it
SECRET = "interop-shared-secret"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROXY_DIRECTORY = ""  # holds the program named `haproxy`; empty: the system's
USER = "neutron"  # metadata_proxy_user and metadata_proxy_group
ROOT_HELPER = "/usr/bin/env"  # root already: `env` keeps PATH as it is, so that PROXY_DIRECTORY is honoured
QUICK = False  # leave out the recordings of what the agent gets
NETWORKS = 8  # of the scale check; 0: none


def path():
    return (PROXY_DIRECTORY + ":" if PROXY_DIRECTORY else "") + SYSTEM_PATH


def clean_environment():
    """Nothing of the caller's environment reaches what is started."""
    for name in list(os.environ):
        if name not in ("HOME", "LANG", "TERM"):
            del os.environ[name]
    os.environ["PATH"] = path()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
