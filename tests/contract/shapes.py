"""The shapes of the engine's answers, derived from Docker's own description of its API.

    python -m tests.contract.shapes swagger.yaml [--observe unix:///var/run/docker.sock]

reads the swagger file of moby (github.com/moby/moby, api/swagger.yaml, API 1.41) and writes `shapes.json`: for each
answer of an endpoint that our engine serves the names, types and required fields, nothing else. With `--observe` it
also notes which of these fields a dockerd gave in every sample of `samples.samples`: the description itself requires
next to none. Without, those that were noted before stay.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

import docker

from labkit.engine.api.routes import ROUTES

FILE = Path(__file__).with_name("shapes.json")

# method, path and status of each answer of which the tests take a sample, to see which fields are always there
SAMPLED = [
    "GET /version 200",
    "GET /info 200",
    "GET /events 200",
    "GET /containers/json 200",
    "POST /containers/create 201",
    "GET /containers/{id}/json 200",
    "GET /containers/{id}/json 404",
    "GET /containers/{id}/top 200",
    "GET /containers/{id}/changes 200",
    "GET /containers/{id}/stats 200",
    "POST /containers/{id}/wait 200",
    "POST /containers/{id}/exec 201",
    "GET /exec/{id}/json 200",
    "GET /images/json 200",
    "GET /images/{name}/json 200",
    "GET /images/{name}/history 200",
    "DELETE /images/{name} 200",
    "POST /commit 201",
    "POST /containers/{id}/update 200",
    "POST /networks/create 201",
    "GET /networks 200",
    "GET /networks/{id} 200",
    "POST /volumes/create 201",
    "GET /volumes 200",
    "GET /volumes/{name} 200",
    "GET /system/df 200",
]

# Fields of 1.41 that later versions of the API no longer have, or that only swarm, plugins, BuildKit and Windows know.
DROPPED = {"ContainerConfig", "Container", "VirtualSize", "ClusterStore", "ClusterAdvertise", "Experimental", "Swarm"}
DROPPED |= {"KernelMemory", "KernelMemoryTCP", "OomKillDisable", "BridgeNfIptables", "BridgeNfIp6tables", "Isolation"}
DROPPED |= {"BuildCache"}

# A wait that had no error says so in API 1.41 and leaves it out later. What a cgroup v1 counts, v2 does not (and the
# description says so): `docker stats` needs none of it.
DROPPED |= {"Error", "percpu_usage", "max_usage", "failcnt", "stats", "blkio_stats", "storage_stats", "num_procs"}

KEPT = {"type", "properties", "items", "additionalProperties", "required", "enum", "allOf", "$ref", "x-nullable"}
FORMATS = {"binary", "dateTime", "date-time"}  # those of numbers say how Go keeps them


# --- the description, reduced ------------------------------------------------------------------------------------


def reduced(schema: dict) -> dict:
    """A JSON schema with nothing but names, types and what is required.

    Go writes a list or a map that has nothing in it as null, so null is allowed wherever one of them is.
    """
    schema = {key: value for key, value in schema.items() if key in KEPT or (key == "format" and value in FORMATS)}
    nullable = schema.pop("x-nullable", False)
    if "properties" in schema:
        schema["properties"] = {name: reduced(field) for name, field in schema["properties"].items()}
    if isinstance(schema.get("items"), dict):
        schema["items"] = reduced(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = reduced(schema["additionalProperties"])
    if "allOf" in schema:
        schema["allOf"] = [reduced(part) for part in schema["allOf"]]
    if nullable or schema.get("type") == "array" or "additionalProperties" in schema:
        return with_null(schema)
    return schema


def with_null(schema: dict) -> dict:
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema | ({"type": [schema["type"], "null"]} if "type" in schema else {})


def answers(swagger: dict) -> dict[str, dict | None]:
    """`METHOD /path STATUS` -> the schema of the body, or None where there is none; of what our engine serves."""
    served = {f"{route.method} {bare(route.path)}" for route in ROUTES if route.handler}
    return {
        f"{method.upper()} {path} {status}": body_of(swagger, f"{method.upper()} {path}", operation, response)
        for path, operations in swagger["paths"].items()
        for method, operation in operations.items()
        if f"{method.upper()} {bare(path)}" in served
        for status, response in operation["responses"].items()
    }


def bare(path: str) -> str:
    """A path without the names of its holes."""
    return re.sub(r"\{\w+\}", "{}", path)


def body_of(swagger: dict, endpoint: str, operation: dict, response: dict) -> dict | None:
    if endpoint in PROGRESS and response.get("schema") is None:
        return {"$ref": f"#/definitions/{PROGRESS[endpoint]}"}
    if "schema" not in response:
        return BYTES if RAW & set(operation.get("produces", ())) else None
    if set(response["schema"]) <= {"type", "title"} and "examples" in response:
        return like(response["examples"]["application/json"])
    return reduced(response["schema"])


# What a schema says of a body that is not JSON.
BYTES = {"type": "string", "format": "binary"}
RAW = {"application/octet-stream", "application/vnd.docker.raw-stream", "application/x-tar"}

# How every error looks, also one of an endpoint that the description does not have.
ERROR = {"$ref": "#/definitions/ErrorResponse"}

# Streams of JSON of which the description has a schema, but does not say so where the endpoint stands.
PROGRESS = {
    "POST /build": "BuildInfo",
    "POST /images/create": "CreateImageInfo",
    "POST /images/load": "BuildInfo",
    "POST /images/{name}/push": "PushImageInfo",
}


def like(example: object) -> dict:
    """The schema of one example, where the description gives no other (stats)."""
    if isinstance(example, dict):
        named = {key: like(value) for key, value in example.items() if not key.startswith("eth")}
        return {"type": "object", "properties": named}
    if isinstance(example, list):
        return {"type": ["array", "null"]}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": kinds.get(type(example), "string")}


def references(schema: object) -> Iterator[str]:
    """The definitions that a schema refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rsplit("/", 1)[1]
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else []:
        yield from references(part)


