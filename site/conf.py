"""Sphinx's settings for the static site of the lessons (build.py calls it). MyST-NB reads notebooks; Furo is light,
has a dark form, and asks no other host for anything."""

project = "Working with containers"
author = "the labkit authors"
copyright = "the labkit authors. Lessons: CC BY 4.0, code: Apache-2.0"
extensions = ["myst_nb"]
html_theme = "furo"
html_title = project
html_show_sphinx = False
nb_execution_mode = "off"  # the stored outputs are shown: they are the same on every engine
nb_ipywidgets_js = {}  # no widget is stored, so nothing is fetched to draw one
nb_mime_priority_overrides = [("html", "text/html", 0)]
myst_heading_anchors = 3
myst_enable_extensions = ["strikethrough"]
suppress_warnings = ["misc.highlighting_failure"]  # a cell with %%child may hold a shell's lines
exclude_patterns = ["build"]
