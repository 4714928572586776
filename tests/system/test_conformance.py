"""The conformance corpus, played from a guest at the confined proxy: what it must refuse, forward, and how."""
import json
import os
import re
import subprocess
import sys

from harness import NETWORK, Proxy

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "conformance")

# Cases that look for a header at the agent which is not on the standard forward list.
NEED_ANOTHER_HEADER = {
    "header-p24": "X-A", "header-p25": "X-B", "header-p26": "X-A", "header-p28": "X-Dup", "header-p29": "X-A",
    "hop-p01": "X-Keep", "identity-p27": "X-Neutronium", "split-p01": "X-A", "split-p02": "X-A", "split-p03": "X-A",
    "split-p04": "X-A", "split-p07": "X-A", "split-p09": "X-A"}

# Requests whose only mark is in such a header, so that nobody can say which case they came from.
WITHOUT_THEIR_MARK = ["GET / HTTP/1.1", "OPTIONS * HTTP/1.1"]


def play(tenant, tmp_path, *options, only=""):
    """Play the corpus, or the cases whose id matches.

    Returns what was wrong, by case, and the request lines that belong to no case.
    """
    os.chmod(tmp_path, 0o755)
    socket, details = str(tmp_path / "metadata_proxy"), tmp_path / "details.json"
    inside = ["ip", "netns", "exec", tenant.guest.name]
    runner = [sys.executable, "-B", os.path.join(FOLDER, "run_cases.py"), os.path.join(FOLDER, "cases.jsonl")]
    who = ["--identity", "X-Neutron-Network-ID=" + NETWORK, "--client-ip", tenant.GUEST]
    how = ["--one-recv", "--no-partial", "--quiet", "--jobs", "48", "--only", only, "--json", str(details)]
    with Proxy(socket, *options, netns=tenant.proxy) as proxy:
        worker = proxy.worker
        done = subprocess.run(inside + runner + ["--connect", "169.254.169.254:80", "--backend-socket", socket] + who + how,
                              capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        assert proxy.worker == worker and not proxy.events("worker-died")
    cases = json.loads(details.read_text())
    assert len(cases) > 400 or only
    strays = re.findall(r"bytes without a marker: b'(.*?)\\r\\n", done.stdout)
    assert len(strays) == done.stdout.count("unattributed")
    return {case["id"]: case["why"] for case in cases if case["why"]}, sorted(strays)


def test_every_case_passes_with_all_headers_forwarded(tenant, tmp_path):
    assert play(tenant, tmp_path, "--forward-headers", "all") == ({}, [])


def test_by_default_every_case_passes_but_those_that_ask_for_another_header(tenant, tmp_path):
    failed, strays = play(tenant, tmp_path)
    assert failed.keys() == NEED_ANOTHER_HEADER.keys()
    for complaints in failed.values():
        assert all(complaint.startswith("backend never saw") for complaint in complaints)
    assert strays == WITHOUT_THEIR_MARK


def test_those_cases_pass_once_their_headers_are_on_the_list(tenant, tmp_path):
    names = sorted(set(NEED_ANOTHER_HEADER.values()) | {"X-Forwarded-Format", "X-Case"})
    failed, strays = play(tenant, tmp_path, "--forward-headers", ",".join(names),
                          only="^(%s|target-p02|absform-p11)$" % "|".join(NEED_ANOTHER_HEADER))
    assert (list(failed), strays) == (["header-p28"], [])  # a listed header passes once, that case sends two
