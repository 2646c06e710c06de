"""Tracklets pooled to one vector, one after the other."""

import numpy as np


def slow_pool(embeddings, sample=None):
    """(first rows, vectors): for each tracklet the row it begins with and its mean direction."""
    crops = embeddings.crops
    groups = {}
    for row in range(len(crops)):
        key = (crops.identities[row], crops.cameras[row], crops.videos[row], crops.tracks[row])
        groups.setdefault(key, []).append(row)
    firsts, vectors = [], []
    for rows in groups.values():
        firsts.append(rows[0])
        in_time = sorted(rows, key=lambda r: -1 if crops.frames[r] is None else crops.frames[r])
        if sample is not None and len(rows) > sample:
            part = len(rows) / sample
            in_time = [in_time[int((number + 0.5) * part + 1e-9)] for number in range(sample)]
        mean = embeddings.vectors[in_time].astype(np.float64).mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return firsts, np.array(vectors)
