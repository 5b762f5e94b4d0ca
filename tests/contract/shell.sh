# What the scripts of stock docker commands (docker_cli*.sh) share; sourced, not run.
#
# test_docker_cli.py gives them $IMAGE, the test image; $P, a prefix that no other session uses; $WORK, a folder for
# files; $LABEL, the filter by which this session's things are found, and $OURS, the label itself. Each command is shown,
# then what it printed, then its exit status unless that is 0. What may differ (ids, times, sizes) is masked later.

# Show a command and run it; a shell text, so that pipes are possible.
t() {
    echo "\$ $1"
    timeout -k 1 15 bash -c "$1" < /dev/null 2>&1
    local status=$?
    [ $status -eq 0 ] || echo "[exit $status]"
}

# Do something without showing it.
quietly() { timeout -k 1 15 "$@" > /dev/null 2>&1; }

cd "$WORK" || exit 1
BEGAN=$(date +%s)
