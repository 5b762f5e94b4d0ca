"""The checks of lesson 12: each reads what the engine has written down of a container: state, restarts, health."""

from collections.abc import Callable
from typing import Any

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, exit_code
from labkit.lessons.material import Outcome, not_yet, passed
from labkit.lessons.missing import missing

TRIES, SICK, SURVIVOR = "lab12-tries", "lab12-sick", "lab12-survivor"

# the parts of the notebook that a message sends back to
APP, ALWAYS, STOPPED = "An app that can crash", "Restart always", "What you stop stays stopped"
FAILURE, HUNG = "Only on failure", "What a restart can't mend: a hung process"

Wrong = tuple[str, str, str]  # a slip, what was seen, where to look


def _judge(
    evidence: Evidence,
    name: str,
    expected: str,
    look: str,
    fault: Callable[[Evidence, Container], Wrong | None],
    done: Callable[[Container], str],
) -> Outcome:
    """Each task is about one container: it is not there, there is a fault, or all is done."""
    container = evidence.container(name)
    if container is None:
        return missing(evidence, name, expected, look)
    if wrong := fault(evidence, container):
        slip, seen, place = wrong
        return not_yet(slip, seen, expected, place)
    return passed(done(container))


def _policy(container: Container) -> str:
    """The name of its restart policy. An engine may write none down, which means `no`."""
    return (container.attrs["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no"


def _restarts(container: Container) -> int:
    return int(container.attrs["RestartCount"])


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


# --- give-up --------------------------------------------------------------------------------------


def _wanted(evidence: Evidence) -> int:
    """How many restarts are this learner's task."""
    return int(evidence.words["tries"])


def give_up(evidence: Evidence) -> Outcome:
    """A container that failed, was restarted a given number of times, and no more."""
    often = _times(_wanted(evidence))
    expected = f"{TRIES}, which has failed, was restarted {often}, and has exited"
    done = f"{TRIES} was restarted {often}; then the engine gave up"
    return _judge(evidence, TRIES, expected, FAILURE, _not_given_up, lambda _: done)


def _not_given_up(evidence: Evidence, container: Container) -> Wrong | None:
    wanted, policy, count = _wanted(evidence), _policy(container), _restarts(container)
    if container.status == "created":
        return "not started", f"{TRIES} was created, and not started", FAILURE
    if policy == "no":
        return "no policy", f"{TRIES} is {container.status}, and its restart policy is no", ALWAYS
    if policy != "on-failure":
        return "no end", f"its policy is {policy}: restarted {_times(count)} so far, and it goes on", FAILURE
    limit = container.attrs["HostConfig"]["RestartPolicy"]["MaximumRetryCount"]
    if limit != wanted:
        return "wrong retries", f"the limit of its policy is {limit or 'not set'}", FAILURE
    if container.status != "exited":
        return "not over", f"{TRIES} is {container.status}, restarted {_times(count)} so far", FAILURE
    if exit_code(container) == 0:
        return "wrong code", f"{TRIES} ended with 0, which is no failure", FAILURE
    if count != wanted:
        return "called off", f"{TRIES} has exited after {count} restarts: somebody stopped it", STOPPED
    return None


# --- sick -----------------------------------------------------------------------------------------


def sick(evidence: Evidence) -> Outcome:
    """A container that was healthy, is unhealthy, and runs."""
    expected = f"{SICK}, running, with a health check that was passed before, and fails now"
    done = f"{SICK} is unhealthy, and runs: the engine shows it and does nothing"
    return _judge(evidence, SICK, expected, HUNG, _not_sick, lambda _: done)


def _not_sick(evidence: Evidence, container: Container) -> Wrong | None:
    health: dict[str, Any] = container.attrs["State"].get("Health") or {}
    mark = f"healthy {container.id}"
    if health.get("Status") == "healthy" or evidence.happened(SICK, "health_status: healthy"):
        evidence.seen.add(mark)
    if container.status == "created":
        return "not started", f"{SICK} was created, and not started", HUNG
    if not container.attrs["Config"].get("Healthcheck"):
        return "no health check", f"{SICK} is {container.status}, and has no health check", HUNG
    if container.status != "running":
        return "exited", f"{SICK} is {container.status}: it does not run", HUNG
    if health.get("Status") != "unhealthy":
        return (
            "not sick",
            f"{SICK} is {health.get('Status')}; bad answers in a row: {health.get('FailingStreak')}",
            HUNG,
        )
    if mark not in evidence.seen:
        return "never healthy", f"{SICK} is unhealthy, and never was healthy", HUNG
    return None


# --- crash-and-stop -------------------------------------------------------------------------------


def crash_and_stop(evidence: Evidence) -> Outcome:
    """A container that the engine has brought back, and that somebody has stopped then."""
    expected = f"{SURVIVOR}, restarted by the engine at least once, and then stopped by you"
    return _judge(evidence, SURVIVOR, expected, STOPPED, _not_survived, _survived)


def _survived(container: Container) -> str:
    return f"{SURVIVOR} was brought back {_times(_restarts(container))}, and stays down since you stopped it"


def _not_survived(evidence: Evidence, container: Container) -> Wrong | None:
    policy, count, status = _policy(container), _restarts(container), container.status
    if status == "created":
        return "not started", f"{SURVIVOR} was created, and not started", ALWAYS
    if policy == "no":
        return "no policy", f"{SURVIVOR} is {status}, and its restart policy is no", ALWAYS
    if count == 0:
        seen = f"{SURVIVOR} is {status}, and the engine never had to restart it"
        return "never crashed", seen, STOPPED if status == "exited" else APP
    if status != "exited":
        return "not stopped", f"{SURVIVOR} was restarted {_times(count)}, and is {status}", STOPPED
    if not (evidence.happened(SURVIVOR, "stop") or evidence.happened(SURVIVOR, "kill")):
        return "given up", f"{SURVIVOR} was restarted {_times(count)}, and ended by itself at last", STOPPED
    return None
