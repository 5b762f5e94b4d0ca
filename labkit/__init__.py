"""labkit: the few names that a lesson uses. Each is loaded when it is first asked for, so importing costs nothing."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name -> the module that holds it
_HOMES = {
    "connect": "labkit.connect",
    "base_image": "labkit.images",
    "LayerStack": "labkit.views.layer_stack",
    "ProcessTree": "labkit.views.process_tree",
    "LifeCycle": "labkit.views.life_cycle",
    "OverlayWalk": "labkit.views.overlay_walk",
    "Namespaces": "labkit.views.namespaces",
    "Gauges": "labkit.views.gauges",
    "Services": "labkit.views.services",
    "TimeLine": "labkit.views.time_line",
    "Stacks": "labkit.views.stacks",
    "time_start": "labkit.phases",
    "bar_chart": "labkit.views.charts",
    "Lesson": "labkit.lessons",
    "VM": "labkit.vm",
    "Child": "labkit.child",
    "SecondEngine": "labkit.second_engine",
    "engine_with_limits": "labkit.second_engine",
    "terminal": "labkit.lab_terminal",
    "load_ipython_extension": "labkit.magic",  # `%load_ext labkit`
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'labkit' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
