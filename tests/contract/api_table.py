"""Write labkit/engine/API.md: each endpoint of the Docker API, served or not, and which contract tests ask it.

    python -m tests.contract.api_table

What is served stands in the route table (labkit/engine/api/routes.py). Which tests ask an endpoint is found by
reading, not by running: a test asks with a method of the Docker SDK or names the path. Which path a method asks is
read in the SDK's own sources. A call on a variable counts where only one kind of thing has such a method (`.pause()`),
or the variable is named after the thing (`network.remove()`). So a file may ask more than is found here.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import docker
from docker.models import containers, images, networks, volumes

from labkit.engine.api.responses import API_VERSION
from labkit.engine.api.routes import LACKS, ROUTES, Route

TESTS = Path(__file__).parent
FILE = TESTS.parents[1] / "labkit/engine/API.md"

Endpoint = tuple[str, str]  # GET, /containers/{}/json: without the names of the holes
Methods = dict[str, frozenset[Endpoint]]

HEAD = """\
# The Docker API, endpoint by endpoint

What this engine answers of the Docker Engine API {version}. Written by `python -m tests.contract.api_table` from the
[route table](api/routes.py); a test compares the two, so change the table, not this file.

**served**: as Docker does. **partly**: as Docker does, but for what is named as missing: that gets an error which says
so, or what stands beside it. **501**: known and refused, with a sentence that says so.

The tests are files of [tests/contract](../../tests/contract), which run on this engine and on dockerd. They were found
by reading them, not by running them: a file is named where it calls a method of the Docker SDK whose source asks the
endpoint, or has the path in it. The scripts of stock docker commands there (`docker_cli*.sh`) are not counted, nor the
tests of [tests/engine](../../tests/engine), where pull, push and log in have a registry to talk to.

{count}
"""


# --- the SDK: which method asks which endpoint -------------------------------------------------------------------


def endpoint(method: str, path: str) -> Endpoint:
    return method.upper(), re.sub(r"\{[^}]*\}", "{}", path)


BESIDE = r"\bself\.(\w+)\("
KNOWN = frozenset(endpoint(route.method, route.path) for route in ROUTES)


def source_of(function: Callable[..., object]) -> str:
    return textwrap.dedent(inspect.getsource(inspect.unwrap(function)))


def functions(kind: type) -> dict[str, Callable[..., object]]:
    return {name: function for name, function in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}


def asked_by_source(source: str) -> frozenset[Endpoint]:
    """The endpoints that a method of the SDK's lower half (APIClient) asks: its paths with its verbs, if known."""
    verbs = re.findall(r"self\._?(get|put|post|delete|head)\b", source) + ["post"] * ("_post_json" in source)
    paths = re.findall(r"_url\(\s*f?['\"]([^'\"]+)['\"]", source)
    return frozenset(endpoint(verb, path) for verb in verbs for path in paths) & KNOWN


@cache
def low_level() -> Methods:
    sources = {name: source_of(function) for name, function in functions(docker.APIClient).items()}
    alone = {name: asked_by_source(source) for name, source in sources.items()}
    return {name: alone[name] | called(source, BESIDE, alone) for name, source in sources.items()}


def high_level(kind: type, others: Methods) -> Methods:
    """The methods of a class of the SDK's upper half: what they call below, beside them, and on what they made."""
    sources = {name: source_of(function) for name, function in functions(kind).items()}
    below = {name: called(source, r"\bapi\.(\w+)\(", low_level()) for name, source in sources.items()}
    return {
        name: below[name] | called(source, BESIDE, below) | called(source, r"\bcontainer\.(\w+)\(", others)
        for name, source in sources.items()
    }


def called(source: str, pattern: str, methods: Methods) -> frozenset[Endpoint]:
    return frozenset().union(*(methods.get(name, ()) for name in re.findall(pattern, source)))


@cache
def kinds() -> dict[str, Methods]:
    """Name of a receiver, as tests write it -> the methods that it has."""
    found: dict[str, Methods] = {"api": low_level(), "client": high_level(docker.DockerClient, {})}
    found["container"] = high_level(containers.Container, {})
    modules: dict[str, ModuleType] = {"image": images, "network": networks, "volume": volumes}
    for name, module in modules.items():
        found[name] = high_level(getattr(module, name.title()), {})
    for name, module in (modules | {"container": containers}).items():
        found[f"{name}s"] = high_level(getattr(module, f"{name.title()}Collection"), found["container"])
    found["client"] |= {"ping": low_level()["ping"], "version": low_level()["version"], "info": low_level()["info"]}
    return found


