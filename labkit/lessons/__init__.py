"""What a lesson asks of its learner: predictions, exercises checked against the engine, hints, quizzes, progress.

Files in reading order:
    material.py    what a lesson consists of, as data
    lesson_01.py   ... and the data of one lesson: its exercises are small functions over Docker SDK objects
    evidence.py    what a check may look at: containers, images, files, events
    progress.py    the file that remembers what a learner has done
    cards.py       how a prediction, an outcome, a quiz look: text, HTML, widget
    tidy.py        remove what a lesson left behind, and nothing else
    lesson.py      `Lesson`, the object that a notebook holds

An engine is reached through the Docker SDK alone, so all of it works on any engine.
"""

from labkit.lessons.lesson import Lesson

__all__ = ["Lesson"]
