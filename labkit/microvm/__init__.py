"""The same engine in a small virtual machine, for hosts that forbid namespaces: Binder, a locked-down hub.

control.py    from outside: whether it is needed, how it is started and held
launcher.py   the process that has the machine, and looks like an engine
boot.py       start one, wait until its engine answers, notice when it hangs
idle.py       stop it while nobody asks for anything
kinds.py      which kinds of machine there are, and which work here
qemu.py       one kind's command line
keeper.py     ends a machine, however we end
relay.py      sockets on one side, the channel out of the guest on the other
mux.py        the rules of the channel: many streams over one
channel.py    the channel's bytes
ports.py      published ports, opened outside
init.py       the guest's first process
engine.py     the engine as the guest runs it
guest.py      the files that a guest needs, built without root
packages.py   out of the distribution's packages
initramfs.py  the first root file system of an emulated guest
rootdisk.py   its root disk: this Python
"""
