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


# Statuses that the description does not name for an endpoint, and that both engines answer with (regular expressions).
UNDESCRIBED_STATUSES = {
    ".* 400": "the description names 400 for a few endpoints only; whatever makes no sense gets it from every one",
    r"POST /containers/\{id\}/(start|resize|update|pause) 409": "the container is not in the state for it",
    r"GET /containers/\{id\}/top 409": "the container is not running",
    "POST /networks/create 409": "the name is taken",
    "POST /volumes/create 404": "nobody has this volume driver",
    r"GET /containers/\{id\}/logs 501": "the log driver none keeps nothing that could be read",
    r"POST /exec/\{id\}/start 101": "as with attach, where the client asked for an upgrade",
}
OUR_STATUSES = {
    r"POST /containers/\{id\}/unpause 409": "as of the other verbs; dockerd up to 20.10 calls it a server error",
    "POST /networks/create 503": "an overlay needs a swarm; dockerd up to 20.10 calls that a server error",
    "POST /containers/create 413": "a body may have so many bytes; dockerd reads any number",
    ".* 501": "what this engine does not serve",
}

# Answers of JSON of which dockerd 20.10 does not say that they are.
UNNAMED_MEDIA_TYPE = ("GET /containers/{id}/stats 200",)  # where they go on

# Fields that the description does not have: the answer, and the field's place in it (fnmatch patterns).
UNDESCRIBED_FIELDS = {
    "*: *Networks.*.DNSNames": "since API 1.45",
    "*: *VolumeOptions.Subpath": "since API 1.45",
    "GET /system/df 200: BuilderSize": "dockerd sends it too; described since API 1.42",
    "GET /events 200: status": "Action under its old name; dockerd sends it too",
    "GET /events 200: id": "Actor.ID under its old name; dockerd sends it too",
    "GET /events 200: from": "the image, as events had it before Actor; dockerd sends it too",
    "POST /images/{name}/push 200: id": "the layer; dockerd sends it too",
    "POST /images/{name}/push 200: aux": "tag, digest and size of what was pushed; dockerd sends it too",
    "POST /images/{name}/push 200: errorDetail": "as with a pull; dockerd sends it too",
    # of stats the description has no schema, but an example, from a kernel of years ago
    "GET /containers/{id}/stats 200: memory_stats.stats.*": "whatever the kernel counts",
    "GET /containers/{id}/stats 200: pids_stats.limit": "dockerd sends it too, where there is a limit",
    "GET /containers/{id}/stats 200: name": "dockerd sends it too",
    "GET /containers/{id}/stats 200: id": "dockerd sends it too",
    "GET /containers/{id}/stats 200: preread": "dockerd sends it too",
    "GET /containers/{id}/stats 200: num_procs": "a field for Windows; dockerd sends it too",
    "GET /containers/{id}/stats 200: storage_stats": "a field for Windows; dockerd sends it too",
}
