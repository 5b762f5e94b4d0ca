"""The exercises of lesson 09: what learners do, and what the checks say."""

import io
from functools import partial

import pytest

from labkit.lessons import lesson_09
from labkit.lessons.checks_09 import AUTH, CATALOG, FOUR, REVIEWS, SHOP, STORE, STORE_TWO
from tests.contract.helpers import tar_of
from tests.lessons.attempts import Attempt, assert_not_tried, exercise_tests, until_it_answers

WORD, LAMPS = "bright", 20  # drawn with the seed of conftest.py
DOCKERFILE = "FROM labkit/base\nCOPY service.sh /www/cgi-bin/index.cgi\nCMD {}\n"
SERVE = '["busybox", "httpd", "-f", "-p", "80", "-h", "/www"]'
HEADER = "#!/bin/sh\necho 'Content-Type: text/plain'; echo\n"


def build(client, tag, line, command=SERVE):
    files = {"Dockerfile": DOCKERFILE.format(command), "service.sh": HEADER + line}
    context = tar_of({name: text.encode() for name, text in files.items()}, mode=0o755)
    client.images.build(fileobj=io.BytesIO(context), custom_context=True, tag=tag, rm=True)


def start(client, name, image=None, network=SHOP):
    return client.containers.run(image or name, name=name, network=network, detach=True)


def gone(client, name):
    client.containers.get(name).remove(force=True)


def replaced(client, name, image=None, network=SHOP):
    gone(client, name)
    return start(client, name, image, network)


# --- what a learner does -----------------------------------------------------------------------------------------


def reviews(line=f"echo {WORD}", command=SERVE, name=REVIEWS, **options):
    def do(client):
        build(client, REVIEWS, line, command)
        return start(client, name, REVIEWS, **options)

    return do


def reviews_connected_later(client):
    late = reviews(network=None)(client)
    client.networks.get(SHOP).connect(late)


def reviews_from_another_image(client):
    build(client, REVIEWS, f"echo {WORD}")
    start(client, REVIEWS, CATALOG)


def store_two(line=f"echo 'kettle 3, lamp {LAMPS}, rug 7'", **options):
    def do(client):
        build(client, STORE_TWO, line)
        replaced(client, STORE, STORE_TWO, **options)

    return do


def store_two_by_rename(client):
    build(client, STORE_TWO, f"echo lamps {LAMPS}")
    client.containers.get(STORE).rename("lab09-store-old")
    start(client, STORE, STORE_TWO)


def store_two_only_built(client):
    build(client, STORE_TWO, f"echo {LAMPS}")


def store_mended(client):
    line = f"echo 'echo lamp {LAMPS}' >> /www/cgi-bin/index.cgi"
    client.containers.get(STORE).exec_run(["sh", "-c", line])


def store_removed(client):
    store_two_only_built(client)
    gone(client, STORE)


def killed(client):
    client.containers.get(AUTH).kill()
    client.containers.get(AUTH).wait(timeout=20)


def started_again(client):
    client.containers.get(AUTH).restart(timeout=0)


def auth(**options):
    return lambda client: replaced(client, AUTH, **options)


def auth_and_catalog(client):
    replaced(client, AUTH)
    client.containers.get(CATALOG).kill()
    client.containers.get(CATALOG).wait(timeout=20)


def killed_removed_started(client):
    killed(client)
    client.containers.get(AUTH).remove()
    start(client, AUTH)


fifth = partial(Attempt, "fifth-service")
second = partial(Attempt, "second-version")
replace = partial(Attempt, "replace-auth")

RIGHT = [
    fifth("as the others", reviews()),
    fifth("connected later", reviews_connected_later),
    second("removed and started", store_two()),
    second("the old one renamed", store_two_by_rename),
    replace("removed by force", auth()),
    replace("step by step", killed_removed_started),
]
WRONG = [
    fifth("no network", reviews(network=None), f"not on {SHOP}", "wrong network"),
    fifth("an image, no container", lambda c: build(c, REVIEWS, "true"), "no container of that name", "too few"),
    fifth("misspelt", reviews(name="lab09-review"), "called lab09-review", "misnamed"),
    fifth("another image", reviews_from_another_image, f"made from {CATALOG}", "wrong image"),
    fifth("a neighbour's word", reviews("echo shiny"), "answers 'shiny'", "wrong answer"),
    fifth("another port", reviews(command=SERVE.replace("80", "8080")), "gives no answer", "no answer"),
    fifth("no server", reviews(command='["true"]'), "has exited with code 0", "exited"),
    second("only built", store_two_only_built, "comes from another image", "wrong image"),
    second("mended by hand", store_mended, "changed by hand", "repaired"),
    second("old one removed", store_removed, f"no container is called {STORE}", "gone"),
    second("the old number", store_two("echo 'lamp 0'"), "answers 'lamp 0'", "wrong answer"),
    second("no network", store_two(network=None), f"not on {SHOP}", "wrong network"),
    replace("killed", killed, "the dead container still has the name", "still there"),
    replace("restarted", started_again, "the same container", "repaired"),
    replace("removed", lambda c: gone(c, AUTH), "nothing is in its place", "gone"),
    replace("another image", auth(image=CATALOG), f"made from {CATALOG}", "wrong image"),
    replace("no network", auth(network=None), f"not on {SHOP}", "wrong network"),
    replace("one more down", auth_and_catalog, f"{CATALOG} does not run", "too few"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 09 where its own cells have been run: four images, a network, four services on it."""
    begun = begin("09")
    client.networks.create(SHOP)
    for name in FOUR:
        build(client, name, f"echo I am {name}")
        start(client, name)
    return begun


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_09.LESSON, RIGHT, WRONG, until_it_answers
)


def test_nothing_of_the_lesson_is_there_yet(begin):
    """Whoever skips the lesson's first cells has tried nothing."""
    assert_not_tried(begin("09"))
