#!/usr/bin/env python3
"""The classic way into clipd: `process_clips.py [--daemon] [flags]`, the same work as `clipd run`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clipd.cli.app import tell
from clipd.cli.run import flags_of, formats_of, serve
from clipd.errors import ClipdError


def arguments() -> argparse.ArgumentParser:
    """The classic flags."""
    parser = argparse.ArgumentParser(description="Process the clips marked Process in a clipd tree.")
    parser.add_argument("--root", type=Path, help="the tree; else the one at or above this folder")
    parser.add_argument("--config", type=Path, help="a settings file other than ROOT/clipd.yaml")
    parser.add_argument("--daemon", action="store_true", help="go on until stopped, instead of one pass")
    parser.add_argument("--interval", type=float, metavar="S", help="seconds between looks at the tree")
    parser.add_argument("--camera", action="append", metavar="NAME", help="only this camera; may be given again")
    parser.add_argument("--formats", metavar="A,B", help="h264, ffv1 or both")
    parser.add_argument("--cv-optimized", action="store_true", help="lossless FFV1, for computer vision")
    parser.add_argument("--both-formats", action="store_true", help="H.264 and FFV1")
    parser.add_argument("--max-workers", type=int, metavar="N", help="clips worked on at the same time")
    parser.add_argument("--batch-size", type=int, metavar="N", help="clips taken in one pass; 0 is no limit")
    parser.add_argument("--multi-crop", action="store_true", help="make crop variations of each clip")
    parser.add_argument("--crop-variations", metavar="A,B", help="of original, wide, full")
    parser.add_argument("--wide-crop-factor", type=float, metavar="X", help="how much wider `wide` is")
    parser.add_argument("--crop-camera-types", metavar="A,B", help="variations only for these cameras")
    parser.add_argument("--exclude-crop-camera-types", metavar="A,B", help="no variations for these cameras")
    parser.add_argument("--dry-run", action="store_true", help="show the whole plan and change nothing")
    return parser


def main() -> int:
    """Run; the exit code is that of `clipd run`."""
    given = arguments().parse_args()
    try:
        flags = flags_of(
            interval=given.interval,
            cameras=given.camera,
            formats=formats_of(given.formats, given.cv_optimized, given.both_formats),
            max_workers=given.max_workers,
            batch_size=given.batch_size,
            multi_crop=given.multi_crop,
            crop_variations=given.crop_variations,
            wide_crop_factor=given.wide_crop_factor,
            crop_camera_types=given.crop_camera_types,
            exclude_crop_camera_types=given.exclude_crop_camera_types,
        )
        return serve(given.root, given.config, flags, once=not given.daemon, dry_run=given.dry_run)
    except ClipdError as error:
        return tell(error)


if __name__ == "__main__":
    sys.exit(main())
