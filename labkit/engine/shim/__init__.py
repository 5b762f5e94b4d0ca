"""The shim: a small single-threaded process between the engine and its containers, as containerd has one.

It clones, holds the containers' pipes and terminals, writes their logs, and waits for their ends. It is started first
and outlives the engine's API process: when that dies, no container notices, no line of a log is lost, and the next
API process finds all by asking. In reading order:

    protocol   the messages between the two, on a unix socket, descriptors included
    jsonlog    a container's log file: Docker's json-file format, bounded
    loop       an event loop of one page over epoll(7)
    streams    from the container's output to its log and to whoever is attached; and input back
    task       one process: its start, its streams, its end
    peer       the conversation with the engine process that is connected
    sealed     the shim's program, out of the containers' reach
    shim       the verbs: create, start, exec, kill, attach, resize, freeze, delete
    client     the engine's side, for asyncio

Everything but `client` imports only the standard library's small modules: the size of the cloning process is the
price of each clone.
"""
