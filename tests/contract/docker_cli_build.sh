#!/bin/bash
# Build an image with the stock docker command's classic builder: steps, cache, arguments, and a step that fails.

. "$(dirname "$0")/shell.sh"
export DOCKER_BUILDKIT=0

mkdir context
cat > context/Dockerfile << END
FROM $IMAGE AS first
ARG COLOUR=blue
RUN echo built in \$COLOUR > /colour
FROM $IMAGE
WORKDIR /site
COPY --from=first /colour .
COPY pages/ pages/
ENV GREETING=hello
USER postgres
CMD ["sh", "-c", "echo \$GREETING; id -un; pwd; cat colour pages/*"]
END
mkdir context/pages
echo one > context/pages/one
echo two > context/pages/two
echo two > context/.dockerignore && echo pages/two >> context/.dockerignore

echo "# build"
t "docker build -t labkit-test/$P:v1 context"
t "docker run --rm labkit-test/$P:v1"
t "docker inspect -f '{{.Config.User}} {{.Config.WorkingDir}} {{.Config.Cmd}} {{len .RootFS.Layers}}' labkit-test/$P:v1"
t "docker history --format '{{.CreatedBy}}' labkit-test/$P:v1 | head -3"

echo "# again, from the cache"
t "docker build -t labkit-test/$P:v2 context"
t "docker images -q labkit-test/$P | sort -u | wc -l"

echo "# another argument"
t "docker build -q --build-arg COLOUR=red -t labkit-test/$P:v3 context"
t "docker run --rm labkit-test/$P:v3 cat colour"
t "docker build --build-arg SIZE=1 -t labkit-test/$P:v3 context | tail -4"

echo "# one stage"
t "docker build -q --target first -t labkit-test/$P:first context"
t "docker run --rm labkit-test/$P:first cat /colour"

echo "# a step that fails"
t "printf 'FROM $IMAGE\nRUN echo trying; exit 3\nRUN echo never\n' | docker build --force-rm -t labkit-test/$P:no -"
t "printf 'FROM $IMAGE\nCOPY letter /\n' | docker build -"
t "printf 'FROM $IMAGE\nBUY milk\n' | docker build -"
t "docker build nowhere"
t "docker images -q labkit-test/$P:no"

echo "# remove"
t "docker rmi labkit-test/$P:v1 labkit-test/$P:v2 labkit-test/$P:v3 labkit-test/$P:first | grep -v Deleted"
