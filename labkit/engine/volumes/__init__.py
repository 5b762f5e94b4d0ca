"""Volumes: what a container writes there stays when the container goes.

    store      the volumes of an engine: make, find, remove
    filters    which of them a list shows, which a prune removes

Where in a container a volume is mounted is the container's affair: engine/containers/mounts.py and storage.py.
"""
