"""A registry on loopback that answers to the name of Docker Hub, for the tests of the suite that pull from there.

Debian's docker-registry listens on 127.0.0.1:443 with a certificate of our own making and wants tokens, as Docker Hub
does (realm.py). /etc/hosts says that registry-1.docker.io is there, and SSL_CERT_FILE (openssl(1)) tells the engine to
trust it. Otherwise the engine under test knows nothing of it: no setting, no special case.

The process that asks for it moves into a mount and a network namespace of its own first (namespaces(7)), so nobody
else on the machine is led astray.
"""

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker

from labkit import linux
from tests import busybox
from tests.backends import program
from tests.conformance import realm
from tests.engine.registry.debian import wait_for

HUB = "registry-1.docker.io"
IMAGES = ["alpine:3.10", "alpine:latest", "busybox:latest", "hello-world:latest"]

# The ten tests that pull: their classes, their names, or how those begin.
PULLING = re.compile(
    "PullImageTest|PruneImagesTest|test_get_load_image|test_run_with_image_that_does_not_exist"
    "|ImageCollectionTest::test_(list|pull)|ImageTest::test_tag_and_remove"
)

CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "127.0.0.1:443", tls: {{certificate: {folder}/certificate.pem, key: {folder}/key.pem}}}}
auth: {{token: {{realm: "{realm}", service: {service}, issuer: {issuer}, rootcertbundle: {folder}/certificate.pem}}}}
"""


def go_apart() -> None:
    """Move this process into a mount and a network namespace of its own: what is changed there nobody else sees."""
    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWNET)
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)


@contextlib.contextmanager
def hub() -> Iterator[None]:
    """The registry, empty, for as long as the block; what is started inside takes it for Docker Hub.

    The process leaves the machine's network and mounts for good. Needs root.
    """
    binary = program("docker-registry", "registry", "apt-get install docker-registry")
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        certify(folder)
        go_apart()
        name_here(folder)
        os.environ["SSL_CERT_FILE"] = str(folder / "certificate.pem")
        repositories = {f"library/{name.split(':')[0]}" for name in IMAGES}
        address = stack.enter_context(realm.running(folder / "certificate.pem", folder / "key.pem", repositories))
        names = {"realm": address, "service": realm.SERVICE, "issuer": realm.ISSUER}
        (folder / "config.yml").write_text(CONFIG.format(folder=folder, **names))
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen([binary, "serve", folder / "config.yml"], stdout=log, stderr=log)
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        wait_for(443, process, folder / "log")
        yield


def certify(folder: Path) -> None:
    """Make a key, and a certificate that it signs itself, for the name of Docker Hub."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HUB}"]
    command += ["-addext", f"subjectAltName=DNS:{HUB}", "-keyout", str(folder / "key.pem")]
    subprocess.run([*command, "-out", str(folder / "certificate.pem")], check=True, capture_output=True)


def name_here(folder: Path) -> None:
    """Bring the loopback device up and put our /etc/hosts over the machine's, in this namespace alone."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder / "hosts").write_text(f"127.0.0.1 localhost {os.uname().nodename} {HUB}\n")
    subprocess.run(["mount", "--bind", folder / "hosts", "/etc/hosts"], check=True)


def fill(client: docker.DockerClient) -> None:
    """Push what the tests will pull; of hello-world the engine keeps nothing."""
    for name in IMAGES:
        repository, tag = name.split(":")
        if repository == "hello-world":
            busybox.import_image(client, repository, tag, changes=['CMD ["true"]', "LABEL hello=world"])
        for line in client.images.push(repository, tag, auth_config={}, stream=True, decode=True):
            if "error" in line:
                raise RuntimeError(f"push of {name}: {line['error']}")
    client.images.remove("hello-world:latest")
