"""The fault campaign, as long as you like: prints what happens, and exits 1 at the first broken promise.

    python scripts/campaign.py --seed 7 --seconds 600 [--clips 40] [--daemons 3] [--pace 0.3 1.2] [--keep DIR]

Daemons on a generated tree are killed, frozen and have their clocks set, workers too, while people save, cancel,
delete and restore, disks fill and the share goes away. `CLIPD_TEST_MEDIA` names the folder of real footage, which is
used where it is there. Where that is allowed (to root, mostly) it fills a small disk and uses several host names.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.crash.campaign import Broken, campaign


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description="Run the fault campaign.")
    parser.add_argument("--seed", type=int, default=1, help="what happens, and in which order")
    parser.add_argument("--seconds", type=float, default=60, help="for how long things happen")
    parser.add_argument("--clips", type=int, default=30, help="clips in the tree")
    parser.add_argument("--daemons", type=int, default=3, choices=range(1, 7), help="daemons on the tree")
    parser.add_argument("--pace", type=float, nargs=2, default=(0.3, 1.2), help="seconds between two actions")
    parser.add_argument("--keep", type=Path, help="an empty folder for tree and logs, which are kept there")
    return parser.parse_args()


def main() -> int:
    """Run it; the exit code."""
    wanted = arguments()
    with tempfile.TemporaryDirectory(prefix="clipd-campaign-") as temporary:
        folder = wanted.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        media = Path(os.environ.get("CLIPD_TEST_MEDIA") or Path(__file__).parents[2] / "shared" / "media")
        settings = {"seed": wanted.seed, "clips": wanted.clips, "daemons": wanted.daemons}
        with campaign(folder.absolute(), **settings, tell=print, real=media if media.is_dir() else None) as made:
            try:
                made.run(wanted.seconds, tuple(wanted.pace))
            except Broken as broken:
                print(f"\nBROKEN (seed {wanted.seed})\n{broken}")
                return 1
            print(f"\nseed {wanted.seed}: {dict(made.counts)}, {made.faults} faults")
    return 0


if __name__ == "__main__":
    sys.exit(main())
