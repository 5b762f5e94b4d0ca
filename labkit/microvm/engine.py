"""`python -m labkit.microvm.engine`: the engine as it runs in a guest, whose published ports are opened outside."""

from labkit.engine import serve
from labkit.microvm.ports import make_socket

if __name__ == "__main__":
    raise SystemExit(serve.main(make_socket=make_socket))
