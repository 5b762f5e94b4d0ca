#!/bin/bash
# An image goes from one engine to another and back, with the stock docker command: save and load, export and import.
#
# $HERE and $THERE are the addresses of the two engines; the image is on the first.

. "$(dirname "$0")/shell.sh"
export DOCKER_BUILDKIT=0
here() { export DOCKER_HOST=$HERE; }
there() { export DOCKER_HOST=$THERE; }
layers() { docker inspect -f '{{.Id}} {{json .RootFS.Layers}}' "$1"; }

here
echo "# made here"
t "printf 'FROM $IMAGE\nRUN echo made here > /note; rm /etc/motd; ln -s note /link\nCMD [\"cat\", \"/link\"]\n' | docker build -q -t labkit-test/$P:v1 -"
t "docker run --rm labkit-test/$P:v1"
layers labkit-test/$P:v1 > before
t "docker save -o image.tar labkit-test/$P:v1"

there
echo "# loaded there"
t "docker load -q -i image.tar"
t "docker run --rm labkit-test/$P:v1"
t "docker run --rm labkit-test/$P:v1 ls /etc/motd"
layers labkit-test/$P:v1 > after
t "cmp before after && echo the same image and layers, bit by bit"
t "docker history --format '{{.CreatedBy}}' labkit-test/$P:v1 | head -2"
t "docker inspect -f '{{.Config.Cmd}} {{.Os}} {{len .RootFS.Layers}}' labkit-test/$P:v1"

echo "# changed there, and back"
t "docker run --name $P-there labkit-test/$P:v1 sh -c 'echo changed there > /note'"
t "docker commit -m there $P-there labkit-test/$P:v2"
layers labkit-test/$P:v2 > before
t "docker save labkit-test/$P:v1 labkit-test/$P:v2 -o both.tar"
t "docker export -o tree.tar $P-there"
t "docker rm $P-there"
t "docker rmi labkit-test/$P:v2 labkit-test/$P:v1 | grep -c Untagged"

here
quietly docker rmi labkit-test/$P:v1
t "docker load -q -i both.tar | sort"
t "docker run --rm labkit-test/$P:v2 cat /note"
t "docker run --rm labkit-test/$P:v1"
layers labkit-test/$P:v2 > after
t "cmp before after && echo the same image and layers, bit by bit"
t "docker import -c 'LABEL $LABEL_IN_IMAGE' tree.tar labkit-test/$P:v3"
t "docker run --rm labkit-test/$P:v3 cat /link"
t "docker rmi labkit-test/$P:v1 labkit-test/$P:v2 labkit-test/$P:v3 | grep -c Untagged"
