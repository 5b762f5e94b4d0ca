"""The exercises of lesson 13: what learners do, and what the checks say."""

import io
from functools import partial

import pytest

from labkit.lessons import lesson_13
from labkit.lessons.checks_13 import BASE, DESK, FIXED, HELPER, ORDERS, PAGE, QUIET, SLIM
from labkit.lessons.draw import seeded
from tests.contract.helpers import tar_of
from tests.lessons.attempts import Attempt, assert_not_tried, exercise_tests

WORDS = {parameter.key: seeded(parameter, "course 13") for parameter in lesson_13.LESSON.parameters}
WORD, TEXT = WORDS["word"], f"{WORDS['orders']} orders\n"
SLIM_DOCKERFILE = """
FROM scratch
LABEL labkit=course
COPY --from=labkit/base /bin/busybox /httpd
COPY page.html {path}
CMD ["/httpd", "-f", "-p", "80", "-h", "/www"]
"""
BESIDE = {"pid_mode": f"container:{QUIET}", "network_mode": f"container:{QUIET}"}


def build(client, tag, dockerfile, text=WORD):
    context = tar_of({"Dockerfile": dockerfile.encode(), "page.html": text.encode()})
    client.images.build(fileobj=io.BytesIO(context), custom_context=True, tag=tag, rm=True)


def run(client, name, image=BASE, command=None, **options):
    return client.containers.run(image, command, name=name, detach=True, **options)


def put(client, name, place, file, text):
    client.containers.get(name).put_archive(place, tar_of({file: text.encode()}))


# --- what a learner does -----------------------------------------------------------------------------------------


def helper(name=HELPER, image=BASE, command="sleep 600", **options):
    return lambda client: run(client, name, image, command, **(options or BESIDE))


def helper_ended(client):
    run(client, HELPER, command="true", **BESIDE).wait(timeout=20)


def helper_by_id(client):
    quiet = client.containers.get(QUIET).id
    run(client, HELPER, command="sleep 600", pid_mode=f"container:{quiet}", network_mode=f"container:{quiet}")


def helper_beside_another(client):
    other = f"container:{run(client, 'lab13-slim', SLIM).name}"
    run(client, HELPER, command="sleep 600", pid_mode=other, network_mode=other)


def carried(place="/", command="sleep 600"):
    def do(client):
        desk = run(client, DESK, command=command)
        chunks, _ = client.containers.get(QUIET).get_archive(ORDERS)
        desk.put_archive(place, b"".join(chunks))

    return do


def desk_with(text):
    def do(client):
        run(client, DESK, command="sleep 600")
        if text is not None:
            put(client, DESK, "/", "orders.txt", text)

    return do


def quiet_removed(client):
    desk_with(None)(client)
    client.containers.get(QUIET).remove(force=True)


def fixed(dockerfile=f"FROM {SLIM}\nCOPY page.html {PAGE}\n", text=f"Here is the {WORD}", image=FIXED, **options):
    def do(client):
        build(client, FIXED, dockerfile, text)
        return run(client, FIXED, image, **options)

    return do


def mended(client):
    run(client, FIXED, SLIM)
    put(client, FIXED, "/www", "index.html", WORD)


def new_image_mended(client):
    fixed(f"FROM {SLIM}\nCOPY page.html /www/other.html\n")(client)
    put(client, FIXED, "/www", "index.html", WORD)


def fixed_and_ended(client):
    """Its program fails at once."""
    fixed(command=["/httpd", "-h", "/nowhere"])(client).wait(timeout=20)


def page_is_wrong(client):
    fixed(text="Welcome")(client)


WITH_SHELL = f'FROM {BASE}\nCOPY page.html {PAGE}\nCMD ["busybox", "httpd", "-f", "-p", "80", "-h", "/www"]\n'

beside = partial(Attempt, "helper")
carry = partial(Attempt, "carry")
repair = partial(Attempt, "fixed")

RIGHT = [
    beside("by name", helper()),
    beside("by id", helper_by_id),
    carry("the archive passed on", carried()),
    carry("the text written anew", desk_with(TEXT)),
    repair("on the old image", fixed()),
    repair("from scratch", fixed(SLIM_DOCKERFILE.format(path=PAGE))),
]
WRONG = [
    beside("processes only", helper(pid_mode=f"container:{QUIET}"), "its own network", "too few"),
    beside("network only", helper(network_mode=f"container:{QUIET}"), "its own processes", "too few"),
    beside("the host's", helper(pid_mode=f"container:{QUIET}", network_mode="host"), "with the host", "wrong place"),
    beside("another one's", helper_beside_another, f"than {QUIET}", "wrong one"),
    beside("from the slim image", helper(image=SLIM, command=None, pid_mode=f"container:{QUIET}"),
           f"made from {SLIM}", "wrong image"),
    beside("ended", helper_ended, "is exited, with code 0", "exited"),
    beside("slip", helper(name="lab13-helpers"), "called lab13-helpers", "misnamed"),
    beside("no name", helper(name=None, labels=["lab13"]), "name that Docker made up", "unnamed"),
    carry("removed", lambda c: run(c, DESK, command="true").remove(force=True), "has been removed", "gone"),
    carry("nothing carried", desk_with(None), "has no /orders.txt", "nothing changed"),
    carry("another folder", carried("/tmp"), "has /tmp/orders.txt", "wrong place"),
    carry("another text", desk_with("1 orders"), "reads '1 orders'", "wrong content"),
    carry("the quiet one is gone", quiet_removed, f"{QUIET} is not", "gone"),
    repair("mended by hand", mended, "was mended by hand", "repaired"),
    repair("the old image", lambda c: run(c, FIXED, SLIM), "the image with the mistake", "wrong image"),
    repair("a new image, and mended", new_image_mended, "is not in its image", "repaired"),
    repair("with a shell", fixed(WITH_SHELL), "has /bin/sh", "too big"),
    repair("in another place", fixed(f"FROM {SLIM}\nCOPY page.html /index.html\n"), "has no /www/index", "wrong place"),
    repair("without the word", page_is_wrong, "reads 'Welcome'", "wrong content"),
    repair("ended", fixed_and_ended, "is exited", "exited"),
]  # fmt: skip


@pytest.fixture
def lesson(client, begin):
    """Lesson 13 where its own cells have been run: the slim image, and a quiet container with a list of orders."""
    begun = begin("13")
    build(client, SLIM, SLIM_DOCKERFILE.format(path="/www/welcome.html"))
    run(client, QUIET, SLIM)
    put(client, QUIET, "/www", "orders.txt", TEXT)
    return begun


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_13.LESSON, RIGHT, WRONG
)


def test_nothing_of_the_lesson_is_there_yet(begin):
    """Whoever skips the lesson's first cells has tried nothing."""
    assert_not_tried(begin("13"))
