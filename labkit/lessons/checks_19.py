"""The checks of lesson 19: each runs containers with the learner's own engine, and looks at what they say."""

from collections.abc import Callable

from labkit import child
from labkit.child import Child, ChildError
from labkit.lessons.evidence import Evidence
from labkit.lessons.material import Outcome, not_tried, not_yet, passed
from labkit.lessons.promises import IMAGE, PROMISES, NoRun, Promise, Run, answer, broken, of_child

# the parts of the notebook that a message sends back to
PROGRAM, FILES = "Run a program", "Give it the image's files"
VIEWS, POWERS = "Give it views of its own", "Take powers away"
LOOK = {
    **{"files": FILES, "fresh": FILES, "pid 1": VIEWS, "processes": VIEWS, "hostname": VIEWS},
    "powers": POWERS,
}
Ask = Callable[[Run], Outcome]
NEW = "your own new child, beside the lesson's"


def _learners(expected: str) -> Child | Outcome:
    """The child that the learner made last, with Python still in it; the lesson's own is the first."""
    made = child.children()
    if len(made) < 2:
        return not_tried("no child beside the lesson's own", expected, PROGRAM)
    last = made[-1]
    if last.program != "python":
        return not_yet("exited", f"the last child is not Python any more: {last.program}", expected, PROGRAM)
    return last


def _tried(expected: str, look: str, ask: Ask) -> Outcome:
    """Ask the learner's `run`; a child without one, or that ends meanwhile, is an answer too."""
    found = _learners(expected)
    if isinstance(found, Outcome):
        return found
    try:
        return ask(of_child(found))
    except NoRun as error:
        return not_yet("no run", f"`run` gave no output and exit code, but: {error}", expected, look)
    except ChildError as error:
        return not_yet("exited", f"the child has ended: {error}", expected, look)


# --- own-page -------------------------------------------------------------------------------------


def own_page(evidence: Evidence) -> Outcome:
    """A second child whose `run` keeps every promise, with the learner's word as hostname."""
    word = str(evidence.words["word"])
    expected = f"in {NEW}, a `run` that keeps all {len(PROMISES)} promises, with the hostname {word}"

    def ask(run: Run) -> Outcome:
        missed = broken(run, word)
        if not missed:
            return passed(f"a container engine of your own: {len(PROMISES)} promises of {len(PROMISES)}, on {word}")
        first = missed[0]
        kept = f"{len(PROMISES) - len(missed)} of {len(PROMISES)} promises are kept"
        seen = f"{kept}; the first that is not: {first.says}{_what_came(run, first)}"
        return not_yet(first.slip, seen, expected, LOOK.get(first.key, PROGRAM))

    return _tried(expected, PROGRAM, ask)


def _what_came(run: Run, promise: Promise) -> str:
    """The last line that was printed instead: often it is the error that tells why nothing runs yet."""
    lines = answer(run, promise)[0].strip().splitlines()
    return f" (`{' '.join(promise.commands[-1])}` printed: {lines[-1]})" if lines else ""


# --- read-only ------------------------------------------------------------------------------------


def read_only(evidence: Evidence) -> Outcome:
    """A `run` whose containers can read the image's files, and write nowhere but in /tmp."""
    expected = f"in {NEW}, a `run` whose containers can write in /tmp and nowhere else"

    def ask(run: Run) -> Outcome:
        read, _ = run(["cat", "/etc/motd"])
        _, writes = run(["touch", "/home/new"])
        _, notes = run(["touch", "/tmp/new"])
        if IMAGE not in read:
            return not_yet("old root", "`cat /etc/motd` does not print the image's file", expected, FILES)
        if not writes:
            return not_yet("writable", "`touch /home/new` succeeds", expected, FILES)
        if notes:
            return not_yet("no room", "`touch /tmp/new` fails: there is no place to write at all", expected, FILES)
        return passed("a sealed container with one pocket: what `docker run --read-only --tmpfs /tmp` makes")

    return _tried(expected, FILES, ask)


# --- volume ---------------------------------------------------------------------------------------


def volume(evidence: Evidence) -> Outcome:
    """A `run` whose containers share a folder /data that outlives them, and nothing else."""
    word = str(evidence.words["word"])
    expected = f"in {NEW}, a `run` where /data is kept from container to container, and /tmp is not"

    def ask(run: Run) -> Outcome:
        _, writes = run(["sh", "-c", f"echo {word} > /data/note"])
        run(["touch", "/tmp/mark"])
        note, reads = run(["cat", "/data/note"])
        listed, _ = run(["ls", "/tmp"])
        if writes:
            return not_yet("no volume", "nothing can be written to /data", expected, FILES)
        if reads or note != f"{word}\n":
            return not_yet("not kept", "what one container wrote to /data, the next does not find", expected, FILES)
        if "mark" in listed:
            return not_yet("not fresh", "/tmp is kept as well: that layer is not fresh", expected, FILES)
        return passed(f"one container wrote {word} into /data, the next one read it, and /tmp was fresh")

    return _tried(expected, FILES, ask)
