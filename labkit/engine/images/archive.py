"""Archives in and out of a root: the one door for `docker cp`, image layers, import and export.

`extract` and `pack` are written out in extract.py and pack.py, the parser in tarstream.py, and the rule that keeps
all of them inside the root in beneath.py. Outside these, nothing in the engine unpacks an archive.
"""

from labkit.engine.images.extract import Extracted, extract
from labkit.engine.images.pack import pack, stat_path
from labkit.engine.images.tarstream import BadArchive, Limits, decompressed

__all__ = ["BadArchive", "Extracted", "Limits", "decompressed", "extract", "pack", "stat_path"]
