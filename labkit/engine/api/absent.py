"""Nouns that this engine has none of: plugins.

None can be made here (that is 501), so a list of them is truly empty and to look for one is a plain 404. It matters:
`docker inspect NAME` asks noun after noun and goes on only at a 404, and `docker system prune` asks all to be pruned.
"""

from __future__ import annotations

from aiohttp import web

from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response
from labkit.engine.engine import Engine
from labkit.engine.errors import NotFound


async def list_plugins(engine: Engine, request: Request) -> web.Response:
    """GET /plugins."""
    return json_response([])


async def plugin(engine: Engine, request: Request) -> web.Response:
    """GET /plugins/{name}/json."""
    raise NotFound(f'plugin "{request.path["name"]}" not found')
