"""Shapes of JSON bodies, written as data: what a field must be when it is there.

    {"Image": str, "Cmd": [str], "HostConfig": {"Memory": int, "PortBindings": Each([{"HostPort": str}])}}

A type stands for itself, a tuple for a choice of shapes, a list for a list of one shape, a dict for an object
with some known fields, `Each` for an object whose names are free. Any field may be missing or null, and unknown
ones pass, as with Go's decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labkit.engine.errors import BadParameter

Shape = Any

JSON_NAMES = {str: "string", int: "number", float: "number", bool: "bool", list: "array", dict: "object"}


@dataclass(frozen=True)
class Each:
    """An object whose names are free and whose values have one shape, such as Labels."""

    shape: Shape


Labels = Each(str)


def check(value: Any, shape: Shape, where: str = "body") -> None:
    """Raise BadParameter, naming the field, where `value` does not have the shape."""
    if value is None or shape is None:
        return
    if isinstance(shape, tuple):
        if not any(_fits(value, one) for one in shape):
            raise _mismatch(value, where)
    elif isinstance(shape, list):
        for number, item in enumerate(_as(value, list, where)):
            check(item, shape[0], f"{where}[{number}]")
    elif isinstance(shape, dict):
        fields = _as(value, dict, where)
        for name, inner in shape.items():
            check(fields.get(name), inner, f"{where}.{name}")
    elif isinstance(shape, Each):
        for name, item in _as(value, dict, where).items():
            check(item, shape.shape, f"{where}.{name}")
    else:
        _as(value, shape, where)


def _fits(value: Any, shape: Shape) -> bool:
    try:
        check(value, shape)
    except BadParameter:
        return False
    return True


def _as(value: Any, kind: type, where: str) -> Any:
    # in Python True is an int, in JSON it is not
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _mismatch(value, where)
    return value


def _mismatch(value: Any, where: str) -> BadParameter:
    name = JSON_NAMES.get(type(value), type(value).__name__)
    return BadParameter(f"invalid JSON: {where} cannot be of type {name}")
