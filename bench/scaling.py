"""What grows with what: cost per request and memory, over the number of networks, of connections, and of workers.

A point is a subject with so many networks, connections or workers. All points of a series run side by side and are loaded in
turn, as the works' subjects are; what is compared is each point with the least of its subject's, round by round. Connections
are made before anything is counted.
"""
import contextlib
import sys
import time

import sample
import subjects
from subjects import HERE, Wanted
from works import Work

ROUNDS = 5
SECONDS = 0.3
ACTIVE = 1000  # connections while networks grow: each of up to so many networks is asked
GUESTS = 16  # who ask while idle connections grow

NETWORKS = ((subjects.DaemonShared, (1, 10, 100, 1000, 10000)), (subjects.DaemonNetwork, (1, 10, 100, 1000)),
            (subjects.Metaward, (1, 10, 100)), (subjects.HAProxy2, (1, 10, 100)), (subjects.Floor, (1, 10, 100, 1000, 10000)))
# The drop-in and HAProxy take 1024 connections, as Neutron configures them.
CONNECTIONS = ((subjects.DaemonShared, (1, 16, 100, 1000, 4000)), (subjects.Metaward, (1, 16, 100, 1000)),
               (subjects.HAProxy2, (1, 16, 100, 1000)), (subjects.Floor, (1, 16, 100, 1000, 4000)))
MOST_CONNECTIONS = 4096
WORKERS = (1, 2, 4)
WORKERS_NETWORKS = 100


class Point:
    """A subject at one place of the axis, and what was measured there."""

    def __init__(self, subject, at, work, binaries):
        self.subject = subject
        self.work = work
        self.load = sample.Load(work, subject, binaries, HERE)
        self.found = {"subject": subject.name, "title": subject.title, "at": at, **sample.weight(subject), "samples": []}

    def take(self, seconds):
        with sample.Held(self.work, self.load):
            one = sample.warm(self.subject, self.load, seconds)
        del one["times"]
        self.found["samples"].append(one)


class Scale:
    def __init__(self, agent, directory, binaries, options):
        self.agent, self.directory, self.binaries = agent, directory, binaries
        self.rounds = min(ROUNDS, options.rounds)
        self.seconds = min(SECONDS, options.seconds)
        self.number = 0

    def start(self, stack, kind, **wanted):
        """Every one has addresses of its own."""
        self.number += 1
        return stack.enter_context(kind(Wanted(self.agent, **wanted), self.number, self.directory))

    def measured(self, title, points):
        """Load all points in turn. -> what was found, point by point"""
        began = time.monotonic()
        for turn in range(self.rounds):
            for point in points[::-1 if turn % 2 else 1]:
                point.take(self.seconds)
        print("   %s: %d points, %d rounds, %.0f s" % (title, len(points), self.rounds, time.monotonic() - began), flush=True)
        found = [point.found for point in points]
        for one in found:
            if sum(s["failures"] for s in one["samples"]):
                print("   %(subject)s at %(at)d: FAILED" % one, file=sys.stderr, flush=True)
        return found

    def networks(self):
        with contextlib.ExitStack() as stack:
            return self.measured("networks", [
                Point(self.start(stack, kind, networks=count), count,
                      Work("networks", "", guests=ACTIVE, networks=count), self.binaries)
                for kind, counts in NETWORKS for count in counts])

    def idle(self):
        """Memory while so many connections are held idle, and what a request of others costs meanwhile."""
        with contextlib.ExitStack() as stack:
            points = [Point(subject, count, Work("idle", "", guests=GUESTS, held=count), self.binaries)
                      for subject, counts in self.for_connections(stack) for count in counts]
            for point in points:  # of each subject the least comes first: memory that was taken once may stay
                with sample.Held(point.work, point.load):
                    point.found.update(sample.weight(point.subject))
            return self.measured("idle connections", points)

    def active(self):
        with contextlib.ExitStack() as stack:
            return self.measured("connections that ask", [
                Point(subject, count, Work("active", "", guests=count), self.binaries)
                for subject, counts in self.for_connections(stack) for count in counts])

    def for_connections(self, stack):
        return [(self.start(stack, kind, connections=MOST_CONNECTIONS), counts) for kind, counts in CONNECTIONS]

    def workers(self):
        with contextlib.ExitStack() as stack:
            return self.measured("workers", [
                Point(self.start(stack, subjects.DaemonShared, networks=WORKERS_NETWORKS, workers=count), count,
                      Work("workers", "", guests=WORKERS_NETWORKS, networks=WORKERS_NETWORKS), self.binaries)
                for count in WORKERS])


def measure(agent, directory, binaries, options):
    """-> {series: its points}"""
    scale = Scale(agent, directory, binaries, options)
    return {"networks": scale.networks(), "idle": scale.idle(), "active": scale.active(), "workers": scale.workers()}
