"""Drives a metadata proxy with the real Neutron, both ways, and ends with the line `N passed, N failed`.

usage: run.py [--proxy DIRECTORY] [--quick] [--networks N] [--user NAME] [--keep] [ovn|classic|measures|down]

ovn: a real OVN control plane, Open vSwitch and the unmodified neutron-ovn-metadata-agent. classic: the real metadata
driver, its process monitor and the real neutron-metadata-agent. measures: the proxy beside the system's HAProxy. Without a
part: all; measures only where the proxy is not the system's. The proxy is the program named `haproxy` in DIRECTORY, or the
system's own. Everything is made in namespaces of the run's own, and removed at its end;
`down` removes what an interrupted run, or one with --keep, has left. Root is needed, and Neutron, OVN, Open vSwitch
and cloud-init from Debian's packages (`./dev interop` installs them).
"""
import argparse
import importlib
import os
import shutil
import sys
import time
import traceback

import settings

PARTS = ("ovn", "classic", "measures")


def arguments():
    parser = argparse.ArgumentParser(description="Drive a metadata proxy with the real Neutron.")
    parser.add_argument("part", nargs="?", choices=PARTS + ("down",))
    parser.add_argument("--proxy", default="", help="the directory that holds the program named haproxy")
    parser.add_argument("--quick", action="store_true", help="without the recordings, and with few networks")
    parser.add_argument("--networks", type=int, help="networks of the scale check (8; quick: 0)")
    parser.add_argument("--user", default=settings.USER, help="metadata_proxy_user and metadata_proxy_group")
    parser.add_argument("--keep", action="store_true", help="leave everything up")
    return parser.parse_args()


def apply(options):
    settings.PROXY_DIRECTORY = os.path.abspath(options.proxy) if options.proxy else ""
    settings.QUICK = options.quick
    settings.NETWORKS = options.networks if options.networks is not None else 0 if options.quick else 8
    settings.USER = options.user
    if options.proxy and not os.access(os.path.join(settings.PROXY_DIRECTORY, "haproxy"), os.X_OK):
        sys.exit("run.py: no executable %s/haproxy" % settings.PROXY_DIRECTORY)
    if os.geteuid() != 0:
        sys.exit("run.py: namespaces are made: start as root")
    settings.clean_environment()
    os.makedirs(settings.STATE, mode=0o755, exist_ok=True)


def modules(name):
    """The part's stage and its checks; imported late, because their paths depend on the settings."""
    return tuple(importlib.import_module(name + kind) for kind in ("_stage", ""))


def check(part, results):
    for one in part.CHECKS:
        began = time.monotonic()
        try:
            one()
        except Exception as error:
            traceback.print_exc()
            results.check(False, "%s ran to its end" % one.__name__, "%s: %s" % (type(error).__name__, error))
        print("      (%s took %.1f s)" % (one.__name__, time.monotonic() - began), flush=True)


def run(name, keep):
    stage, part = modules(name)
    stage.down()
    stage.wipe()
    try:
        stage.up()
    except BaseException:
        stage.down()
        raise
    try:
        check(part, part.RESULTS)
        if not keep:
            part.check_teardown()
    except BaseException:
        stage.down()
        raise
    part.RESULTS.finish(os.path.join(settings.STATE, "result-%s.json" % name))
    return part.RESULTS


def down():
    for name in PARTS:
        modules(name)[0].down()
    shutil.rmtree(settings.STATE)


def main():
    options = arguments()
    apply(options)
    if options.part == "down":
        return down()
    began = time.monotonic()
    print("proxy: %s" % shutil.which("haproxy"), flush=True)
    parts = [name for name in PARTS if name == (options.part or name) and (name != "measures" or options.proxy)]
    results = [run(name, options.keep) for name in parts]
    print()
    for result in results:
        for what in result.fails:
            print("FAIL  [%s] %s" % (result.part, what))
    print("took %.0f s; details in %s" % (time.monotonic() - began, settings.STATE))
    failed = sum(result.failed for result in results)
    print("%d passed, %d failed" % (sum(result.passed for result in results), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
