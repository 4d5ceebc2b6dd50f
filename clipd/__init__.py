"""clipd turns a folder tree into a video-cutting service."""

__version__ = "0.1.0"
