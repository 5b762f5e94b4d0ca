"""Images: in by import and load, out by save, made by commit; names, history, and who keeps one from being removed."""

import hashlib
import io
import json
import tarfile

import docker
import pytest

from tests import busybox
from tests.contract.conftest import LABELS, MINE, REPOSITORY
from tests.contract.helpers import OBEDIENT, open_tar, unique

OUR_LABELS = [f"LABEL {key}={value}" for key, value in LABELS.items()]


@pytest.fixture
def other(client, image):
    """A second image, to be renamed and removed: the test image with one file more."""
    container = client.containers.run(image, ["sh", "-c", "echo more > /more"], detach=True)
    container.wait(timeout=20)
    made = container.commit(repository=unique("labkit-test/other"), tag="v1")
    container.remove()
    return made


def ids(images) -> set[str]:
    return {image.id for image in images}


# --- inspect and list --------------------------------------------------------------------------------------------


def test_inspect(client, image):
    attrs = client.images.get(image).attrs
    assert attrs["Id"].startswith("sha256:")
    assert attrs["RepoTags"] == [image]
    assert attrs["Os"] == "linux"
    assert attrs["Config"]["Cmd"] == ["sh"]
    assert attrs["Config"]["Labels"] == LABELS
    assert attrs["RootFS"]["Type"] == "layers"
    assert attrs["RootFS"]["Layers"] == ["sha256:" + hashlib.sha256(busybox.archive()).hexdigest()]
    assert attrs["Size"] > busybox.BUSYBOX.stat().st_size


def test_the_layer_of_one_tree_has_one_digest(client, image):
    """A layer's name is the digest of its tar, so it is the same on every engine, and the same twice."""
    again = busybox.import_image(client, unique("labkit-test/again"), changes=OUR_LABELS)
    assert client.images.get(again).attrs["RootFS"] == client.images.get(image).attrs["RootFS"]


def test_an_image_is_found_by_name_id_and_the_start_of_its_id(client, image):
    found = client.images.get(image)
    short = found.id.removeprefix("sha256:")[:12]
    for reference in (image, image.removesuffix(":latest"), found.id, short, f"docker.io/{image}"):
        assert client.images.get(reference).id == found.id


FILTERS = {
    "label with a value": ({"label": f"labkit.session={LABELS['labkit.session']}"}, True),
    "label with another value": ({"label": ["labkit.session=x"]}, False),
    "two labels": ({"label": [f"{key}={value}" for key, value in LABELS.items()]}, True),
    "name": ({"reference": REPOSITORY}, True),
    "name and tag": ({"reference": f"{REPOSITORY}:latest"}, True),
    "pattern": ({"reference": "labkit-test/*"}, True),
    "another name": ({"reference": "labkit-test/no-such"}, False),
    "has a name": ({"dangling": False}, True),
    "has no name": ({"dangling": True}, False),
}


@pytest.mark.parametrize(("filters", "found"), FILTERS.values(), ids=FILTERS)
def test_list_filters(client, image, filters, found):
    assert (client.images.get(image).id in ids(client.images.list(filters=filters))) == found


def test_list_before_and_since(client, image, other):
    base = client.images.get(image).id
    assert base in ids(client.images.list(filters={"before": other.tags[0]}))
    assert other.id not in ids(client.images.list(filters={"before": other.tags[0]}))
    assert other.id in ids(client.images.list(filters={"since": image}))
    assert base not in ids(client.images.list(filters={"since": image}))


def test_list_by_name(client, image):
    assert [found.tags for found in client.images.list(name=REPOSITORY)] == [[image]]
    assert client.images.list(name="labkit-test/no-such") == []


def test_history_of_an_import(client, image):
    (step,) = client.images.get(image).history()
    assert step["Id"] == client.images.get(image).id
    assert step["Tags"] == [image]
    assert step["Comment"].startswith("Imported from")
    assert step["Size"] > busybox.BUSYBOX.stat().st_size
    assert step["Created"] > 1_600_000_000


def test_history_of_a_commit_is_newest_first(client, image, other):
    newest, oldest = other.history()
    assert newest["Tags"] == other.tags
    assert newest["CreatedBy"] == "sh -c echo more > /more"
    assert newest["Size"] == len("more\n")
    assert oldest["Size"] == client.images.get(image).history()[0]["Size"]


# --- import ------------------------------------------------------------------------------------------------------

CHANGES = {  # change: (key of the config, value)
    "ENV A=1": ("Env", "A=1"),
    'CMD ["ls", "-l"]': ("Cmd", ["ls", "-l"]),
    "CMD ls -l": ("Cmd", ["/bin/sh", "-c", "ls -l"]),
    'ENTRYPOINT ["cat"]': ("Entrypoint", ["cat"]),
    "WORKDIR /var/opt": ("WorkingDir", "/var/opt"),
    "USER postgres": ("User", "postgres"),
    "EXPOSE 80": ("ExposedPorts", {"80/tcp": {}}),
    "VOLUME /data": ("Volumes", {"/data": {}}),
    'LABEL greeting="two words"': ("Labels", {"greeting": "two words"}),
}


