"""What a crowd of guests sees of a proxy: many requests at once before a slow agent, and one guest beside another that opens
requests and never ends them."""
import contextlib
import statistics
import threading
import time

from measures_stage import ADDRESS, PORT
from harness import Client, connect, together

BACKLOG = 5  # of the agents since 2025.1: socketserver's default
REQUEST = b"GET /openstack/latest/meta_data.json HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SLOW = 0.5  # seconds an answer
BURST = 50
HALF_OPEN = 1100
ATTACKER, NEIGHBOUR = "10.9.200.1", "10.9.200.2"
GUEST_TIMEOUT = 90  # longer than any time-out of the proxies


def slow_answer(_request):
    return [SLOW, OK]


def arrive(tenant, source):
    """A guest's new connection."""
    with tenant.guest.inside():
        return Client(connect(ADDRESS, PORT, source, GUEST_TIMEOUT))


def status(client):
    """-> the status of a request's answer, or what came instead"""
    with client, contextlib.suppress(OSError):
        answer = client.answer()
        return answer.status if answer else "no answer"
    return "broken off"


def burst(tenant):
    """Many guests send at once. -> the statuses"""
    guests = [arrive(tenant, source) for source in tenant.more_guests(BURST)]
    for guest in guests:
        guest.send(REQUEST)
    return together(status, guests)


class Neighbour:
    """A guest that asks again and again, each time on a new connection."""

    def __init__(self, tenant):
        self.tenant, self.waits, self.wrong, self.enough = tenant, [], [], threading.Event()
        self.thread = threading.Thread(target=self.repeat)

    def repeat(self):
        while not self.enough.wait(0.01):
            began = time.perf_counter()
            guest = arrive(self.tenant, NEIGHBOUR)
            guest.send(REQUEST)
            got = status(guest)
            self.waits.append(time.perf_counter() - began)
            if got != 200:
                self.wrong.append(got)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()


def half_open(tenant, beside=1.0):
    """-> (seconds by which a neighbour's request is delayed at most, the statuses that were not 200)

    What its requests take is compared with their median before the attack. The half-open requests stay until the
    neighbour has its last answer.
    """
    with Neighbour(tenant) as quiet:
        time.sleep(beside)
    usual = statistics.median(quiet.waits)
    with contextlib.ExitStack() as held:
        with Neighbour(tenant) as busy:
            for _ in range(HALF_OPEN):
                guest = held.enter_context(arrive(tenant, ATTACKER))
                with contextlib.suppress(OSError):  # a proxy may have had enough of them
                    guest.send(REQUEST[:-2])
            time.sleep(beside)
    return max(busy.waits) - usual, busy.wrong
