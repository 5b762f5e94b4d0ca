"""Building images from a Dockerfile, as Docker's classic builder does: `docker build` with DOCKER_BUILDKIT=0.

In reading order: words.py, lines.py, dockerfile.py and health.py (what is written), stages.py and arguments.py (what
it means), options.py, ignore.py and context.py (what the client sends), metadata.py, sources.py, copying.py and run.py
(what single steps do), bases.py and cache.py (images that are there already), steps.py and builder.py (all together).

Left out: BuildKit, and so mounts and secrets of RUN, here-documents, stages at once, and ADD of an URL.
"""
