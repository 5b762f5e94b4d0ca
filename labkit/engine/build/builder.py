"""The builder: goes through the plan stage by stage, and through each stage step by step.

A stage is a chain of images. Each step stands on the image that the last one gave, and gives another, with the same
config or a changed one; see steps.py for the steps themselves. What happens is told as it happens, in the words of
Docker's classic builder.

Source: Docker API ImageBuild; the Dockerfile reference.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.engine import crash
from labkit.engine.build import metadata, run, steps, words
from labkit.engine.build.arguments import Arguments
from labkit.engine.build.bases import NOTHING, SCRATCH, Bases
from labkit.engine.build.cache import Cache, Step, commit
from labkit.engine.build.context import Context
from labkit.engine.build.dockerfile import ABSENT, Dockerfile, Instruction, instruction
from labkit.engine.build.metadata import Expand
from labkit.engine.build.options import Options
from labkit.engine.build.progress import Tell
from labkit.engine.build.stages import Plan, Stage
from labkit.engine.containers.record import Container
from labkit.engine.containers.spec import DEFAULT_PATH
from labkit.engine.errors import BadParameter, ServerError
from labkit.engine.images.image import Image, short_id
from labkit.engine.registry.progress import in_thread

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Config = dict[str, Any]


@dataclass
class Chain:
    """One stage while it is built: the newest image, and the config that the next one gets."""

    name: str
    image: Image
    config: Config = field(default_factory=dict)
    author: str = ""
    has_command: bool = False
    """This stage has said CMD: then an ENTRYPOINT leaves it alone."""

    def variables(self) -> dict[str, str]:
        """The environment that the stage has set so far."""
        return dict(entry.partition("=")[::2] for entry in self.config.get("Env") or ())


class Builder:
    """One build."""

    def __init__(
        self, engine: Engine, options: Options, dockerfile: Dockerfile, context: Context, bases: Bases, tell: Tell
    ) -> None:
        self.engine, self.options, self.context, self.bases, self.tell = engine, options, context, bases, tell
        self.escape, self.warnings = dockerfile.escape, dockerfile.warnings
        self.arguments = Arguments(options.arguments)
        self.cache = Cache(engine.images, options.cache_from, off=options.no_cache)
        self.chains: list[Chain] = []
        """The stages that are done, and at the end the one in work."""

    async def build(self, plan: Plan) -> Image:
        """Carry the plan out; the image of its last stage. Raises ApiError."""
        if self.warnings:
            await self.say(run.RED + "\n".join(self.warnings) + "\n" + run.PLAIN)
        count = Counter(self, len(plan))
        for one in plan.arguments:
            await count.next(one)
            self._declare_globally(one)
        for stage in plan.stages:
            await self._stage(stage, count)
        if unused := self.arguments.unused():
            await self.say(f"[Warning] One or more build-args {metadata.bare(unused)} were not consumed\n")
        image = self.chains[-1].image
        if not image.id:
            raise ServerError("No image was generated. Is your Dockerfile empty?")
        return image

    async def say(self, text: str) -> None:
        """Tell the client a piece of text."""
        await self.tell(run.stream(text))

    def expand(self, chain: Chain) -> Expand:
        """How words are expanded at this point of a stage: its environment, then the arguments that it may see."""
        values = {**self.arguments.in_stage(chain.config.get("Env") or ()), **chain.variables()}
        return metadata.expanding(values, self.escape)

    # --- stages --------------------------------------------------------------------------------------------------
    def _declare_globally(self, made: Instruction) -> None:
        for name, default in made.pairs:
            value = None if default == ABSENT else self._expand_in_from(default)
            self.arguments.declare_globally(self._expand_in_from(name), value)

    def _expand_in_from(self, text: str) -> str:
        return words.expand(text, self.arguments.in_from(), self.escape)

    async def _stage(self, stage: Stage, count: Counter) -> None:
        await count.next(stage.begin)
        chain = await self._begin(stage)
        await self._show(chain)
        for made in stage.steps:
            await count.next(made)
            await steps.STEPS[made.word](self, chain, made)
            await self._show(chain)
        if chain.image.id:
            await self.tell({"aux": {"ID": chain.image.id}})

    async def _show(self, chain: Chain) -> None:
        await self.say(f" ---> {short_id(chain.image.id)}\n")

    async def _begin(self, stage: Stage) -> Chain:
        """FROM: the image that a stage stands on, and the triggers that it brings along (ONBUILD)."""
        self.arguments.new_stage()
        image = await self._base(stage)
        chain = Chain(stage.name, image, copy.deepcopy(image.config.get("config") or {}))
        if "PATH" not in chain.variables():
            chain.config["Env"] = [*(chain.config.get("Env") or ()), DEFAULT_PATH]
        self.chains.append(chain)
        await self._trigger(chain, chain.config.pop("OnBuild", None) or ())
        return chain

    async def _base(self, stage: Stage) -> Image:
        name = self._expand_in_from(stage.base)
        if not name:
            raise BadParameter(f"base name ({stage.base}) should not be blank")
        if name == SCRATCH:
            return NOTHING
        for chain in self.chains:
            if chain.name and chain.name == name.lower():
                return chain.image
        platform = self._expand_in_from(stage.begin.flags.get("platform", "")) or self.options.platform
        return await self.bases.find(name, platform, self.tell)

    async def _trigger(self, chain: Chain, triggers: Sequence[str]) -> None:
        if not triggers:
            return
        await self.say(f"# Executing {len(triggers)} build trigger")
        for text in ("s", "\n") if len(triggers) > 1 else ("\n",):
            await self.say(text)
        for trigger in triggers:
            made = instruction(trigger, escape=self.escape)
            if made.word not in steps.STEPS:
                raise BadParameter(f"{made.word} isn't allowed as an ONBUILD trigger")
            await steps.STEPS[made.word](self, chain, made)

    # --- images --------------------------------------------------------------------------------------------------
    async def cached(self, chain: Chain, step: Step) -> bool:
        """Go on with the image that this step gave before, if there is one."""
        found = await in_thread(self.cache.find, step)
        if found is None:
            return False
        await self.say(" ---> Using cache\n")
        chain.image, chain.config = found, step.config
        return True

    def container(self, step: Step) -> AbstractAsyncContextManager[Container]:
        """A container for a step that runs nothing."""
        asked = run.body(step.parent, step.command, step.config, {})
        return run.container(self.engine, self.options, self.tell, step.parent, asked)

    async def commit(self, chain: Chain, step: Step, layer: str) -> None:
        """Go on with a new image: the one before, and what is in a container's layer."""
        chain.image = await in_thread(commit, self.engine.images, layer, step, chain.author)
        crash.at("build: step committed")
        chain.config = step.config

    async def keep(self, chain: Chain, config: Config, comment: str) -> None:
        """The next image of a step that changes the config alone."""
        command = [*metadata.shell(config), "#(nop) ", comment]
        step = Step(chain.image, command, config)
        if not await self.cached(chain, step):
            async with self.container(step) as made:
                await self.commit(chain, step, made.id)


@dataclass
class Counter:
    """Tells which step is next, and of how many."""

    builder: Builder
    total: int
    done: int = 0

    async def next(self, made: Instruction) -> None:
        self.done += 1
        await self.builder.say(f"Step {self.done}/{self.total} : {made.text}")
        await self.builder.say("\n")
