"""The shapes of the engine's answers, derived from Docker's own description of its API.

    python -m tests.contract.shapes swagger.yaml [--observe unix:///var/run/docker.sock]

reads the swagger file of moby (github.com/moby/moby, api/swagger.yaml, API 1.41) and writes `shapes.json`: for each
answer in ANSWERS the names, types and required fields, nothing else. With `--observe` it also notes which of these
fields a dockerd gave in every sample of `samples.samples`: the description itself requires next to none.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import docker

FILE = Path(__file__).with_name("shapes.json")

# method, path and status of each answer that the tests look at
ANSWERS = [
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
]

# Fields of 1.41 that later versions of the API no longer have, or that only swarm, plugins and Windows know.
DROPPED = {"ContainerConfig", "Container", "VirtualSize", "ClusterStore", "ClusterAdvertise", "Experimental", "Swarm"}
DROPPED |= {"KernelMemory", "KernelMemoryTCP", "OomKillDisable", "BridgeNfIptables", "BridgeNfIp6tables", "Isolation"}

# A wait that had no error says so in API 1.41 and leaves it out later. What a cgroup v1 counts, v2 does not (and the
# description says so): `docker stats` needs none of it.
DROPPED |= {"Error", "percpu_usage", "max_usage", "failcnt", "stats", "blkio_stats", "storage_stats", "num_procs"}

KEPT = {"type", "properties", "items", "additionalProperties", "required", "enum", "allOf", "$ref", "x-nullable"}


# --- the description, reduced ------------------------------------------------------------------------------------


def reduced(schema: dict) -> dict:
    """A JSON schema with nothing but names, types and what is required.

    Go writes a list or a map that has nothing in it as null, so null is allowed wherever one of them is.
    """
    schema = {key: value for key, value in schema.items() if key in KEPT}
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


def answer_schema(swagger: dict, answer: str) -> dict:
    method, path, status = answer.split()
    response = swagger["paths"][path][method.lower()]["responses"][int(status)]
    schema = response["schema"]
    if set(schema) <= {"type", "title"} and "examples" in response:
        return like(response["examples"]["application/json"])
    return reduced(schema)


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
    answers = {answer: answer_schema(swagger, answer) for answer in ANSWERS}
    shapes = {
        "source": f"github.com/moby/moby api/swagger.yaml, version {swagger['info']['version']}; see shapes.py",
        "answers": answers,
        "definitions": needed_definitions(swagger, answers),
        "present": {},
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