@pytest.mark.parametrize(("change", "wanted"), CHANGES.items(), ids=CHANGES)
def test_import_with_changes(client, image, change, wanted):
    name = busybox.import_image(client, unique("labkit-test/changed"), changes=[*OUR_LABELS, change])
    key, value = wanted
    config = client.images.get(name).attrs["Config"]
    if key == "Env":
        assert value in config[key]
    elif key == "Labels":
        assert config[key] == LABELS | value
    else:
        assert config[key] == value


def test_import_answers_with_the_id(client, image):
    name = unique("labkit-test/imported")
    answer = client.api.import_image_from_data(busybox.archive(), repository=name, tag="v2", changes=OUR_LABELS)
    last = json.loads(answer.strip().splitlines()[-1])
    assert last["status"] == client.images.get(f"{name}:v2").id


@pytest.mark.parametrize("change", ["NONSENSE 1", "FROM scratch", "RUN true"])
def test_import_refuses_other_changes(client, image, change):
    with pytest.raises(docker.errors.APIError):
        busybox.import_image(client, unique("labkit-test/bad"), changes=[change])


def test_import_of_what_is_not_a_tar(client, image):
    name = unique("labkit-test/bad")
    try:
        answer = client.api.import_image_from_data(b"no tar at all" * 100, repository=name)
    except docker.errors.APIError:
        pass
    else:
        assert "error" in answer
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(name)


# --- names -------------------------------------------------------------------------------------------------------


def test_tag_and_untag(client, image):
    repository = unique("labkit-test/second")
    assert client.images.get(image).tag(repository, tag="v1")
    assert client.images.get(f"{repository}:v1").id == client.images.get(image).id
    client.images.remove(f"{repository}:v1")
    assert client.images.get(image).tags == [image]


def test_a_tag_moves(client, image, other):
    name = unique("labkit-test/moving")
    client.images.get(image).tag(name)
    other.tag(name)
    assert client.images.get(name).id == other.id


@pytest.mark.parametrize("name", ["UPPER", "a//b", "-x", "a b"])
def test_bad_names_are_refused(client, image, name):
    with pytest.raises(docker.errors.APIError) as refusal:
        client.api.tag(image, name)
    assert refusal.value.status_code in (400, 500)
    assert refusal.value.explanation


# --- remove ------------------------------------------------------------------------------------------------------


def test_remove(client, other):
    answer = client.api.remove_image(other.tags[0])
    assert {"Untagged": other.tags[0]} in answer
    assert {"Deleted": other.id} in answer
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(other.id)


def test_remove_by_id_needs_force_when_there_are_two_names(client, other):
    other.tag(unique("labkit-test/second"))
    with pytest.raises(docker.errors.APIError, match=r"(?i)must be forced.*multiple") as refusal:
        client.images.remove(other.id)
    assert refusal.value.status_code == 409
    client.images.remove(other.id, force=True)


def test_an_image_in_use_is_not_removed(client, other):
    container = client.containers.create(other.tags[0])
    with pytest.raises(docker.errors.APIError, match=container.id[:12]) as refusal:
        client.images.remove(other.tags[0])
    assert refusal.value.status_code == 409
    container.remove()
    client.images.remove(other.tags[0])


def test_force_does_not_take_the_image_from_a_running_container(client, other):
    client.containers.run(other.tags[0], OBEDIENT, detach=True)
    with pytest.raises(
        docker.errors.APIError, match=r"is using its referenced image|is being used by running"
    ) as refusal:
        client.images.remove(other.id, force=True)
    assert refusal.value.status_code == 409


def test_an_image_with_a_child_keeps_its_layers(client, image, other):
    """The child stays usable when the name of its parent goes."""
    name = unique("labkit-test/parent")
    client.images.get(image).tag(name)
    client.images.remove(name)
    assert (
        client.containers.run(other.tags[0], ["cat", "/more", "/etc/motd"], remove=True)
        == b"more\nhello from the image\n"
    )


# --- commit ------------------------------------------------------------------------------------------------------


def test_commit_adds_one_layer(client, image, other):
    base = client.images.get(image).attrs
    assert other.attrs["RootFS"]["Layers"][:-1] == base["RootFS"]["Layers"]
    assert other.attrs["Parent"] == base["Id"]
    assert other.attrs["Config"]["Labels"] == LABELS
    assert client.containers.run(other, ["cat", "/more"], remove=True) == b"more\n"


