"""clipd for programs and notebooks: everything here keeps its name and its meaning.

from clipd.api import BatchVideoProcessor, ClipGenerator, VideoLoader
"""

from __future__ import annotations

from clipd.batch import BatchVideoProcessor
from clipd.clip_generator import ClipGenerationError, ClipGenerator
from clipd.datasets.loader import VideoLoader
from clipd.datasets.stats import ProcessingStats

__all__ = ["BatchVideoProcessor", "ClipGenerationError", "ClipGenerator", "ProcessingStats", "VideoLoader"]
