"""The steps of a stage: what each instruction does to the chain of images.

Most change the config only (metadata.py). RUN runs a container, COPY and ADD write into a layer, WORKDIR makes a
folder. All end in the same way: the step is looked for in the cache, and else carried out and committed.

Source: the Dockerfile reference.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from labkit.engine import crash
from labkit.engine.build import bases, copying, metadata, run, sources
from labkit.engine.build.cache import Step
from labkit.engine.build.dockerfile import ABSENT, Instruction
from labkit.engine.build.sources import CONTEXT_MISSING, STAGE_MISSING, Root, Source
from labkit.engine.containers import users
from labkit.engine.errors import ApiError, BadParameter, NotImplemented_, ServerError
from labkit.engine.images.image import Image
from labkit.engine.registry.progress import in_thread

if TYPE_CHECKING:
    from labkit.engine.build.builder import Builder, Chain

Do = Callable[["Builder", "Chain", Instruction], Awaitable[None]]

_URL = re.compile(r"(?i)https?://|git@|git://")


# --- the config alone --------------------------------------------------------------------------------------------


async def _change(build: Builder, chain: Chain, made: Instruction) -> None:
    config = copy.deepcopy(chain.config)
    comment = metadata.CHANGES[made.word](config, made, build.expand(chain))
    await build.keep(chain, config, comment)


async def _cmd(build: Builder, chain: Chain, made: Instruction) -> None:
    await _change(build, chain, made)
    chain.has_command = True


async def _entrypoint(build: Builder, chain: Chain, made: Instruction) -> None:
    """A new entrypoint drops the command of the base image, which was meant for another."""
    config = copy.deepcopy(chain.config)
    comment = metadata.CHANGES[made.word](config, made, build.expand(chain))
    if not chain.has_command:
        config.pop("Cmd", None)
    await build.keep(chain, config, comment)


async def _healthcheck(build: Builder, chain: Chain, made: Instruction) -> None:
    before = (chain.config.get("Healthcheck") or {}).get("Test")
    if before and before != ["NONE"]:
        await build.say(f"Note: overriding previous HEALTHCHECK: {metadata.bare(before)}\n")
    await _change(build, chain, made)


async def _maintainer(build: Builder, chain: Chain, made: Instruction) -> None:
    chain.author = made.rest
    await build.keep(chain, copy.deepcopy(chain.config), f"MAINTAINER {made.rest}")


async def _arg(build: Builder, chain: Chain, made: Instruction) -> None:
    expand, shown = build.expand(chain), []
    for written, default in made.pairs:
        name = expand.word(written)
        value = None if default == ABSENT else expand.word(default)
        build.arguments.declare(name, value)
        shown.append(name if value is None else f"{name}={value}")
    await build.keep(chain, copy.deepcopy(chain.config), "ARG " + " ".join(shown))


# --- a container -------------------------------------------------------------------------------------------------


async def _run(build: Builder, chain: Chain, made: Instruction) -> None:
    """RUN: the arguments are in the environment of the process, and not in that of the image."""
    command = list(made.args) if made.is_json else [*metadata.shell(chain.config), *made.args]
    seen = build.arguments.in_stage(chain.config.get("Env") or ())
    recorded = build.arguments.recorded(seen)
    in_history = [f"|{len(recorded)}", *recorded, *command] if seen else command
    step = Step(chain.image, in_history, copy.deepcopy(chain.config))
    if await build.cached(chain, step):
        return
    asked = run.body(chain.image, command, _with_arguments(chain.config, seen), build.options.host)
    async with run.container(build.engine, build.options, build.tell, chain.image, asked) as container:
        code = await run.output(build.engine, container, build.tell)
        crash.at("build: command ran")
        if code:
            raise run.CommandFailed(command, code)
        await build.commit(chain, step, container.id)


def _with_arguments(config: Mapping[str, object], seen: Mapping[str, str]) -> dict[str, object]:
    environment = config.get("Env") or []
    assert isinstance(environment, list)
    return {**config, "Env": [*environment, *(f"{name}={value}" for name, value in seen.items())]}


async def _workdir(build: Builder, chain: Chain, made: Instruction) -> None:
    """WORKDIR: the folder is made where it is missing, and belongs to root whoever USER is."""
    config = copy.deepcopy(chain.config)
    path = config["WorkingDir"] = metadata.workdir(config, build.expand(chain).word(made.rest))
    step = Step(chain.image, [*metadata.shell(config), f"#(nop) WORKDIR {path}"], config)
    if await build.cached(chain, step):
        return
    async with build.container(step) as container:
        async with bases.opened(build.engine, container.id) as root:
            await in_thread(copying.make_folder, root, path)
        await build.commit(chain, step, container.id)


# --- files -------------------------------------------------------------------------------------------------------


async def _copy(build: Builder, chain: Chain, made: Instruction) -> None:
    expand = build.expand(chain)
    *names, last = [expand.word(word) for word in made.args]
    flags = {name: value if name == "from" else expand.word(value) for name, value in made.flags.items()}
    _refuse_urls(made.word, names)
    target = _target(chain, last)
    async with _root(build, chain, flags.get("from")) as root:
        found = await _find(made.word, root, names)
        copying.check(made.word, found, target)
        digest = await in_thread(sources.digest, found)
        said = [*(f"--{name}={flags[name]}" for name in ("chown", "chmod") if name in flags), f"{digest} in {last} "]
        command = [*metadata.shell(chain.config), f"#(nop) {made.word} {' '.join(said)}"]
        step = Step(chain.image, command, copy.deepcopy(chain.config))
        if not await build.cached(chain, step):
            await _write(build, chain, step, made.word, found, target, flags)


def _refuse_urls(word: str, names: Sequence[str]) -> None:
    for name in names:
        if _URL.match(name) and word == "COPY":
            raise BadParameter("COPY failed: source can't be a URL for COPY")
        if _URL.match(name):
            raise NotImplemented_(
                f"ADD failed: {name} is not fetched by this engine: "
                "fetch it into the build context, or with a RUN of wget where the build has a network"
            )


def _target(chain: Chain, path: str) -> str:
    """The absolute target; a slash at its end, or a dot, says that it is a folder."""
    is_folder = path.endswith("/") or path in (".", "./") or path.endswith("/.")
    absolute = metadata.workdir(chain.config, path or ".")
    return absolute.rstrip("/") + "/" if is_folder else absolute


async def _find(word: str, root: Root, names: Sequence[str]) -> list[Source]:
    try:
        return await in_thread(sources.find, root, names)
    except ApiError as error:
        raise type(error)(f"{word} failed: {error.message}", status=error.status) from error


@contextlib.asynccontextmanager
async def _root(build: Builder, chain: Chain, name: str | None) -> AsyncIterator[Root]:
    """Where files are taken from: the context, or with `--from` another stage or image."""
    if name is None:
        yield Root(build.context.root, CONTEXT_MISSING)
        return
    image = await _image(build, name)
    async with bases.layer_on(build.engine, image) as layer, bases.opened(build.engine, layer) as fd:
        yield Root(fd, STAGE_MISSING)


async def _image(build: Builder, name: str) -> Image:
    done = build.chains[:-1]
    for other in done:
        if other.name and other.name == name.lower():
            return other.image
    if name.isdigit():
        if int(name) == len(done):
            raise BadParameter(f"invalid from flag value {name}: refers to current build stage")
        if int(name) > len(done):
            raise BadParameter(f"invalid from flag value {name}: index out of bounds")
        return done[int(name)].image
    try:
        return await build.bases.find(name, build.options.platform, build.tell)
    except ApiError as error:
        raise BadParameter(f"invalid from flag value {name}: {error.message}") from error


async def _write(
    build: Builder, chain: Chain, step: Step, word: str, found: Sequence[Source], target: str, flags: Mapping[str, str]
) -> None:
    mode = _mode(flags["chmod"]) if "chmod" in flags else None
    async with bases.layer_on(build.engine, chain.image) as layer:
        async with bases.opened(build.engine, layer) as root:
            owner = await in_thread(_owner, root, flags["chown"]) if "chown" in flags else None
            await in_thread(copying.copy, root, copying.Copy(found, target, owner, mode, unpack=word == "ADD"))
        crash.at("build: files copied")
        await build.commit(chain, step, layer)


def _owner(root: int, text: str) -> tuple[int, int]:
    """`--chown`: user and group by number, or by the names of the image's own files. A user's group has its name."""
    try:
        who = users.resolve(text if ":" in text else f"{text}:{text}", (), users.read_accounts(root))
    except ApiError as error:
        raise ServerError(
            f"unable to convert uid/gid chown string to host mapping: --chown={text}: {error.message}"
        ) from error
    return who.uid, who.gid


def _mode(text: str) -> int:
    if not re.fullmatch("[0-7]{1,4}", text):
        raise BadParameter(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777")
    return int(text, 8)


STEPS: dict[str, Do] = {
    **dict.fromkeys(metadata.CHANGES, _change),
    "ADD": _copy,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "HEALTHCHECK": _healthcheck,
    "MAINTAINER": _maintainer,
    "RUN": _run,
    "WORKDIR": _workdir,
}
"""Every instruction but FROM, which begins a stage."""