def needed_definitions(swagger: dict, answers: dict) -> dict:
    needed, waiting = {}, set(references(answers))
    while waiting:
        name = waiting.pop()
        needed[name] = reduced(swagger["definitions"][name])
        waiting |= set(references(needed[name])) - needed.keys()
    return dict(sorted(needed.items()))


# --- which fields are there --------------------------------------------------------------------------------------


def known_fields(shapes: dict, schema: dict, value: object, at: str = "") -> set[str]:
    """The fields of the description that `value` has, as paths such as `State.Pid` and `Mounts[].Source`."""
    schema = resolved(shapes, schema)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        # a field of a list's items counts when every item has it
        found = [known_fields(shapes, schema["items"], item, f"{at}[]") for item in value]
        return set.intersection(*found) if found else set()
    found = set()
    for name in value if isinstance(value, dict) else ():
        if name in schema.get("properties", {}):
            path = f"{at}.{name}".lstrip(".")
            found |= {path} | known_fields(shapes, schema["properties"][name], value[name], path)
    return found


def unknown_fields(shapes: dict, schema: dict, value: object, at: str = "") -> set[str]:
    """The fields of `value` that the description does not have, as such paths; `*` stands for a name that is free."""
    schema = resolved(shapes, schema)
    if isinstance(value, list):
        return set().union(*(unknown_fields(shapes, schema.get("items", {}), item, f"{at}[]") for item in value))
    named, free = schema.get("properties", {}), schema.get("additionalProperties", not schema.get("properties"))
    found = set()
    for name in value if isinstance(value, dict) else ():
        path = f"{at}.{name if name in named or not free else '*'}".lstrip(".")
        if name in named or isinstance(free, dict):
            found |= unknown_fields(shapes, named.get(name, free), value[name], path)
        elif not free:
            found.add(path)
    return found


def resolved(shapes: dict, schema: dict) -> dict:
    """The schema with its reference followed and its parts (allOf) put together."""
    if "$ref" in schema:
        return resolved(shapes, shapes["definitions"][schema["$ref"].rsplit("/", 1)[1]])
    merged = dict(schema)
    for part in schema.get("allOf", []):
        part = resolved(shapes, part)
        merged["properties"] = merged.get("properties", {}) | part.get("properties", {})
    return merged


def always_there(shapes: dict, samples: dict[str, list]) -> dict[str, list[str]]:
    """For each answer the fields that every sample of it has."""
    fields = {}
    for answer, values in samples.items():
        found = [known_fields(shapes, shapes["answers"][answer], value) for value in values]
        common = set.intersection(*found)
        fields[answer] = sorted(path for path in common if not DROPPED & set(path.replace("[]", "").split(".")))
    return fields


def main() -> None:
    import yaml

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("swagger", type=Path)
    parser.add_argument("--observe", metavar="ADDRESS")
    options = parser.parse_args()
    swagger = yaml.safe_load(options.swagger.read_text())
    described = answers(swagger)
    shapes = {
        "source": f"github.com/moby/moby api/swagger.yaml, version {swagger['info']['version']}; see shapes.py",
        "version": swagger["info"]["version"],
        "answers": described,
        "definitions": needed_definitions(swagger, described),
        "present": json.loads(FILE.read_text())["present"] if FILE.exists() else {},
    }
    if options.observe:
        shapes["present"] = observe(shapes, options.observe)
    FILE.write_text(json.dumps(shapes, separators=(",", ":"), sort_keys=True).replace('},"', '},\n"') + "\n")


def observe(shapes: dict, address: str) -> dict:
    from tests import busybox
    from tests.contract.samples import samples

    client = docker.DockerClient(base_url=address, version="auto", timeout=60)
    image = busybox.import_image(client, "labkit-test/shapes")
    try:
        return always_there(shapes, samples(client, image))
    finally:
        client.images.remove(image)


if __name__ == "__main__":
    main()
