"""What each executable is made of besides the project's own code: a software bill of materials, CycloneDX 1.5 in JSON.

usage: sbom.py BUILD_DIR

Asked is whoever knows: the linker, which lists the members that it takes out of static libraries when a link is done
again; the executable, which names the shared libraries that it needs; and dpkg, to which package in which version a file
belongs. Nothing in the result depends on when or where it is made, apart from the versions and the executables.
"""
import functools
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import urllib.parse


def output(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=True, **more).stdout


def is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def installed(build):
    """-> {path in the build: path where it is installed} of the executables"""
    files = json.loads(output("meson", "introspect", "--installed", build))
    return {made: there for made, there in files.items() if os.path.isfile(made) and is_elf(made)}


def linked_in(build, target):
    """The files of others that are in the executable: static libraries of which a member is used, and start-up objects."""
    command = shlex.split(output("ninja", "-C", build, "--quiet", "-t", "commands", target).splitlines()[-1])
    with tempfile.TemporaryDirectory() as scratch:
        command[command.index("-o") + 1] = os.path.join(scratch, "again")
        lines = output(*command, "-Wl,-t,-t", cwd=build).splitlines()
    members = [re.fullmatch(r"\((/.*\.a)\).*", line) for line in lines]
    return {match.group(1) for match in members if match} | {x for x in lines if x.startswith("/") and x.endswith(".o")}


def needed(path):
    """The shared libraries that the executable names, as files."""
    names = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", path))
    return {output("cc", "-print-file-name=" + name).strip() for name in names}


@functools.cache
def package_of(path):
    """-> (package, version, architecture) that a file belongs to"""
    path = os.path.realpath(path)
    for name in (path, re.sub("^/usr", "", path)):
        found = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False).stdout
        if found:
            package = found.split(": ")[0]
            return tuple(output("dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}", package).split())
    raise SystemExit("sbom.py: no package has %s" % path)


def library(package):
    name, version, architecture = package
    reference = "pkg:deb/debian/%s@%s?arch=%s" % (name, urllib.parse.quote(version, safe=""), architecture)
    return {"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference}


def bill(build):
    version = json.loads(output("meson", "introspect", "--projectinfo", build))["version"]
    libraries, executables, dependencies = {}, [], []
    for made, there in sorted(installed(build).items(), key=lambda pair: pair[1]):
        target = os.path.relpath(made, build)
        parts = {package_of(path) for path in linked_in(build, target) | needed(made)}
        libraries.update((part, library(part)) for part in parts)
        with open(made, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        executables.append({"type": "application", "bom-ref": target, "name": target, "version": version,
                            "hashes": [{"alg": "SHA-256", "content": digest}]})
        dependencies.append({"ref": target, "dependsOn": sorted(libraries[part]["bom-ref"] for part in parts)})
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "metadata": {"component": {"type": "application", "name": "metaward", "version": version}},
            "components": executables + [libraries[part] for part in sorted(libraries)], "dependencies": dependencies}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(json.dumps(bill(os.path.abspath(sys.argv[1])), indent=2))
