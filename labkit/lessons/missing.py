"""What a check says when the container of a task is not there, or comes from another image."""

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet


def missing(evidence: Evidence, name: str, expected: str, look: str, image: str = "") -> Outcome:
    """No container of that name: a slip in the name, no name given, made and removed again, or nothing tried.

    Of those without a name the running ones count, for a build leaves ended ones; of the task's own image all.
    """
    if odd := evidence.stranger([name]):
        return not_yet("misnamed", f"a container called {odd}", f"the name {name}, letter by letter", look)
    own = evidence.image(image) if image else None
    if any(container.status == "running" or (own and is_from(container, own)) for container in evidence.unnamed()):
        return not_yet("unnamed", "a container under a name that Docker made up", f"the name {name}", look)
    if evidence.happened(name, "create"):
        return not_yet("gone", f"{name} was here and has been removed", expected, look)
    return not_tried(f"no container is called {name}", expected, look)


def wrong_image(evidence: Evidence, container: Container, name: str) -> tuple[str, str] | None:
    """The slip and the sentence when the container was not made from the image `name`, or there is none."""
    image = evidence.image(name)
    if image is None:
        return "no image", f"there is no image {name}: the lesson makes it near its beginning"
    if is_from(container, image):
        return None
    return "wrong image", f"{container.name} was made from {container.attrs['Config']['Image']}, which is not {name}"
