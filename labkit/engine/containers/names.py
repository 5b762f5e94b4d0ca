"""Names of containers: which are allowed, and a random one of two words for whoever gave none. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Container

from labkit.engine.errors import BadParameter

ALLOWED = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
_NAME = re.compile(rf"/?{ALLOWED}+")

# Kind words only, as a learner meets them in the first minute. Kitchen, garden, sea and weather.
ADJECTIVES = """
    amber balmy brisk bright calm candid cheery clever cosy crisp curious dapper deft eager earnest fair fresh gentle
    gilded glad golden handy happy hardy hearty honest jolly keen kind leafy light lively lucid lucky mellow merry mild
    minty misty modest neat nimble patient peppy placid playful plucky polite proud quick quiet ready rosy rustic salty
    sandy serene shiny silver simple sleek smooth snug sober soft spicy spry steady sunny supple sweet swift tidy toasty
    tranquil trusty upbeat velvet vivid warm whole wise witty zesty
""".split()

NOUNS = """
    acorn anchor apple apricot basil beacon beetle biscuit breeze brook buoy button candle caraway cedar cherry clover
    cobble compass coral cove cricket crumpet daisy dinghy dolphin dumpling fennel fern ferry fig finch garden ginger
    gull hammock harbour hazel heron honey iris ivy juniper kettle ladle lantern lark lemon lighthouse lily maple
    marigold meadow mint muffin nutmeg oar olive orchard oyster paddle pantry pear pebble pepper petal plum poppy puffin
    quince radish raft raisin reef robin rosemary saffron sail saucer seal shell skillet sparrow spoon starling teapot
    thistle thyme tulip turnip walnut whisk willow
""".split()


def check_name(name: str) -> str:
    """The name without Docker's leading slash. Raises BadParameter for what Docker does not allow."""
    if not _NAME.fullmatch(name):
        raise BadParameter(f"Invalid container name ({name}), only {ALLOWED} are allowed")
    return name.removeprefix("/")


def random_name(taken: Container[str], choose: random.Random = random.SystemRandom()) -> str:  # noqa: B008
    """A free name such as `merry_teapot`; a number is added when luck runs out, as Docker does."""
    for attempt in range(20):
        name = f"{choose.choice(ADJECTIVES)}_{choose.choice(NOUNS)}"
        if attempt > 5:
            name += str(choose.randrange(1000))
        if name not in taken:
            return name
    return f"{name}{choose.getrandbits(40):x}"
