"""The bill of materials names what is really in the executables."""
import json
import os
import subprocess
import sys

import pytest

from harness import PREFIX

BUILD = os.environ.get("METAWARD_BUILD", "")
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sbom.py")

pytestmark = [pytest.mark.plain, pytest.mark.skipif(not BUILD, reason="METAWARD_BUILD does not name the build directory")]


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def bill():
    return json.loads(output(sys.executable, "-B", SCRIPT, BUILD))


@pytest.fixture(scope="module")
def parts(bill):
    """{base name of an executable: {package: version}}"""
    libraries = {c["bom-ref"]: c for c in bill["components"] if c["type"] == "library"}
    return {os.path.basename(d["ref"]): {libraries[r]["name"]: libraries[r]["version"] for r in d["dependsOn"]}
            for d in bill["dependencies"]}


def test_every_installed_executable_is_in_it(bill):
    made = [c["name"] for c in bill["components"] if c["type"] == "application"]
    found = [os.path.join(folder, name) for folder, _, names in os.walk(PREFIX) for name in names]
    elf = [path for path in found if open(path, "rb").read(4) == b"\x7fELF"]
    assert sorted(map(os.path.basename, made)) == sorted(map(os.path.basename, elf))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")


def test_what_is_linked_is_named_with_its_version(parts):
    assert "libevent-dev" in parts["metaward-worker"] and "libcap-ng0" not in parts["metaward-worker"]
    assert {"libc6", "libcap-ng0"} <= set(parts["metawardd"]) and "libevent-dev" not in parts["metawardd"]
    assert all("libc6-dev" in packages for packages in parts.values())
    for name, version in {pair for packages in parts.values() for pair in packages.items()}:
        assert version in output("dpkg-query", "-W", "-f", "${Version}\n", name).split()


def test_it_is_the_same_each_time(bill):
    assert json.loads(output(sys.executable, "-B", SCRIPT, BUILD)) == bill
