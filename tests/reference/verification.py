"""The slow, obvious twin of person/verification.py: every pair, every threshold, no blocks."""

import numpy as np


def pair_scores(queries, gallery, distractors=(), exclude=None):
    """Two sorted float64 arrays: the similarities of same and of different pairs."""
    same, different = [], []
    for q, query in enumerate(queries.vectors.astype(np.float64)):
        for g, candidate in enumerate(gallery.vectors.astype(np.float64)):
            if exclude is not None and exclude[q] == g:
                continue
            ids = int(queries.ids[q]), int(gallery.ids[g])
            if ids[0] in distractors and ids[1] in distractors:
                continue
            one_camera = queries.cameras is not None and queries.cameras[q] == gallery.cameras[g]
            if ids[0] != ids[1]:
                different.append(float(query @ candidate))
            elif not one_camera:
                same.append(float(query @ candidate))
    return np.sort(same), np.sort(different)


def rounded(scores):
    """Similarities as whole hundred-thousandths."""
    return np.rint(np.asarray(scores) * 100_000).astype(int)


def curve(same, different):
    """float64 (P,) each: the shares of different and of same pairs at or above each score."""
    thresholds = sorted({*same.tolist(), *different.tolist()}, reverse=True)
    fpr = [0.0, *(float(np.mean(different >= threshold)) for threshold in thresholds)]
    tpr = [0.0, *(float(np.mean(same >= threshold)) for threshold in thresholds)]
    return np.array(fpr), np.array(tpr)


def tpr_at(same, different, limit):
    """The largest share of same pairs accepted with at most that share of different ones."""
    fpr, tpr = curve(same, different)
    return max(t for f, t in zip(fpr, tpr, strict=True) if f <= limit + 1e-12)


def auc(same, different):
    """How often a same pair beats a different one, ties counting half."""
    above = (same[:, None] > different[None]).mean()
    return float(above + (same[:, None] == different[None]).mean() / 2)


def equal_error_rate(same, different):
    """Where the line from point to point meets as many refused same as accepted different."""
    fpr, tpr = curve(same, different)
    for before in range(len(fpr) - 1):
        gaps = fpr[before : before + 2] - (1 - tpr[before : before + 2])
        if gaps[1] >= -1e-12:
            part = -gaps[0] / (gaps[1] - gaps[0])
            return float(fpr[before] + part * (fpr[before + 1] - fpr[before]))
    raise ValueError("a curve ends at 1, 1")
