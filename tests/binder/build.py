"""Build the image as a site would: with a base of its own, and its own certificates by build argument.

The base is a Debian made by debootstrap(8), so that nothing has to come from a registry. It is made once and kept;
`docker rmi labkit-test/debian:bookworm` has it made anew. The image itself is built in every run, from dockerd's cache
where nothing has changed. Left out: BuildKit, which not every dockerd has; the Dockerfile needs nothing of it.
"""

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import docker

from tests.backends import program

ROOT = Path(__file__).parents[2]
BASE, IMAGE, TOOLS = "labkit-test/debian:bookworm", "labkit-test/binder:latest", "labkit-test/binder-tools:latest"
SUITE = "bookworm"
CERTIFICATES = Path("/usr/local/share/ca-certificates")  # what this site has added to the distribution's
MIRROR = os.environ.get("LABKIT_DEBIAN_MIRROR", "").split()  # else where debootstrap looks by itself
WAIT_SECONDS = 1200
TEST_PACKAGES = ("pytest", "pluggy", "iniconfig", "pytest-timeout", "nbval", "coverage")


def base(client: docker.DockerClient) -> None:
    """A Debian with nothing but what it needs to install more."""
    with contextlib.suppress(docker.errors.ImageNotFound):
        client.images.get(BASE)
        return
    debootstrap = program("debootstrap", "binder", "apt install debootstrap, and be root")
    with tempfile.TemporaryDirectory(prefix="labkit-debian-") as folder:
        command = [debootstrap, "--variant=minbase", SUITE, folder, *MIRROR]
        subprocess.run(command, check=True, timeout=WAIT_SECONDS, stdout=subprocess.DEVNULL)
        for cache in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(Path(folder, cache))
        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.add(folder, ".")
            file.seek(0)
            client.api.import_image_from_data(file, *BASE.split(":"))


@dataclass(frozen=True)
class Source:
    """The working tree as it is at one moment: what is built from it later has no other changes than were asked for."""

    archive: bytes

    @classmethod
    def now(cls) -> "Source":
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for name in kept(ROOT / ".dockerignore"):
                archive.add(ROOT / name, name, filter=_worth_sending)
        return cls(content.getvalue())

    def changed(self, name: str, content: bytes) -> "Source":
        """The same with other content in one file."""
        target = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(self.archive)) as old, tarfile.open(fileobj=target, mode="w") as new:
            for member in old:
                file = io.BytesIO(content) if member.name == name else old.extractfile(member)
                member.size = len(content) if member.name == name else member.size
                new.addfile(member, file)
        return Source(target.getvalue())


def kept(dockerignore: Path) -> list[str]:
    """The names that are let through by `!name` below a `*`."""
    return [line[1:] for line in dockerignore.read_text().splitlines() if line.startswith("!")]


def _worth_sending(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """The member without owner and time, which would only spoil dockerd's cache; None for what a run left behind."""
    if {"__pycache__", ".ipynb_checkpoints", ".mypy_cache"} & set(member.name.split("/")):
        return None
    member.uid = member.gid = member.mtime = 0
    return member


def packages(client: docker.DockerClient, source: Source, folder: Path) -> None:
    """What strict nbval needs, into a folder: it is shown to the image, which stays as it is."""
    image(client, source, TOOLS, target="tools")
    pip = ["/opt/labkit/venv/bin/pip", "install", "--quiet", "--no-deps", "--target", "/packages", *TEST_PACKAGES]
    volumes = {str(folder): {"bind": "/packages", "mode": "rw"}}
    client.containers.run(TOOLS, pip, volumes=volumes, network_mode="host", remove=True)


def image(client: docker.DockerClient, source: Source, tag: str = IMAGE, target: str = "") -> str:
    """Build the image, or one of its stages; returns its id."""
    arguments = {"BASE": BASE, "CERTIFICATES": "".join(certificates())}
    built, _ = client.images.build(
        fileobj=io.BytesIO(source.archive), custom_context=True, dockerfile="binder/Dockerfile", tag=tag,
        buildargs=arguments, network_mode="host", rm=True, forcerm=True, target=target, timeout=WAIT_SECONDS,
    )  # fmt: skip
    return str(built.id)


def certificates() -> list[str]:
    """This site's own, in PEM."""
    return [path.read_text() for path in sorted(CERTIFICATES.glob("*.crt"))]
