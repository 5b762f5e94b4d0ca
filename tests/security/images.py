"""Images of an attacker: the busybox tree, with files of the attacker's in place of its own."""

import io
import tarfile

import docker

from tests import busybox
from tests.contract.helpers import open_tar, unique
from tests.engine.images.trees import Item, tar
from tests.security.conftest import labels


def evil(client: docker.DockerClient, *items: Item, without: tuple[str, ...] = ()) -> str:
    """Import such an image; its name. `without` leaves out folders of the tree, for a link to take their place."""
    name = unique("labkit-test/evil")
    archive = tree(tar(*items), without)
    client.api.import_image_from_data(archive, repository=name, changes=[*labels(), 'CMD ["sh"]'])
    return f"{name}:latest"


def tree(added: bytes, without: tuple[str, ...] = ()) -> bytes:
    """The archive of the busybox tree and of what is added to it."""
    buffer, replaced = io.BytesIO(), set(open_tar([added]).getnames())
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as out:
        for archive in (base := open_tar([busybox.archive()]), open_tar([added])):
            for member in archive.getmembers():
                if archive is base and member.name in {*without, *replaced}:
                    continue
                member.uid = member.gid = 0
                out.addfile(member, archive.extractfile(member) if member.isfile() else None)
    return buffer.getvalue()
