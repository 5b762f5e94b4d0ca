"""The same engine in a small virtual machine, for hosts that forbid namespaces: Binder, a locked-down hub.

kinds.py   which kinds of machine there are, and which work here
guest.py   the files that a guest needs, built without root
boot.py    start one, watch over it, end it
init.py    the guest's first process
mux.py     many streams over one channel of bytes: the rules
relay.py   the same at work: sockets on one side, the channel on the other
ports.py   published ports, opened outside
"""
