"""The exercises of lesson 16: what learners do, and what the checks say."""

import io
from functools import partial

import pytest

from labkit.lessons import lesson_16
from labkit.lessons.checks_16 import GATE, INNER, LATE, MINE, NET, SITE, VAULT
from tests.lessons.attempts import Attempt, assert_not_tried, exercise_tests, until_it_answers

WORD, ALIAS = "dingo", "archive"  # drawn with the seed of conftest.py
LOCAL, BASE = "127.0.0.1", "labkit/base"
DOCKERFILE = b"""
FROM labkit/base
EXPOSE 80
CMD mkdir -p /www; echo "page of $NAME" > /www/index.html; exec busybox httpd -f -p 80 -h /www
"""


def run(client, name, image=SITE, command=None, **options):
    return client.containers.run(image, command, name=name, detach=True, **options)


def network(client, name, **options):
    """A network without the course's label, as a learner makes it; the lesson removes what is in its cast."""
    return client.networks.create(name, **options)


# --- publish --------------------------------------------------------------------------------------


def mine(name=MINE, word=WORD, ports=None, **options):
    ports = {"80/tcp": (LOCAL, None)} if ports is None else ports
    return lambda client: run(client, name, environment={"NAME": word}, ports=ports, **options)


def mine_created(client):
    client.containers.create(SITE, name=MINE, environment={"NAME": WORD}, ports={"80/tcp": (LOCAL, None)})


def mine_without_a_server(client):
    ended = run(client, MINE, command="true", ports={"80/tcp": (LOCAL, None)})
    ended.wait(timeout=20)


def mine_low_level(client):
    host = client.api.create_host_config(port_bindings={80: (LOCAL,)})
    made = client.api.create_container(SITE, name=MINE, environment=[f"NAME={WORD}"], ports=[80], host_config=host)
    client.api.start(made)


# --- join -----------------------------------------------------------------------------------------


def connect(*aliases, name=NET):
    return lambda client: client.networks.get(name).connect(LATE, aliases=list(aliases) or None)


def connect_twice(client):
    connect()(client)
    client.networks.get(NET).disconnect(LATE)
    connect("spare", ALIAS)(client)


def join_another(client):
    network(client, INNER)
    connect(ALIAS, name=INNER)(client)


def join_and_restart(client):
    connect(ALIAS)(client)
    client.containers.get(LATE).restart(timeout=0)


def late_removed(client):
    client.containers.get(LATE).remove(force=True)


# --- doorman --------------------------------------------------------------------------------------


def doorman(internal=True, gate=(INNER, NET), vault=(INNER,)):
    def do(client):
        network(client, INNER, internal=internal)
        for name, (first, *more) in {GATE: gate, VAULT: vault}.items():
            run(client, name, network=first)
            for further in more:
                client.networks.get(further).connect(name)

    return do


def only_containers(client):
    run(client, VAULT)


def one_missing(client):
    network(client, INNER, internal=True)
    run(client, VAULT, network=INNER)


def one_ended(client):
    doorman()(client)
    client.containers.get(GATE).kill()
    client.containers.get(GATE).wait(timeout=20)


page = partial(Attempt, "publish")
late = partial(Attempt, "join")
door = partial(Attempt, "doorman")

RIGHT = [
    page("run", mine()),
    page("the calls below", mine_low_level),
    late("with a further name", connect(ALIAS)),
    late("connected again", connect_twice),
    door("the doorman starts inside", doorman()),
    door("the doorman starts outside", doorman(gate=(NET, INNER))),
]
WRONG = [
    page("no ports", mine(ports={}), "none of its ports is published", "not published"),
    page("on all addresses", mine(ports={"80/tcp": None}), "on all addresses", "open to all"),
    page("another port inside", mine(ports={"8080/tcp": (LOCAL, None)}), "8080/tcp is published", "wrong port"),
    page("a neighbour's word", mine(word="badger"), "page of badger", "wrong answer"),
    page("created only", mine_created, "never started", "not started"),
    page("no server", mine_without_a_server, "exited, with code 0", "exited"),
    page("nobody listens", mine(command="sleep 60"), "gives no answer", "no answer"),
    page("base image", mine(image=BASE, command="sleep 60"), f"made from {BASE}", "wrong image"),
    page("slip", mine(name="lab16-main"), "called lab16-main", "misnamed"),
    late("without the name", connect(), f"nobody there is called {ALIAS}", "no alias"),
    late("another network", join_another, f"is on {INNER}", "wrong network"),
    late("restarted", join_and_restart, "has ended in the meantime", "started anew"),
    late("removed", late_removed, "was removed", "gone"),
    door("with a way out", doorman(internal=False), "with a way out", "not internal"),
    door("no network", only_containers, f"no network {INNER}", "wrong network"),
    door("no doorman", one_missing, f"{GATE} missing", "too few"),
    door("the doorman inside only", doorman(gate=(INNER,)), f"not on {NET}", "wrong network"),
    door("the safe outside too", doorman(vault=(INNER, NET)), "as well", "too many"),
    door("the safe outside only", doorman(vault=(NET,)), f"{VAULT} is on {NET}", "wrong network"),
    door("the doorman has ended", one_ended, f"{GATE} is exited", "exited"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 16 where its own cells have been run: the image, the network, and a container on the default bridge."""
    begun = begin("16")
    client.images.build(fileobj=io.BytesIO(DOCKERFILE), tag=SITE, rm=True)
    network(client, NET)
    run(client, LATE)
    return begun


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_16.LESSON, RIGHT, WRONG, until_it_answers
)


def test_nothing_of_the_lesson_is_there_yet(begin):
    """Whoever skips the lesson's first cells has tried nothing."""
    assert_not_tried(begin("16"))
