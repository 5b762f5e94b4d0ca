"""`labkit progress`, `labkit reset`, `labkit exec`: what a learner wants beside the notebooks."""

import argparse
import contextlib
import os

from labkit.cli_answer import Answer
from labkit.connect import find


def progress(options: argparse.Namespace) -> Answer:
    from labkit.lessons import report  # the lessons' side loads Jupyter's widgets
    from labkit.lessons.progress import Progress

    kept = Progress()
    found = report.standings(kept)
    following = report.coming_next(found)
    data = {"file": str(kept.path), "lessons": [one.to_dict() for one in found], "next": following}
    return Answer(data, report.text(kept))


def reset(options: argparse.Namespace) -> Answer:
    """Forget one lesson; its containers are left to `lesson.begin()` and `labkit clean`."""
    from labkit.lessons.material import load
    from labkit.lessons.progress import Progress

    material = load(options.lesson.zfill(2))
    gone = {section: count for section, count in Progress().forget(material.number).items() if count}
    told = ", ".join(f"{section} {count}" for section, count in gone.items())
    text = f"Lesson {material.number} {material.title} begins anew. " + (
        f"Forgotten: {told}." if told else "Nothing was noted."
    )
    return Answer({"lesson": material.number, "forgotten": gone}, text)


def exec_(options: argparse.Namespace) -> Answer:
    from labkit import interactive

    with contextlib.closing(find(options.host, os.environ).client) as client:
        command = options.command or ["sh"]
        status = interactive.run(client, options.container, command, stdin=options.interactive, terminal=options.tty)
    return Answer(None, "", status)
