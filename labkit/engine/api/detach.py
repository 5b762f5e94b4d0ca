"""The keys that leave an attached terminal without stopping the container: ctrl-p ctrl-q unless told otherwise.

Docker writes them `ctrl-x,a,@`: names joined by commas, each one character, or `ctrl-` and one of
`a-z @ [ \\ ] ^ _`.
"""

from __future__ import annotations

from labkit.engine.errors import BadParameter

DEFAULT = b"\x10\x11"


def parse_keys(text: str) -> bytes:
    """The bytes that a terminal sends for keys such as `ctrl-x,a`; the default ones for an empty text."""
    return b"".join(_key(name) for name in text.split(",")) if text else DEFAULT


def _key(name: str) -> bytes:
    prefix, letter = name[:-1].lower(), name[-1:]
    if not prefix and letter.isascii() and letter:
        return letter.encode()
    # a terminal's ctrl key takes the upper three bits away from the letter's code
    if prefix == "ctrl-" and (letter.lower().islower() or letter in "@[\\]^_") and letter.isascii():
        return bytes([ord(letter.upper()) & 0x1F])
    raise BadParameter(f"Unknown character: '{name}' in detach keys")


class DetachKeys:
    """Watches what is typed for the detach keys, which may come in several reads."""

    def __init__(self, keys: bytes = DEFAULT) -> None:
        self._keys = keys
        self._held = b""
        self.found = False

    def feed(self, typed: bytes) -> bytes:
        """What may go on to the container. What could be the first of the keys is held back until it is known."""
        data, self._held = self._held + typed, b""
        at = data.find(self._keys)
        if at >= 0:
            self.found = True
            return data[:at]
        keep = self._beginning(data)
        if keep:
            self._held = data[-keep:]
            return data[:-keep]
        return data

    def _beginning(self, data: bytes) -> int:
        """How many of the last bytes could be the first of the keys."""
        for length in range(min(len(self._keys) - 1, len(data)), 0, -1):
            if data.endswith(self._keys[:length]):
                return length
        return 0
