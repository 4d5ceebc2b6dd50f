"""Detectors of cuts: a visible table, one file for each way of telling one shot from the next."""

from __future__ import annotations

from typing import Final

from clipd.segmentation.scenes.adaptive import Adaptive
from clipd.segmentation.scenes.content import Content
from clipd.segmentation.scenes.detector import Detector
from clipd.segmentation.scenes.gradual import Gradual
from clipd.segmentation.scenes.scene import Scene
from clipd.segmentation.scenes.shots import Shots

DETECTORS: Final[dict[str, type[Detector]]] = {
    detector.name: detector for detector in (Shots, Scene, Content, Adaptive, Gradual)
}

DEFAULT: Final = Shots.name
"""The one that finds most shots as people see them; the others are measures of old, and recipes."""

__all__ = ["DEFAULT", "DETECTORS", "Detector"]
