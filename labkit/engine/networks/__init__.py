"""Networks: what connects containers with each other, with this machine, and by published ports with the world.

In reading order: pools, addresses and ipam (which numbers), endpoint and bridge (the devices), record, create and
store (the noun itself), settings and attach (containers on it), names, dns and resolver (who is who), bindings, ports
and proxy (ways in), firewall and outside (the edges).
"""
