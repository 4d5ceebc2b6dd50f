"""The command line: one file for each group of commands, all joined in `main`."""

from __future__ import annotations

from clipd.cli.app import main

__all__ = ["main"]
