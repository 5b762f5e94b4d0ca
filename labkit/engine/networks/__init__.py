"""Networks: what connects containers with each other, with this machine, and by published ports with the world.

In reading order: pools and addresses (which numbers), bridge and cables (the devices), record, store and attach (the
noun itself), names, dns and resolver (who is who), bindings, ports and proxy (ways in), firewall and outside (edges).
"""
