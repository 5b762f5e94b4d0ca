"""The process behind labkit.Child: runs the Python that it is sent, and may become any other program.

Messages come on standard input, a length and JSON; answers go to standard output. Nothing is imported once it serves,
but by the cells themselves: behind a pivot_root(2) Python's files are out of sight.
"""

import ast
import contextlib
import io
import json
import os
import sys
from typing import Any, NoReturn

ANSWER = b"\0"  # how an answer begins


def serve(names: dict[str, Any]) -> NoReturn:
    """Run each message as Python and answer, until the messages end. Reads no byte more than it needs: what follows
    may be for the shell that this process becomes."""
    while header := _line():
        message = json.loads(_exactly(int(header)))
        names |= {name: bytes.fromhex(text) for name, text in message["values"].items()}
        answer = json.dumps(run_cell(message["code"], names)).encode()
        _write(1, ANSWER + b"%d\n" % len(answer) + answer)
        _line()  # the line that was meant for a shell
    os._exit(0)


def run_cell(code: str, names: dict[str, Any]) -> str:
    """What a notebook's cell would show: what it prints, then the value of its last line, or what went wrong."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            tree = ast.parse(code)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "cell", "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
                print(*([] if value is None else [repr(value)]), end="" if value is None else "\n")
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
    return printed.getvalue()


def leave_to(pid: int) -> NoReturn:
    """For a parent whose child goes on in its place: be silent, wait for the child's end, and end with it."""
    for fd in (0, 1):
        os.close(fd)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)


def _line() -> bytes:
    line = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line


def _exactly(count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (more := os.read(0, count - len(data))):
        data += more
    return bytes(data)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def main() -> None:
    """Become root if need be, then serve."""
    from labkit import linux  # here, as the notebook's side imports this module on other systems too
    from labkit.engine import userns

    if "--user-namespace" in sys.argv:
        userns.enter()
    _write(1, b"ready\n")
    serve({"os": os, "linux": linux, "leave_to": leave_to})


if __name__ == "__main__":
    main()
