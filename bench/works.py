"""What the proxies are asked to do: one line a work, and why it is there."""
import dataclasses

ALL = ("metaward", "haproxy-2", "haproxy-again", "haproxy-1", "nginx", "python", "floor", "metaward-daemon-shared")
NO_PYTHON = tuple(name for name in ALL if name != "python")
OWN_WORKERS = ("metaward-daemon-network",)
REAL = tuple(name for name in ALL if name != "floor")


@dataclasses.dataclass(frozen=True)
class Work:
    name: str
    title: str
    connection: str = "keep"  # of guests: keep, close, leave (load.c)
    guests: int = 16  # addresses; each has one connection
    agent: tuple = ()  # arguments of the agent
    networks: int = 1
    log: bool = False
    limits: bool = False
    reuse: bool = False
    held: int = 0  # idle connections beside
    boot: bool = False  # each guest asks for the paths of a boot
    rate: int = 0  # requests a second at equal load; 0: a third of what HAProxy can
    path: str = ""
    subjects: tuple = ALL
    main: bool = False  # measured for longer
    quick: bool = False  # part of --quick


WORKS = (
    Work("keep", "keep-alive guests", subjects=ALL + OWN_WORKERS, main=True, quick=True),
    Work("close", "one connection a request", connection="close", subjects=ALL + OWN_WORKERS, main=True, quick=True),
    Work("keep-log", "keep-alive guests, with logging", log=True, subjects=ALL + OWN_WORKERS, main=True, quick=True),
    Work("close-log", "one connection a request, with logging", connection="close", log=True, subjects=ALL + OWN_WORKERS,
         main=True),
    Work("boot", "boot storm: 100 guests, 28 GETs each, at once", connection="leave", guests=100, boot=True,
         agent=("--sizes", "boot.paths"), quick=True),
    Work("boot-slow", "boot storm, agent takes 20 ms", connection="leave", guests=100, boot=True,
         agent=("--sizes", "boot.paths", "--delay-us", "20000"), subjects=NO_PYTHON),
    Work("userdata", "64 KiB of user data", agent=("--body", "65536"), path="/openstack/latest/user_data",
         subjects=NO_PYTHON),
    Work("slow", "agent takes 20 ms", agent=("--delay-us", "20000"), guests=100, rate=500, subjects=NO_PYTHON),
    Work("serial", "serial agent, 1 ms an answer, backlog 5", agent=("--serial", "--backlog", "5", "--delay-us", "1000"),
         guests=32, rate=300, subjects=REAL),
    Work("networks-100", "100 networks", networks=100, guests=100, subjects=NO_PYTHON + OWN_WORKERS),
    Work("networks-1000", "1000 networks", networks=1000, guests=1000, subjects=("nginx", "floor", "metaward-daemon-shared") + OWN_WORKERS),
    Work("limits", "rate limit on, not reached", limits=True,
         subjects=tuple(name for name in NO_PYTHON if name != "floor")),
    Work("held", "1000 idle connections beside", held=1000, subjects=NO_PYTHON),
    Work("reuse", "agent keeps alive, connections to it reused", reuse=True, agent=("--keep-alive",),
         subjects=("metaward", "haproxy-2", "haproxy-again", "haproxy-reuse", "nginx", "floor", "metaward-daemon-shared")),
)
