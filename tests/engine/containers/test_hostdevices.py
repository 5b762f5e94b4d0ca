"""Devices of the host's, the rules on them, and the small init program."""

import os
import shutil

import pytest

from labkit.engine.containers import hostdevices
from labkit.engine.errors import ServerError


def asked(path: str, inside: str = "", access: str = "rwm") -> dict:
    return {"PathOnHost": path, "PathInContainer": inside, "CgroupPermissions": access}


def test_a_device_and_the_leave_to_use_it():
    host = {"Devices": [asked("/dev/zero", "/dev/nought", "r")]}
    (device,) = hostdevices.devices(host)
    oci = device.to_oci()
    assert (oci["path"], oci["type"], oci["major"], oci["minor"]) == ("/dev/nought", "c", 1, 5)
    assert hostdevices.rules(host) == [{"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"}]


def test_where_no_node_can_be_made_the_hosts_is_shown():
    (device,) = hostdevices.devices({"Devices": [asked("/dev/zero", "/dev/nought")]})
    mount = device.to_mount()
    assert (mount["source"], mount["destination"], mount["type"]) == ("/dev/zero", "/dev/nought", "bind")


def test_a_link_is_followed_and_a_folder_taken_whole(tmp_path):
    os.symlink("/dev/zero", tmp_path / "link")
    (device,) = hostdevices.devices({"Devices": [asked(str(tmp_path / "link"))]})
    assert (device.source, device.path) == ("/dev/zero", str(tmp_path / "link"))
    inside = {device.path for device in hostdevices.devices({"Devices": [asked("/dev", "/devices")]})}
    assert {"/devices/zero", "/devices/null"} <= inside


@pytest.mark.parametrize(
    ("path", "reason"), [("/dev/labkit-none", "no such file or directory"), ("/etc/passwd", "not a device node")]
)
def test_what_is_no_device(path, reason):
    with pytest.raises(ServerError) as refusal:
        hostdevices.devices({"Devices": [asked(path)]})
    assert refusal.value.message == (
        f'error gathering device information while adding custom device "{path}": {reason}'
    )


def test_privileged_gets_all_and_needs_no_rule():
    paths = {device.path for device in hostdevices.devices({"Privileged": True})}
    assert {"/dev/null", "/dev/full"} <= paths
    assert not [path for path in paths if path.startswith(("/dev/pts/", "/dev/shm/"))]
    assert hostdevices.rules({"Privileged": True, "Devices": [asked("/dev/zero")]}) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("c 7:128 rwm", ("c", 7, 128, "rwm")), ("b *:* m", ("b", None, None, "m")), ("a 1:* r", ("a", 1, None, "r"))],
)
def test_a_rule(text, expected):
    (rule,) = hostdevices.rules({"DeviceCgroupRules": [text]})
    assert (rule["type"], rule["major"], rule["minor"], rule["access"]) == expected


@pytest.mark.parametrize("text", ["foo", "c 7:128", "x 1:1 r", "c 1:1 rwmx"])
def test_a_wrong_rule(text):
    with pytest.raises(ServerError, match=f"invalid device cgroup rule format: '{text}'"):
        hostdevices.rules({"DeviceCgroupRules": [text]})


def test_a_request_for_a_gpu():
    hostdevices.check_requests(None)
    with pytest.raises(ServerError) as refusal:
        hostdevices.check_requests([{"Count": -1, "Capabilities": [["gpu", "nvidia"]]}])
    assert refusal.value.message == 'could not select device driver "" with capabilities: [[gpu nvidia]]'


def test_a_program_that_needs_no_libraries(tmp_path):
    linker = next((path for path in ("/bin/ls", "/usr/bin/env") if os.path.exists(path)), None)
    assert linker is None or not hostdevices.is_static(linker), "this machine's own tools are linked to libraries"
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert not hostdevices.is_static(str(tmp_path / "script"))
    assert not hostdevices.is_static(str(tmp_path / "none"))


def test_the_init_program_runs_anywhere():
    found = hostdevices.init_program()
    if found is None:
        pytest.skip("no static init program is installed: apt-get install tini")
    assert shutil.which(found) and hostdevices.is_static(found)
