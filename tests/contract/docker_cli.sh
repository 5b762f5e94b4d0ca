#!/bin/bash
# What a learner types at work: stock docker commands against the engine at $DOCKER_HOST, as a transcript.
#
# $IMAGE is the test image, $P a prefix that no other session uses, $WORK a folder for files, $LABEL the label by
# which this session's things are found. Each command is shown, then what it printed, then its exit status unless
# that is 0. test_docker_cli.py masks what may differ (ids, times, sizes) and compares.

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

echo "# run"
t "docker run --rm $IMAGE sh -c 'id; hostname; ps'"
t "docker run --rm $IMAGE sh -c 'echo out; sleep 0.1; echo err >&2; exit 3'"
t "echo to stdin | docker run --rm -i $IMAGE cat"
t "docker run --rm -e A=1 -w /var/opt -u postgres -h web $IMAGE sh -c 'echo \$A; pwd; id -un; hostname'"
t "docker run --rm --entrypoint echo $IMAGE a b"
t "docker run --rm $IMAGE no-such-command"
t "docker run --rm $IMAGE /etc/motd"
t "docker run --rm --pull never $P-no-such-image true"
t "docker run -d --name $P-web -e COLOUR=blue $IMAGE sh -c 'trap \"echo bye; exit 0\" TERM; echo up; touch /started; sleep 600 & wait'"
t "docker run --name $P-web $IMAGE true"

echo "# look"
t "docker exec $P-web sh -c 'until test -e /started; do sleep 0.1; done'"
t "docker logs $P-web"
t "docker ps -a --filter $LABEL"
t "docker ps -aq --filter $LABEL --filter status=exited"
t "docker inspect -f '{{.Name}} {{.State.Status}} {{.Config.Cmd}} {{.Config.Image}}' $P-web"
t "docker inspect -f '{{.State.Running}}' $P-no-such"
t "docker top $P-web"
t "docker stats --no-stream --format '{{.Name}} {{.PIDs}}' $P-web"
t "docker port $P-web"

echo "# exec"
t "docker exec $P-web echo hello"
t "docker exec $P-web sh -c 'exit 5'"
t "echo piped | docker exec -i $P-web cat"
t "docker exec -e B=2 -w /tmp -u postgres $P-web sh -c 'echo \$B \$COLOUR; pwd; id -un'"
t "docker exec -d $P-web touch /detached"
quietly sleep 0.5
t "docker exec $P-web no-such-command > said; test \$? -ge 126 && grep -o no-such-command said | head -1"

echo "# files"
t "docker exec $P-web sh -c 'echo new > /new; rm /etc/motd; chmod 700 /var/opt'"
t "docker diff $P-web | sort"
echo "dear container" > letter
t "docker cp letter $P-web:/root/letter"
t "docker cp $P-web:/root/letter back && cat back"
t "docker cp $P-web:/etc/passwd - | tar -t"
t "docker cp $P-web:/no/such here"

echo "# life"
t "docker pause $P-web"
t "docker ps --filter $LABEL --format '{{.Status}}'"
t "docker exec $P-web true"
t "docker unpause $P-web"
t "docker rename $P-web $P-site"
t "docker rm $P-site"
t "docker stop $P-site"
t "docker stop $P-site"
t "docker logs --tail 1 $P-site"
t "docker logs -f $P-site"
t "docker exec $P-site true"
t "docker start $P-site"
t "docker restart -t 5 $P-site"
t "docker kill $P-site"
t "docker kill $P-site"
t "docker wait $P-site"
t "docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}' $P-site"
t "docker create --name $P-made $IMAGE echo made"
t "docker start -a $P-made"

echo "# images"
t "docker commit -a 'A. Learner' -m 'with a letter' -c 'CMD [\"cat\", \"/root/letter\"]' $P-site labkit-test/$P:v1"
t "docker run --rm labkit-test/$P:v1"
t "docker images --filter reference=labkit-test/$P"
t "docker history --format '{{.CreatedBy}}|{{.Comment}}' labkit-test/$P:v1"
t "docker inspect -f '{{.Author}} {{.Config.Cmd}} {{len .RootFS.Layers}}' labkit-test/$P:v1"
t "docker tag labkit-test/$P:v1 labkit-test/$P:v2"
t "docker save labkit-test/$P:v1 labkit-test/$P:v2 > saved.tar; tar -tf saved.tar | grep -c manifest.json"
t "docker rmi labkit-test/$P:v1 labkit-test/$P:v2"
t "docker load < saved.tar"
t "docker run --rm labkit-test/$P:v1"
t "docker export $P-made | tar -t | grep -x etc/motd"
t "docker export $P-made | docker import -m imported -c 'LABEL $LABEL_IN_IMAGE' - labkit-test/$P:v3"
t "docker rmi labkit-test/$P:v1 labkit-test/$P:v2 labkit-test/$P:v3 | grep -v Deleted"
t "docker rmi $P-no-such-image"

echo "# events"
quietly sleep 1
t "docker events --since $BEGAN --until \$(date +%s) --filter $LABEL --filter type=container --format '{{.Action}} {{.Actor.Attributes.name}}' | grep -e $P-site -e $P-web -e $P-made"

echo "# remove"
t "docker rm -f $P-site $P-made"
t "docker rm $P-site"
t "docker ps -a --filter $LABEL"
t "docker version --format '{{.Server.Os}}'"
t "docker info --format '{{.OSType}} {{.Swarm.LocalNodeState}}'"
