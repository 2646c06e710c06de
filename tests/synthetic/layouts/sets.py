"""Small sets of crops, drawn as plain coloured pictures and laid out on disk."""

import hashlib

import cv2
import numpy as np

from synthetic.layouts.named import layout_named
from synthetic.layouts.plan import CropPlan, split


def planned(identities=6, cameras=4, *, tracklets=2, pictures=2, others=True):
    """Crops of people, and of distractors and junk (two tracklets a camera), parts not set."""
    plan = [
        CropPlan(identity, camera, tracklet, 100 * tracklet + 10 * number, 0)
        for identity in range(1, identities + 1)
        for camera in range(1, cameras + 1)
        for tracklet in range(1, tracklets + 1)
        for number in range(pictures)
    ]
    if others:
        plan += [
            CropPlan(identity, camera, tracklet, 7, 0)
            for identity in (0, -1)
            for camera in range(1, cameras + 1)
            for tracklet in (1, 2)
        ]
    return _numbered(plan)


def _numbered(plan):
    seen, numbered = {}, []
    for crop in plan:
        key = crop.identity, crop.camera
        seen[key] = seen.get(key, 0) + 1
        numbered.append(CropPlan(crop.identity, crop.camera, crop.tracklet, crop.frame, seen[key]))
    return numbered


def laid_out(folder, name, plan):
    """The plan as the layout keeps it, the paths of its crops, and the further files."""
    layout = layout_named(name)
    plan = split(layout.kept(plan), by_tracklet=layout.by_tracklet)
    paths = layout.paths(plan)
    for crop, path in zip(plan, paths, strict=True):
        colour = [30 + 40 * (crop.identity % 5), 60 * crop.camera % 255, 20 * crop.picture % 255]
        picture = np.full((32, 16, 3), colour, np.uint8)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(cv2.imencode(layout.suffix, picture)[1].tobytes())
    return plan, paths, layout.finish(folder, plan, paths)


def fingerprints(folder):
    """Path -> digest of every file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
