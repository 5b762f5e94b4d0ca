"""Parameters of an exercise, drawn for each learner and kept: so your neighbour's solution is not yours.

The draw is by chance, once; it is then in the progress file until `labkit reset`. Where LABKIT_SEED is set, the seed
decides instead and nothing is written: the stored outputs of the notebooks are made with the seed "course", and the
tests that compare them set it too. So a reader of a web page sees words that are not the ones that you will get.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping

from labkit.lessons.evidence import Word
from labkit.lessons.material import Parameter
from labkit.lessons.progress import Progress


def draw(parameter: Parameter, lesson: str, progress: Progress, environ: Mapping[str, str] = os.environ) -> Word:
    """The learner's own choice among the options: the same at each call."""
    if seed := environ.get("LABKIT_SEED"):
        return seeded(parameter, f"{seed} {lesson}")
    kept = progress.section(lesson, "words").get(parameter.key, {}).get("value")
    if kept in parameter.options:  # the options may have been reworded since
        return kept  # type: ignore[no-any-return]
    chosen = secrets.choice(parameter.options)
    if kept is not None:
        progress.record(lesson, "words", parameter.key, value=chosen)
        return chosen
    word: Word = progress.keep(lesson, "words", parameter.key, chosen)  # another notebook may have been faster
    return word


def seeded(parameter: Parameter, seed: str) -> Word:
    """The choice that a seed makes, the same on every machine and every Python."""
    digest = hashlib.sha256(f"{seed} {parameter.key}".encode()).digest()
    return parameter.options[int.from_bytes(digest[:8]) % len(parameter.options)]
