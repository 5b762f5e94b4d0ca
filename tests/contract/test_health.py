"""Health checks: a command that the engine runs in a container again and again."""

import time

import docker
import pytest

from tests.contract.helpers import eventually

SECOND = 10**9
OFTEN = {"interval": SECOND // 4, "timeout": 5 * SECOND, "retries": 2}


def start(client, image, test, **changes):
    check = {"test": test, **OFTEN, **changes}
    return client.containers.run(image, ["sleep", "600"], healthcheck=check, detach=True)


def health(container) -> dict:
    container.reload()
    return container.attrs["State"].get("Health") or {}


def becomes(container, status: str) -> dict:
    eventually(lambda: health(container).get("Status") == status, 20)
    return health(container)


def shown(client, container) -> str:
    (row,) = client.api.containers(all=True, filters={"id": container.id})
    return row["Status"]


def test_it_starts_with_starting(client, image):
    container = start(client, image, ["CMD", "true"], interval=600 * SECOND)
    assert health(container) == {"Status": "starting", "FailingStreak": 0, "Log": []}
    assert shown(client, container).endswith("(health: starting)")


def test_without_a_check_there_is_no_health(client, image):
    for test in (None, ["NONE"]):
        container = client.containers.run(
            image, ["sleep", "600"], healthcheck={"test": test} if test else None, detach=True
        )
        assert "Health" not in container.attrs["State"]


def test_healthy(client, image):
    container = start(client, image, "echo out; echo err >&2; id -u")
    found = becomes(container, "healthy")
    (result, *_) = found["Log"]
    assert found["FailingStreak"] == 0 and result["ExitCode"] == 0
    assert sorted(result["Output"].split()) == ["0", "err", "out"]
    assert result["Start"] < result["End"]
    assert shown(client, container).endswith("(healthy)")


def test_unhealthy_and_healthy_again(client, image):
    container = start(client, image, ["CMD-SHELL", "test -e /well || exit 3"])
    found = becomes(container, "unhealthy")
    assert found["FailingStreak"] >= 2 and found["Log"][-1]["ExitCode"] == 3
    assert shown(client, container).endswith("(unhealthy)")
    container.exec_run(["touch", "/well"])
    assert becomes(container, "healthy")["FailingStreak"] == 0


def test_the_log_has_five_results_at_most(client, image):
    container = start(client, image, ["CMD", "false"], interval=SECOND // 20)
    eventually(lambda: health(container)["FailingStreak"] > 6, 20)
    assert len(health(container)["Log"]) == 5


def test_a_check_that_takes_too_long(client, image):
    container = start(client, image, ["CMD", "sleep", "60"], timeout=SECOND // 2)
    (result, *_) = becomes(container, "unhealthy")["Log"]
    assert (result["ExitCode"], result["Output"]) == (-1, "Health check exceeded timeout (500ms)")
    # dockerd 20.10 leaves the program behind; later ones and ours kill it
    assert container.attrs["State"]["Running"] is True


def test_a_check_that_is_no_program(client, image):
    container = start(client, image, ["CMD", "labkit-nosuch"])
    (result, *_) = becomes(container, "unhealthy")["Log"]
    assert result["ExitCode"] == -1
    assert 'exec: "labkit-nosuch": executable file not found in $PATH' in result["Output"]


def test_long_output_is_cut(client, image):
    container = start(client, image, "head -c 5000 /dev/zero | tr '\\0' x")
    (result, *_) = becomes(container, "healthy")["Log"]
    assert result["Output"] == "x" * 4096 + "..."


def test_in_the_start_period_failures_do_not_count(client, image):
    container = start(client, image, ["CMD", "false"], start_period=600 * SECOND, retries=1)
    eventually(lambda: len(health(container)["Log"]) > 2, 20)
    assert (health(container)["Status"], health(container)["FailingStreak"]) == ("starting", 0)


def test_it_runs_as_the_containers_user_with_its_environment(client, image):
    check = {"test": "id -u; echo $COLOUR; pwd", **OFTEN}
    container = client.containers.run(
        image, ["sleep", "600"], healthcheck=check, user="postgres", environment={"COLOUR": "blue"},
        working_dir="/tmp", detach=True,
    )  # fmt: skip
    assert becomes(container, "healthy")["Log"][0]["Output"] == "70\nblue\n/tmp\n"


def test_events(client, image):
    since = int(time.time())
    container = start(client, image, ["CMD-SHELL", "test -e /well"])
    becomes(container, "unhealthy")
    container.exec_run(["touch", "/well"])
    becomes(container, "healthy")
    wanted = {"container": [container.id], "event": ["health_status"]}
    told = client.events(since=since, until=int(time.time()) + 1, decode=True, filters=wanted)
    assert [event["Action"] for event in told] == ["health_status: unhealthy", "health_status: healthy"]


def test_list_by_health(client, image):
    well = start(client, image, ["CMD", "true"])
    ill = start(client, image, ["CMD", "false"])
    new = start(client, image, ["CMD", "true"], interval=600 * SECOND)
    none = client.containers.run(image, ["sleep", "600"], detach=True)
    becomes(well, "healthy")
    becomes(ill, "unhealthy")
    for status, wanted in {"healthy": well, "unhealthy": ill, "starting": new, "none": none}.items():
        found = client.containers.list(filters={"health": status, "ancestor": image})
        assert found == [wanted]


def test_when_it_ends_nobody_looks_any_more(client, image):
    container = start(client, image, ["CMD", "true"])
    becomes(container, "healthy")
    container.kill()
    container.wait(timeout=20)
    assert health(container)["Status"] == "unhealthy"
    assert "healthy)" not in shown(client, container)
    container.start()
    assert health(container)["Status"] == "starting"


def test_the_images_check_and_the_requests(client, image):
    base = client.containers.create(image)
    made = base.commit("labkit-test/health", changes='HEALTHCHECK --interval=7s --retries=5 CMD ["true"]')
    asked = {"interval": 9 * SECOND}
    container = client.containers.create(made.id, ["sleep", "600"], healthcheck=asked)
    assert container.attrs["Config"]["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 9 * SECOND, "Retries": 5}
    off = client.containers.create(made.id, ["sleep", "600"], healthcheck={"test": ["NONE"]})
    off.start()
    assert health(off) == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"interval": 1000}, "Interval in Healthcheck cannot be less than 1ms"),
        ({"timeout": -1}, "Timeout in Healthcheck cannot be less than 1ms"),
        ({"start_period": 1}, "StartPeriod in Healthcheck cannot be less than 1ms"),
        ({"retries": -1}, "Retries in Healthcheck cannot be negative"),
    ],
)
def test_numbers_that_make_no_sense(client, image, changes, words):
    with pytest.raises(docker.errors.APIError) as refusal:
        client.containers.create(image, healthcheck={"test": "true", **changes})
    assert (refusal.value.status_code, refusal.value.explanation) == (400, words)
