"""The documents name every exit status, log event and reason that the sources have, and nothing else."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def sources(*folders):
    return "\n".join(read(os.path.join(folder, name)) for folder in folders
                     for name in sorted(os.listdir(os.path.join(ROOT, folder))) if name.endswith((".c", ".h")))


def test_every_exit_status_is_documented_with_its_advice():
    steps = re.findall(r'STEP\(STEP_\w+, (\d+), "([^"]*)",[\s\\]*"([^"]*)"\)', read("ipc/steps.h"))
    rows = re.findall(r"(?m)^\| (\d+) \| (.*) \| (.*) \|$", read("docs/operation.md"))
    assert len(steps) == read("ipc/steps.h").count("STEP(STEP_") and rows == steps


def test_every_reason_is_documented():
    reasons = re.findall(r'REASON\(REASON_\w+, "([^"]*)", "([^"]*)"\)', read("ipc/reason.h"))
    table = read("docs/operation.md").split("| reason | meaning |")[1]
    assert len(reasons) > 30 and re.findall(r"(?m)^\| `(.*)` \| (.*) \|$", table) == reasons


def test_every_event_is_documented():
    code = sources("priv", "ipc", "policy", "unpriv", "unpriv/worker")
    events = set(re.findall(r'event=([a-z-]+)', code)) | set(re.findall(r'log_line\([A-Za-z_]+, "([a-z-]+)"', code))
    events |= set(re.findall(r'\[AGENT_[A-Z]+\] = "([a-z-]+)"', code))
    events |= set(re.findall(r'"([a-z-]+) count="', code))
    table = read("docs/operation.md").split("| event | who | when |")[1].split("| reason |")[0]
    documented = set(re.findall(r"`([a-z-]+)`", "\n".join(re.findall(r"(?m)^\| (`.*?) \| (?:worker|parent) \|", table))))
    assert events == documented

