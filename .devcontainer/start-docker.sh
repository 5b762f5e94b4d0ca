#!/bin/sh
# Start a dockerd in this container, as root, and wait until it answers. A second call finds it running.
set -eu
docker info >/dev/null 2>&1 && exit 0
rm -f /var/run/docker.pid # of a dockerd that ended with the container

# With cgroups v2 a group that hands controllers on may hold no process itself (cgroups(7), "no internal processes"):
# so whoever is here already moves down into a group of its own.
groups=/sys/fs/cgroup
if [ -f "$groups/cgroup.controllers" ] && [ -w "$groups/cgroup.subtree_control" ]; then
    mkdir -p "$groups/workspace"
    while read -r pid; do
        echo "$pid" >"$groups/workspace/cgroup.procs" || true # it has ended meanwhile
    done <"$groups/cgroup.procs" 2>/dev/null
    sed 's/[^ ]*/+&/g' "$groups/cgroup.controllers" >"$groups/cgroup.subtree_control"
fi

setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null &
for _ in $(seq 120); do
    docker info >/dev/null 2>&1 && exit 0
    sleep 0.5
done
echo "dockerd did not start; the end of its log:" >&2
tail -n 20 /var/log/dockerd.log >&2
exit 1
