"""One answer of a live engine for each that `shapes.py` describes, so that its fields can be looked at."""

import contextlib
import json
import time

import docker

from tests.contract.helpers import OBEDIENT, unique


def samples(client: docker.DockerClient, image: str) -> dict[str, list]:
    """Answers of a live engine, for each method, path and status of shapes.SAMPLED; nothing is left behind."""
    with contextlib.ExitStack() as stack:
        return collect(client, image, stack)


def collect(client: docker.DockerClient, image: str, stack: contextlib.ExitStack) -> dict[str, list]:
    api, since, name = client.api, int(time.time()), unique("labkit-test/shape")
    place = unique("labkit-test")  # of a network and of a volume

    def ask(method: str, path: str, status: int = 200, **options) -> object:
        answer = api.request(method, f"{api.base_url}{path}", timeout=60, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def container(command: list[str]) -> tuple[str, object]:
        body = {"Image": image, "Cmd": command, "Env": ["A=1"], "HostConfig": {"PidsLimit": 50}}
        made = ask("POST", "/containers/create", 201, json=body)
        stack.callback(api.remove_container, made["Id"], force=True)
        return made["Id"], made

    created, made = container(["true"])
    running, _ = container(OBEDIENT)
    exited, _ = container(["sh", "-c", "rm /etc/motd; touch /new; exit 3"])
    api.start(running)
    api.start(exited)
    ended = ask("POST", f"/containers/{exited}/wait")
    started = ask("POST", f"/containers/{running}/exec", 201, json={"Cmd": ["sleep", "60"]})
    before = ask("GET", f"/exec/{started['Id']}/json")
    api.exec_start(started["Id"], detach=True)
    committed = ask("POST", "/commit", 201, params={"container": exited, "repo": name}, json={})
    images = [ask("GET", f"/images/{one}/json") for one in (image, name)]
    history = [ask("GET", f"/images/{one}/history") for one in (image, name)]
    network = ask("POST", "/networks/create", 201, json={"Name": place, "Labels": {"labkit": "test"}})
    stack.callback(api.remove_network, place)
    volume = ask("POST", "/volumes/create", 201, json={"Name": place, "Labels": {"labkit": "test"}})
    stack.callback(api.remove_volume, place)
    ours = {"filters": json.dumps({"ancestor": [image]})}
    listed = ask("GET", "/images/json", params={"filters": json.dumps({"reference": ["labkit-test/*"]})})
    return {
        "GET /version 200": [ask("GET", "/version")],
        "GET /info 200": [ask("GET", "/info")],
        "GET /containers/json 200": [ask("GET", "/containers/json", params={"all": 1, "size": 1} | ours)],
        "POST /containers/create 201": [made],
        "GET /containers/{id}/json 200": [ask("GET", f"/containers/{one}/json") for one in (created, running, exited)],
        "GET /containers/{id}/json 404": [ask("GET", "/containers/labkit-no-such/json", 404)],
        "GET /containers/{id}/top 200": [ask("GET", f"/containers/{running}/top")],
        "GET /containers/{id}/changes 200": [ask("GET", f"/containers/{exited}/changes")],
        "GET /containers/{id}/stats 200": [ask("GET", f"/containers/{running}/stats", params={"stream": 0})],
        "POST /containers/{id}/wait 200": [ended],
        "POST /containers/{id}/exec 201": [started],
        "GET /exec/{id}/json 200": [before, ask("GET", f"/exec/{started['Id']}/json")],
        "GET /images/json 200": [listed],
        "GET /images/{name}/json 200": images,
        "GET /images/{name}/history 200": history,
        "DELETE /images/{name} 200": [ask("DELETE", f"/images/{name}")],
        "POST /commit 201": [committed],
        "POST /containers/{id}/update 200": [ask("POST", f"/containers/{running}/update", json={"CpuShares": 512})],
        "POST /networks/create 201": [network],
        "GET /networks 200": [ask("GET", "/networks")],
        "GET /networks/{id} 200": [ask("GET", f"/networks/{one}") for one in (place, "bridge", "none")],
        "POST /volumes/create 201": [volume],
        "GET /volumes 200": [ask("GET", "/volumes")],
        "GET /volumes/{name} 200": [ask("GET", f"/volumes/{place}")],
        "GET /system/df 200": [ask("GET", "/system/df")],
        "GET /events 200": list(client.events(since=since, until=int(time.time()) + 1, decode=True)),
    }
