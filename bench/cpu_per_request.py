#!/usr/bin/env python3
"""CPU time per request: metaward beside HAProxy with the configuration that Neutron gives it.

    bench/cpu_per_request.py --prefix DIR [--rounds N] [--seconds N] [--connections N] [--body BYTES]

DIR is where metaward is installed (./dev install --prefix DIR). Both proxies run at the same time, in front
of the same agent (bench/agent.c, built on the spot), with logging off; wrk keeps its guests' connections
open, the agent closes after each answer. The load goes to one and then the other, several rounds, and the
figure is the median of user and system time of all of a proxy's processes, divided by the requests
answered. Prints one line a round, then the medians and their ratio. Needs root, haproxy and wrk.
"""

import argparse
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
NETWORK = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
TICKS = os.sysconf("SC_CLK_TCK")

HAPROXY = """\
global
    user nobody
    group nogroup
    maxconn 1024
    nbthread 2
defaults
    mode http
    option http-server-close
    option forwardfor
    retries 3
    timeout http-request 30s
    timeout connect 30s
    timeout client 32s
    timeout server 32s
    timeout http-keep-alive 30s
listen listener
    bind 127.0.0.1:{port}
    server metadata {socket}
    http-request del-header X-Neutron-Router-ID
    http-request set-header X-Neutron-Network-ID {network}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid):
    """The process and everything below it."""
    found = [pid]
    for process in found:
        for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pid):
    ticks = 0
    for process in descendants(pid):
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def anonymous(pid):
    """Private memory in kB of a process and its descendants: anonymous pages, shared ones by their part."""
    return sum(int(re.search(r"Pss_Anon: +(\d+)", pathlib.Path(f"/proc/{p}/smaps_rollup").read_text()).group(1))
               for p in descendants(pid))


class Proxy:
    def __init__(self, name, command, port):
        self.name = name
        self.port = port
        self.figures = []
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def wait(self):
        """Until it answers; the first answers are not counted."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended with status {self.process.returncode}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as guest:
                    guest.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    if guest.recv(64).startswith(b"HTTP/1.1 200"):
                        return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{self.name} does not answer")

    def round(self, options):
        before = cpu_seconds(self.process.pid)
        report = subprocess.run(
            ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s",
             f"http://127.0.0.1:{self.port}/latest/meta-data/instance-id"],
            check=True, capture_output=True, text=True).stdout
        after = cpu_seconds(self.process.pid)
        if "Non-2xx" in report or "Socket errors" in report:
            sys.exit(f"{self.name}: not every request was answered:\n{report}")
        requests = int(re.search(r"(\d+) requests in", report).group(1))
        self.figures.append((after - before) / requests * 1e6)
        return f"{self.name} {self.figures[-1]:6.2f} us ({requests / options.seconds:.0f}/s)"

    def stop(self):
        self.process.terminate()
        self.process.wait()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--most-ratio", type=float, default=1.0, help="fail where CPU per request is above it")
    parser.add_argument("--most-kb", type=int, default=500, help="fail where metaward's private memory is above it")
    parser.add_argument("--body", type=int, default=64, help="bytes of an answer's body")
    return parser.parse_args()


def metaward(options, agent_socket, port):
    return [options.prefix / "sbin/metawardd", "--network-id", NETWORK, "--listen", f"127.0.0.1:{port}",
            "--metadata-proxy-socket", agent_socket, "--user", "nobody", "--group", "nogroup",
            "--log", "none"]


def run(options, metaward_command, directory):
    directory.chmod(0o755)
    agent_socket = directory / "agent.sock"
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", directory / "agent", HERE / "agent.c"], check=True)
    agent = subprocess.Popen([directory / "agent", agent_socket, str(options.body)], stdout=subprocess.PIPE)
    agent.stdout.readline()
    agent_socket.chmod(0o666)
    ports = [free_port(), free_port()]
    configuration = directory / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(port=ports[1], socket=agent_socket, network=NETWORK))
    proxies = [Proxy("metaward", metaward_command(options, agent_socket, ports[0]), ports[0]),
               Proxy("haproxy", ["haproxy", "-db", "-f", configuration], ports[1])]
    try:
        for proxy in proxies:
            proxy.wait()
        kilobytes = [anonymous(proxy.process.pid) for proxy in proxies]
        print(f"private memory, idle: metaward {kilobytes[0]} kB, haproxy {kilobytes[1]} kB")
        for _ in range(options.rounds):
            print("   ".join(proxy.round(options) for proxy in proxies), flush=True)
    finally:
        for proxy in proxies:
            proxy.stop()
        agent.terminate()
        agent.wait()
    ours, theirs = (statistics.median(proxy.figures) for proxy in proxies)
    print(f"median: metaward {ours:.2f} us, haproxy {theirs:.2f} us, ratio {ours / theirs:.3f}")
    if ours / theirs > options.most_ratio:
        sys.exit(f"more CPU per request than {options.most_ratio} of HAProxy's")
    if kilobytes[0] > options.most_kb:
        sys.exit(f"more private memory than {options.most_kb} kB")


def main(metaward_command=metaward):
    with tempfile.TemporaryDirectory(prefix="metaward-bench-") as directory:
        run(arguments(), metaward_command, pathlib.Path(directory))


if __name__ == "__main__":
    main()