# --- the tests: what they ask --------------------------------------------------------------------------------------


def asked(source: str) -> frozenset[Endpoint]:
    """The endpoints that a test file asks."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return frozenset(found for call in calls for found in (*by_method(call), *by_path(call)))


def by_method(call: ast.Call) -> Iterator[Endpoint]:
    if isinstance(call.func, ast.Attribute):
        receiver, name = last_word(call.func.value), call.func.attr
        having = [kind for kind in ("container", "image", "network", "volume") if name in kinds()[kind]]
        if receiver in kinds():
            yield from kinds()[receiver].get(name, ())
        elif len(having) == 1 and name not in COMMON:
            yield from kinds()[having[0]][name]


# Methods that a thread, a process, a string or a folder has too.
COMMON = {"start", "wait", "kill", "stop", "remove", "tag", "rename", "update", "attach", "reload", "connect", "logs"}


def last_word(receiver: ast.expr) -> str:
    """`container` for a variable of this name, `images` for `client.images`, otherwise nothing."""
    if isinstance(receiver, ast.Attribute):
        return receiver.attr
    return receiver.id if isinstance(receiver, ast.Name) else ""


def by_path(call: ast.Call) -> Iterator[Endpoint]:
    """A verb and a path among the arguments, as in `ask("POST", f"/containers/{id}/wait")`."""
    texts = [text_of(argument) for argument in call.args]
    verbs = [text for text in texts if text in ("GET", "POST", "PUT", "DELETE", "HEAD")]
    verbs += re.findall(r"^_?(get|put|post|delete|head)", name_of(call.func))
    for verb in verbs:
        for path in (re.sub(r"^(\{\})?(/v\d[\d.]+)?(?=/)|\?.*$", "", text) for text in texts):
            yield from KNOWN & {endpoint(verb, path)}


def name_of(function: ast.expr) -> str:
    """`get` for a function of this name, and for a method."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def text_of(argument: ast.expr) -> str:
    """A string, with `{}` for what an f-string puts in; nothing for what is none."""
    if isinstance(argument, ast.Call) and argument.args:  # api._url("/path")
        return text_of(argument.args[0])
    if isinstance(argument, ast.BinOp):  # base_url + "/path"
        return text_of(argument.right)
    if isinstance(argument, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in argument.values)
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else ""


# --- the table ---------------------------------------------------------------------------------------------------


def key(route: Route) -> str:
    return f"{route.method} {route.path}"


def served(route: Route) -> str:
    if route.handler is None:
        return "501"
    return "partly" if key(route) in LACKS else "served"


def row(route: Route, tests: dict[str, frozenset[Endpoint]]) -> str:
    files = [name for name, found in tests.items() if endpoint(route.method, route.path) in found]
    names = (", ".join(name.removeprefix("test_") for name in files) or "none") if route.handler else ""
    what = f"{route.summary}. Missing: {LACKS[key(route)]}" if key(route) in LACKS else route.summary
    return f"| `{key(route)}` | {served(route)} | {what} | {names} |"


def text() -> str:
    """The whole of API.md."""
    paths = sorted([*TESTS.glob("test_*.py"), TESTS / "samples.py"])
    paths.remove(TESTS / "test_described.py")  # which asks no engine
    tests = {path.stem: asked(path.read_text()) for path in paths}
    states = [served(route) for route in ROUTES]
    count = f"{len(ROUTES)} endpoints: " + ", ".join(f"{states.count(s)} {s}" for s in ("served", "partly", "501"))
    asked_for = [route for route in ROUTES if route.handler and not row(route, tests).endswith(" none |")]
    count += f"; the contract tests ask {len(asked_for)} of the {len(ROUTES) - states.count('501')} that are served"
    lines = [HEAD.format(version=API_VERSION, count=f"{count}.")]
    lines += ["| endpoint | state | what it does | contract tests |", "|---|---|---|---|"]
    lines += [row(route, tests) for route in ROUTES]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
