"""Every exception that the engine raises on purpose.

    Exception
    └── EngineError                the engine's own words
        ├── StateError             the engine cannot start: folder locked, socket live, no rights
        └── ApiError               an answer to a client: an HTTP status and a sentence
            ├── NotModified   304  the container is already started, or already stopped
            ├── BadParameter  400  the request makes no sense
            ├── Forbidden     403  understood, and never allowed
            ├── NotFound      404  no such object
            │   ├── NoSuchContainer
            │   ├── NoSuchExec
            │   └── NoSuchImage
            ├── Conflict      409  not in the state that the object is in now
            ├── ServerError   500  the system refused
            ├── NotImplemented_ 501  Docker has it, this engine does not
            └── Unavailable   503  not now, not on this node

A client sees `{"message": "..."}` (Docker Engine API, `ErrorResponse`). Where Docker's own clients look for a
word in a message, the wording here is Docker's.
"""

from __future__ import annotations


class EngineError(Exception):
    """Anything that the engine says on purpose."""


class StateError(EngineError):
    """The engine cannot start on this state folder or this socket."""


class ApiError(EngineError):
    """An answer to a client that is not a success.

    `status` is the HTTP status, `message` the sentence that the client prints.
    """

    status = 500

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status


class NotModified(ApiError):
    """304: nothing to do, the container is in that state already. HTTP gives this answer no body."""

    status = 304

    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class BadParameter(ApiError):
    """400: the path, the query or the body makes no sense."""

    status = 400


class Forbidden(ApiError):
    """403: understood, and not allowed, whatever the state."""

    status = 403


class NotFound(ApiError):
    """404: no such object."""

    status = 404


class NoSuchContainer(NotFound):
    """404: no container has this name, id or beginning of an id."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such container: {ref}")


class NoSuchExec(NotFound):
    """404: no exec has this id, or its container is gone."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such exec instance: {ref}")


class NoSuchImage(NotFound):
    """404: no image has this name or id. The docker command reads these words and then asks for a pull."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such image: {ref}")


class Conflict(ApiError):
    """409: a name in use, a running container, an image that a container needs."""

    status = 409


class ServerError(ApiError):
    """500: the system refused what the engine tried."""

    status = 500


class NotImplemented_(ApiError):
    """501: Docker's API has this, the engine does not. The message names what was asked."""

    status = 501


class Unavailable(ApiError):
    """503: cannot be served now."""

    status = 503


def name_in_use(name: str, container_id: str) -> Conflict:
    """Docker's words for a container name that is taken (`POST /containers/create`, 409)."""
    return Conflict(
        f'Conflict. The container name "/{name}" is already in use by container "{container_id}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )


def ambiguous(ref: str) -> BadParameter:
    """Docker's words for the beginning of an id that several objects share."""
    return BadParameter(f"Multiple IDs found with provided prefix: {ref}")
