#!/usr/bin/env python3
"""A thin way into `clipd analyze`: `analyze_v2_cli.py VIDEO --output-dir DIR [--mode v1|v2] [--set key=value ...]`."""

from __future__ import annotations

import sys

from clipd.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "analyze")
    main()
