#!/bin/bash
# Several containers together, with the stock docker command: volumes, networks, ports, an application of four services.

. "$(dirname "$0")/shell.sh"

# A web server of one page, in the container's file system or in a volume.
serve() { echo "sh -c 'trap \"exit 0\" TERM; mkdir -p /srv; echo $1 > /srv/index.html; httpd -f -p 80 -h /srv & wait'"; }

# Wait for a container's server: until wget has its page, asked from the container itself.
up() { quietly docker exec "$1" sh -c "until wget -qO- http://127.0.0.1/; do sleep 0.1; done"; }

# Ask for a page at a name that nobody has (any more): a static busybox has no words for that, so we say it.
unheard() { echo "sh -c 'exec 2> /dev/null; wget -T 3 -qO- http://$1/ || echo nobody there'"; }

# What happened to a thing since the script began. dockerd remembers 256 events: ask soon.
past() {
    quietly sleep 1
    t "docker events --since $BEGAN --until \$(date +%s) --filter $1 --format '{{.Type}} {{.Action}}'"
}

echo "# volumes"
t "docker volume create --label $OURS $P-data"
t "docker volume ls --filter $LABEL"
t "docker volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}}' $P-data"
t "docker run --rm -v $P-data:/data $IMAGE sh -c 'echo kept > /data/note'"
t "docker run --rm -v $P-data:/data:ro $IMAGE sh -c 'exec 2>&1; cat /data/note; echo more > /data/note'"
t "docker run -d --name $P-user -v $P-data:/data $IMAGE sleep 600"
t "docker volume rm $P-data | cut -d, -f1"
t "docker rm -f $P-user"
past volume=$P-data

echo "# a network"
t "docker network create --label $OURS $P-net"
t "docker network create --label $OURS $P-net"
t "docker network ls --filter $LABEL --format '{{.Name}} {{.Driver}} {{.Scope}}'"
t "docker network inspect -f '{{.Name}} {{.Driver}} {{.Internal}} {{len .Containers}}' $P-net"
t "docker run --rm --network $P-net $IMAGE cat /etc/resolv.conf | head -1"
past network=$P-net

echo "# ports"
t "docker run -d --name $P-web --network $P-net -p 127.0.0.1::80 -v $P-data:/srv $IMAGE $(serve 'a page in a volume')"
up $P-web
t "docker port $P-web"
t "docker run --rm --network $P-net $IMAGE wget -qO- http://$P-web/"
t "exec 3<> /dev/tcp/127.0.0.1/\$(docker port $P-web 80/tcp | cut -d: -f2); printf 'GET / HTTP/1.0\r\n\r\n' >&3; tail -1 <&3"
t "docker run --rm -v $P-data:/data $IMAGE cat /data/index.html"
t "docker run --rm $IMAGE $(unheard $P-web)"
t "docker network inspect -f '{{range .Containers}}{{.Name}}{{end}}' $P-net"
t "docker stats --no-stream $P-web"
t "docker network disconnect $P-net $P-web"
t "docker run --rm --network $P-net $IMAGE $(unheard $P-web)"
t "docker network connect --alias shop $P-net $P-web"
t "docker run --rm --network $P-net $IMAGE wget -qO- http://shop/"
t "docker network rm $P-net | sed 's/ (name.*//'"
t "docker rm -f $P-web"

echo "# an application of four services"
for service in web authentication catalog store; do
    t "docker run -d --name $P-$service --network $P-net --network-alias $service $IMAGE $(serve "$service answers")"
    up $P-$service
done
t "docker network inspect -f '{{len .Containers}}' $P-net"
t "docker exec $P-web sh -c 'for s in authentication catalog store; do wget -qO- http://\$s/; done'"
t "docker kill $P-catalog"
t "docker exec $P-web $(unheard catalog)"
t "docker exec $P-web wget -qO- http://store/"
t "docker rm $P-catalog"
t "docker run -d --name $P-catalog --network $P-net --network-alias catalog $IMAGE $(serve 'the new catalog answers')"
up $P-catalog
t "docker exec $P-web sh -c 'for s in authentication catalog store; do wget -qO- http://\$s/; done'"
t "docker ps --filter network=$P-net --format '{{.Names}} {{.Status}}'"

echo "# remove"
t "docker rm -f $P-web $P-authentication $P-catalog $P-store"
t "docker network rm $P-net"
t "docker network inspect -f '{{.Name}}' $P-net"
t "docker volume rm $P-data"
t "docker volume ls -q --filter $LABEL"
