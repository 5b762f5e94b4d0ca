"""Where an engine may answer otherwise than another, and why: the one list of exceptions to the contract.

A test asks `expected(topic, engine)`; what is not in this table must be the same on every engine.
"""

from dataclasses import dataclass

from tests.engines import Engine


@dataclass(frozen=True)
class Difference:
    """What dockerd says, what ours says, and the reason. Statuses are tuples: any of them will do."""

    dockerd: object
    ours: object
    why: str


KNOWN_DIFFERENCES = {
    "bad body": Difference(
        (400, 500),
        (400,),
        "dockerd up to 20.10 calls JSON that it can't read a server error; later ones and ours 400",
    ),
    "body of another type": Difference(
        (400, 415, 500), (400, 415), "dockerd up to 20.10 calls another Content-Type a server error"
    ),
    "no image": Difference(
        (201, 400), (400,), "dockerd up to 20.10 makes a container of nothing, which it then cannot start"
    ),
    "endless body": Difference(
        (400, 404, 413), (400, 413), "dockerd reads a body of any size and then misses the image"
    ),
    "bad filters": Difference((400, 500), (400,), "dockerd up to 20.10 calls bad filters a server error"),
    "unknown wait condition": Difference(
        (200, 400), (400,), "dockerd up to 20.10 takes what it doesn't know for not-running"
    ),
    "exec of no-such-command": Difference(
        (126, 127), (127,), "dockerd up to 20.10 reports 126 for both kinds of failure"
    ),
    "exec of /etc/motd": Difference((126,), (126,), "as the shell: found, but not executable"),
    "path through a file": Difference(
        (400, 404, 500), (400, 404), "dockerd up to 20.10 hands on ENOTDIR as a server error; it is the client's"
    ),
    "no new privileges": Difference(
        "0", "1", "Docker leaves setuid programs their power unless asked; ours is always off, and so safer by default"
    ),
}


def expected(topic: str, engine: Engine):
    """What the engine under test is allowed to say."""
    difference = KNOWN_DIFFERENCES[topic]
    return difference.dockerd if engine.name == "dockerd" else difference.ours


# Fields that Docker's description of its API (1.41) gives a type, and that dockerd sends as null all the same.
SENT_AS_NULL = {
    "MemorySwappiness": "not set",
    "Error": "the wait had no error",
    "ExitCode": "the exec has not ended",
}
