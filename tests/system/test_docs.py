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
    code = sources("priv", "priv/host", "priv/launcher", "priv/lease", "ipc", "policy", "unpriv", "unpriv/worker")
    events = set(re.findall(r'event=([a-z-]+)', code)) | set(re.findall(r'log_line\([A-Za-z_]+, "([a-z-]+)"', code))
    events |= set(re.findall(r'\[AGENT_[A-Z]+\] = "([a-z-]+)"', code))
    events |= set(re.findall(r'"([a-z-]+) count="', code))
    table = read("docs/operation.md").split("| event | who | when |")[1].split("| reason |")[0]
    documented = set(re.findall(r"`([a-z-]+)`", "\n".join(re.findall(r"(?m)^\| (`.*?) \| (?:worker|parent) \|", table))))
    assert events == documented


def sections():
    """The tables of docs/configuration.md: {section: [(key, value, default, meaning)]}."""
    parts = re.split(r"(?m)^### \[(.*)\]$", read("docs/configuration.md"))[1:]
    row = r"(?m)^\| `([a-z_]+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$"
    return {name: re.findall(row, text) for name, text in zip(parts[::2], parts[1::2])}


def test_every_key_of_the_hosts_files_is_documented():
    code = read("unpriv/reader/host_keys.c")
    names = dict(zip(re.search(r"enum host_section \{ (.*) \};", code).group(1).split(", "),
                     re.findall(r'"([^"]*)"', re.search(r"host_sections\[\] = \{([^}]*)\}", code).group(1))), IN_NETWORK="network")
    keys = {name: [] for name in names.values()}
    for section, key in re.findall(r'(?:KEY\(|OWN\(|\{)(IN_[A-Z]+),(?: true,| false,)? "([a-z_]+)"', code):
        keys[names[section]].append(key)
    limits = re.findall(r'LIMIT\((max_\w+), (\d+), (\d+), (\d+), "([^"]*)"\)', read("ipc/settings.h"))
    timeouts = re.findall(r'TIMEOUT\((timeout_\w+), (\d+), (\d+), (\d+), "([^"]*)"\)', read("ipc/settings.h"))
    assert len(limits) == 9 and len(timeouts) == 5 and {(x[2], x[3]) for x in timeouts} == {("100", "3600000")}
    documented = sections()
    assert documented.pop("limits")[1:] == [(name, "%s to %s" % (least, most), standard, meaning)
                                            for name, standard, least, most, meaning in limits]
    assert documented.pop("timeouts") == [(name, "time", standard + "ms", meaning) for name, standard, _, _, meaning in timeouts]
    assert keys.pop("limits") == ["max_networks"] and keys.pop("timeouts") == []
    assert {name: [row[0] for row in rows] for name, rows in documented.items()} == keys


def test_the_hosts_defaults_are_documented():
    documented = {row[0]: row for rows in sections().values() for row in rows}
    code = read("ipc/host_config.c") + read("ipc/host_config.h")
    value = dict(re.findall(r"#define (\w+) +\"?([^\s\"]+)\"?", code))
    assert documented["workers"][1:3] == ("1 to " + value["HOST_WORKERS_MAX"], value["DEFAULT_WORKERS"])
    assert documented["max_networks"][1:3] == ("1 to " + value["HOST_NETWORKS_MAX"], value["DEFAULT_MAX_NETWORKS"])
    assert documented["control_socket"][2] == "`%s`" % value["DEFAULT_CONTROL_SOCKET"]
    assert documented["networks"][2] == "`%s`" % value["DEFAULT_NETWORKS"]


def test_the_example_shows_every_key_of_the_host():
    text = read("packaging/metawardd.conf")
    shown = {name: re.findall(r"(?m)^#?([a-z_]+) = ", part)
             for name, part in zip(*[iter(re.split(r"(?m)^\[(.*)\]$", text)[1:])] * 2)}
    wanted = {name: [row[0] for row in rows] for name, rows in sections().items() if name != "network"}
    assert {name: sorted(set(keys)) for name, keys in shown.items()} == {name: sorted(keys) for name, keys in wanted.items()}
