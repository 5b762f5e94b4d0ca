"""The `docker` command over the Docker SDK, for a machine that has an engine and no docker command.

It takes the verbs that the lessons use, with the options that they use, and prints what the stock command prints.
What it doesn't know it refuses by name; it never guesses. Left out: everything that wants a terminal (`labkit exec`
has that), builds, registries, and the settings of the stock command (contexts, credentials, aliases).

Files in reading order:
    words.py       a command line taken apart: options as the stock command writes them
    verbs.py       the table: each verb with its options and its function
    layout.py      columns, ages and sizes, as docker prints them
    template.py    `--format`: the part of Go's templates that people type
    lists.py       ps, images, history, top, diff, port
    life.py        start, stop, restart, kill, pause, unpause, wait, rename, rm
    spec.py        the options of `run` as what the SDK takes
    run.py         create, run, exec, logs
    images.py      commit, tag, rmi
    copying.py     cp
    facts.py       inspect, version, info
"""

from labkit.docker_command.verbs import execute

__all__ = ["execute"]
