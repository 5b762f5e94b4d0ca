"""The images that a build stands on: `FROM name`, `COPY --from=name`. What is not here, or must be fresh, is pulled.

FROM scratch is the image of nothing: no layer, no config.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.engine.build.progress import Tell
from labkit.engine.errors import NoSuchImage
from labkit.engine.images import reference
from labkit.engine.images.image import Image
from labkit.engine.registry import platforms
from labkit.engine.registry.auth import NOBODY, Credentials
from labkit.engine.registry.progress import in_thread

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

SCRATCH = "scratch"
NOTHING = Image(id="", config={}, tags=(), layers=(), size=0, parent="", created="")


@dataclass(frozen=True)
class Bases:
    """Finds images by name. `registries`: whom a registry knows us as, by its name (X-Registry-Config)."""

    engine: Engine
    pull_always: bool = False
    registries: Mapping[str, Credentials] = field(default_factory=dict)

    async def find(self, name: str, platform: str, tell: Tell) -> Image:
        """The image of a name. Raises NoSuchImage, InvalidReference, RegistryError."""
        if not self.pull_always:
            with contextlib.suppress(NoSuchImage):
                return self.engine.images.get(name)
        return await self._pull(name, platform, tell)

    async def _pull(self, name: str, platform: str, tell: Tell) -> Image:
        from labkit.engine.registry.pull import pull  # loads an HTTP client, which few builds need

        ref = reference.parse(name).tagged()
        who = self.registries.get(ref.registry, NOBODY)
        progress = pull(self.engine.images, ref, who, platforms.parse(platform) if platform else None)
        async with contextlib.aclosing(progress):
            async for line in progress:
                await tell(line)
        return self.engine.images.get(str(ref))


@contextlib.asynccontextmanager
async def layer_on(engine: Engine, image: Image) -> AsyncIterator[str]:
    """The id of a fresh read-write layer on an image, as a container has one; gone at the end.

    COPY writes into it, and `COPY --from` reads an image through it. No container is made: nothing runs.
    """
    layer = secrets.token_hex(32)
    try:
        await in_thread(engine.driver.create, layer, image)
        yield layer
    finally:
        await in_thread(engine.driver.remove, layer)


@contextlib.asynccontextmanager
async def opened(engine: Engine, layer: str) -> AsyncIterator[int]:
    """A descriptor of the files that such a layer shows."""
    stack = contextlib.ExitStack()
    try:
        yield await in_thread(stack.enter_context, engine.driver.opened(layer))
    finally:
        await in_thread(stack.close)
