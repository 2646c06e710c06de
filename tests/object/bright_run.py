"""``run.py`` with the detector of bright boxes, in a process of its own, where signals arrive.

``SECONDS_A_FRAME`` slows the detector down.
"""

import os
import sys
import time
from collections.abc import Sequence

import run
from everyid.arrays import Detections
from everyid.protocols import Image
from object import session
from object.detectors import DetectorOptions
from tests.object.scenes import BrightBoxes


class SlowBoxes(BrightBoxes):
    """Takes its time."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        time.sleep(float(os.environ.get("SECONDS_A_FRAME", "0")) * len(images))
        return super().detect(images)


def open_detector(model: str, *, device: object, options: DetectorOptions) -> SlowBoxes:
    return SlowBoxes(options)


if __name__ == "__main__":
    session.open_detector = open_detector
    sys.exit(run.main())