def test_commit_carries_deletions(client, image):
    container = client.containers.run(image, ["rm", "-r", "/etc/motd", "/home"], detach=True)
    container.wait(timeout=20)
    made = container.commit(repository=unique("labkit-test/less"))
    assert client.containers.run(made, ["sh", "-c", "ls /etc/motd /home 2>&1 || echo gone"], remove=True).endswith(
        b"gone\n"
    )


def test_commit_with_changes_author_and_message(client, image):
    container = client.containers.create(image, ["true"])
    made = container.commit(
        repository=unique("labkit-test/commit"),
        author="A. Learner",
        message="my first image",
        changes=["ENV WHO=me", 'CMD ["env"]', "LABEL step=2"],
    )
    assert made.attrs["Author"] == "A. Learner"
    assert made.attrs["Comment"] == "my first image"
    assert made.attrs["Config"]["Cmd"] == ["env"]
    assert "WHO=me" in made.attrs["Config"]["Env"]
    assert made.attrs["Config"]["Labels"] == LABELS | {"step": "2"}


def test_commit_of_a_running_container(client, image):
    container = client.containers.run(image, OBEDIENT, detach=True)
    container.exec_run(["sh", "-c", "echo now > /now"])
    made = container.commit(repository=unique("labkit-test/running"))
    assert client.containers.run(made, ["cat", "/now"], remove=True) == b"now\n"
    container.reload()
    assert container.status == "running"


def test_commit_without_a_name_makes_a_dangling_image(client, image):
    made = client.containers.create(image).commit()
    assert made.tags == []
    assert made.id in ids(client.images.list(filters=MINE | {"dangling": True}))


# --- save and load -----------------------------------------------------------------------------------------------


def saved(image_) -> bytes:
    return b"".join(image_.save(named=True))


def test_save_and_load_give_the_same_image(client, other):
    archive, name, identity = saved(other), other.tags[0], other.id
    client.images.remove(name)
    (loaded,) = client.images.load(archive)
    assert (loaded.id, loaded.tags) == (identity, [name])
    assert client.containers.run(loaded, ["cat", "/more"], remove=True) == b"more\n"


def test_a_saved_image_can_be_checked(client, other):
    """manifest.json names a config and the layers; the config's digest is the image's id, its diff_ids the layers'."""
    tar = open_tar([saved(other)])
    (manifest,) = json.load(tar.extractfile("manifest.json"))
    assert manifest["RepoTags"] == other.tags
    config = tar.extractfile(manifest["Config"]).read()
    assert "sha256:" + hashlib.sha256(config).hexdigest() == other.id
    digests = ["sha256:" + hashlib.sha256(tar.extractfile(layer).read()).hexdigest() for layer in manifest["Layers"]]
    assert digests == json.loads(config)["rootfs"]["diff_ids"] == other.attrs["RootFS"]["Layers"]


def test_save_of_two_images_shares_layers(client, image, other):
    archive = client.api.get(f"{client.api.base_url}/images/get", params={"names": [image, other.tags[0]]}, timeout=60)
    manifest = json.load(open_tar([archive.content]).extractfile("manifest.json"))
    assert {tag for entry in manifest for tag in entry["RepoTags"]} == {image, *other.tags}


def test_load_of_what_is_not_an_image(client, image):
    before = ids(client.images.list(all=True))
    for data in (b"no tar at all" * 100, empty_tar()):
        with pytest.raises((docker.errors.APIError, docker.errors.ImageLoadError)):
            client.images.load(data)
    assert ids(client.images.list(all=True)) >= before


def test_load_tells_an_error_in_the_stream(client, image):
    """The answer has begun when the archive turns out to be bad, so the error is a line of it: 200, not 4xx."""
    with pytest.raises(docker.errors.ImageLoadError):
        client.images.load(b"abc")


def empty_tar() -> bytes:
    buffer = io.BytesIO()
    tarfile.open(fileobj=buffer, mode="w").close()
    return buffer.getvalue()


@pytest.mark.parametrize("part", ["config", "layer"])
def test_load_refuses_an_image_whose_bytes_were_changed(client, other, part):
    archive, name = saved(other), other.tags[0]
    client.images.remove(name)
    with pytest.raises((docker.errors.APIError, docker.errors.ImageLoadError)):
        client.images.load(tampered(archive, part))
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(name)


def tampered(archive: bytes, part: str) -> bytes:
    """The archive with one byte of its last layer or of its config changed: the digests no longer fit."""
    tar = open_tar([archive])
    (manifest,) = json.load(tar.extractfile("manifest.json"))
    victim = manifest["Config"] if part == "config" else manifest["Layers"][-1]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for member in tar.getmembers():
            content = tar.extractfile(member).read() if member.isfile() else b""
            if member.name == victim:
                content = (
                    content.replace(b'"sha256:', b'"sha256:0', 1)
                    if part == "config"
                    else content.replace(b"more\n", b"less\n")
                )
                member.size = len(content)
            out.addfile(member, io.BytesIO(content) if member.isfile() else None)
    return buffer.getvalue()
