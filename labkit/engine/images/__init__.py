"""Images: names, archives, layers, and what is made of them.

In reading order: reference.py (names), beneath.py and archive.py (archives that may be hostile), whiteouts.py,
layers.py with overlay.py and vfs.py (layers on disk), changes.py (`docker diff`), image.py and store.py (which images
there are), make.py with instructions.py (import, commit), save.py and load.py, removal.py.
"""
