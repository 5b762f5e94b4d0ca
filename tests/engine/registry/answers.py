"""An answer of HTTP as a registry gives it, without a registry."""

from multidict import CIMultiDict


class _Content:
    def __init__(self, body: bytes) -> None:
        self.body = body

    async def read(self, most: int) -> bytes:
        return self.body[:most]


class Answer:
    """The part of aiohttp's ClientResponse that tells what went wrong."""

    def __init__(self, status: int, body: bytes, headers: CIMultiDict) -> None:
        self.status, self.reason, self.headers = status, "Reason", headers
        self.content = _Content(body)


def answer(status: int, *, body: bytes = b"", challenges=()) -> Answer:
    """An answer with a status, a body and the headers WWW-Authenticate."""
    return Answer(status, body, CIMultiDict(("WWW-Authenticate", one) for one in challenges))
