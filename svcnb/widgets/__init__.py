"""Widgets of the notebooks: a plain Python class that owns the numbers, and an ES module that draws them.

They work in JupyterLab and in Colab, with ipywidgets 7 and 8, by mouse, touch and keyboard.
"""

import importlib

_HOMES = {
    "PitchEditor": "pitch_editor",
    "MixTimeline": "mix_timeline",
    "Compare": "compare",
    "TrainingMonitor": "training_monitor",
    "ConvertPanel": "convert_panel",
    "UnitsView": "units_view",
    "Recorder": "recorder",
}
__all__ = ["Compare", "ConvertPanel", "MixTimeline", "PitchEditor", "Recorder", "TrainingMonitor", "UnitsView"]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"svcnb.widgets has no {name!r}; there are {', '.join(_HOMES)}.")
    return getattr(importlib.import_module(f"svcnb.widgets.{_HOMES[name]}"), name)
