"""What a lesson asks of its learner: predictions, exercises checked against the engine, hints, quizzes, progress.

Files in reading order:
    material.py    what a lesson consists of, as data
    lesson_01.py   ... and the data of one lesson
    checks_01.py   its exercises' checks: small functions over Docker SDK objects
    slips.py       what usually goes wrong, and the hint that each slip gets
    evidence.py    what a check may look at: containers, images, files, events
    progress.py    the file that remembers what a learner has done
    draw.py        the parts of a task that are drawn for each learner
    report.py      how far a learner is, and what comes next
    watch.py       the live mode: look again after each event of the engine
    cards.py       how a prediction, an outcome, a quiz look: text, HTML, widget
    tidy.py        remove what a lesson left behind, and nothing else
    lesson.py      `Lesson`, the object that a notebook holds

An engine is reached through the Docker SDK alone, so all of it works on any engine.
"""

from labkit.lessons.lesson import Lesson

__all__ = ["Lesson"]
