"""The create request joined with the image's config."""

import pytest

from labkit.engine.api.shapes import check
from labkit.engine.containers import body, defaults
from labkit.engine.errors import BadParameter

IMAGE = {
    "Entrypoint": ["/entry"],
    "Cmd": ["serve"],
    "Env": ["PATH=/bin", "A=image"],
    "Labels": {"labkit": "course", "x": "image"},
    "WorkingDir": "/srv",
    "User": "web",
    "StopSignal": "SIGUSR1",
    "ExposedPorts": {"80/tcp": {}},
}

COMMANDS = [  # request: what is executed
    ({}, (["/entry"], ["serve"])),
    ({"Cmd": ["other"]}, (["/entry"], ["other"])),
    ({"Cmd": "one word"}, (["/entry"], ["one word"])),
    ({"Entrypoint": ["sh"]}, (["sh"], None)),
    ({"Entrypoint": "sh"}, (["sh"], None)),
    ({"Entrypoint": ["sh"], "Cmd": ["-c"]}, (["sh"], ["-c"])),
    ({"Entrypoint": [""], "Cmd": ["true"]}, (None, ["true"])),
    ({"Entrypoint": [], "Cmd": ["true"]}, (None, ["true"])),
]


@pytest.mark.parametrize(("asked", "wanted"), COMMANDS, ids=[str(asked) for asked, _ in COMMANDS])
def test_entrypoint_and_command(asked, wanted):
    assert body.command(asked, IMAGE) == wanted


@pytest.mark.parametrize("asked", [{}, {"Cmd": []}, {"Entrypoint": [""]}])
def test_nothing_to_execute(asked):
    with pytest.raises(BadParameter, match="No command specified"):
        body.command(asked, {})


def test_what_the_request_leaves_out_comes_from_the_image():
    made = body.config({"Image": "x"}, IMAGE, "1" * 64)
    assert (made["WorkingDir"], made["User"], made["StopSignal"]) == ("/srv", "web", "SIGUSR1")
    assert made["ExposedPorts"] == {"80/tcp": {}}
    assert made["Hostname"] == "1" * 12


def test_the_request_wins():
    asked = {"Env": ["A=mine", "B"], "Labels": {"x": "mine"}, "User": "root", "Hostname": "web"}
    made = body.config(asked, IMAGE, "1" * 64)
    assert made["Env"] == ["A=mine", "B", "PATH=/bin"]
    assert made["Labels"] == {"labkit": "course", "x": "mine"}
    assert (made["User"], made["Hostname"]) == ("root", "web")


def test_the_image_keeps_its_own():
    body.config({"Env": ["A=mine"], "Labels": {"x": "mine"}}, IMAGE, "1" * 64)
    assert IMAGE["Env"] == ["PATH=/bin", "A=image"]
    assert IMAGE["Labels"]["x"] == "image"


def test_the_image_name_stays_as_it_was_given():
    assert body.config({"Image": "busybox"}, IMAGE, "1" * 64)["Image"] == "busybox"


WRONG = [
    {"Image": 5},
    {"Cmd": 7},
    {"Cmd": [1]},
    {"Env": "A=1"},
    {"Labels": ["a"]},
    {"Tty": "yes"},
    {"StopTimeout": "x"},
    {"HostConfig": {"ReadonlyRootfs": "x"}},
    {"HostConfig": {"Memory": "1g"}},
    {"HostConfig": {"Binds": [1]}},
]


@pytest.mark.parametrize("asked", WRONG, ids=str)
def test_a_field_of_another_type_is_refused(asked):
    with pytest.raises(BadParameter, match="cannot be of type"):
        check(asked, body.CREATE)


# --- HostConfig --------------------------------------------------------------------------------------------------


def test_every_field_is_there():
    assert defaults.host_config({}).keys() == defaults.HOST_CONFIG.keys()


def test_empty_means_the_default():
    made = defaults.host_config({"NetworkMode": "", "ShmSize": 0, "IpcMode": "", "LogConfig": {"Type": ""}})
    assert (made["NetworkMode"], made["ShmSize"], made["IpcMode"]) == ("default", 64 << 20, "private")
    assert made["LogConfig"]["Type"] == "json-file"


def test_memory_comes_with_as_much_swap():
    assert defaults.host_config({"Memory": 100 << 20})["MemorySwap"] == 200 << 20
    assert defaults.host_config({"Memory": 100 << 20, "MemorySwap": -1})["MemorySwap"] == -1


def test_defaults_are_not_shared():
    defaults.host_config({})["Extra"] = 1
    assert "Extra" not in defaults.HOST_CONFIG
