"""The slow, obvious twins of person/training/losses.py: one row, one pair, one value at a time."""

import math


def identity(logits, identities, smoothing):
    """The mean over labelled rows of the smoothed cross entropy."""
    found = []
    for row, identity in zip(logits.tolist(), identities.tolist(), strict=True):
        if identity < 0:
            continue
        total = sum(math.exp(value) for value in row)
        targets = [smoothing / len(row)] * len(row)
        targets[identity] += 1 - smoothing
        found.append(
            -sum(
                target * math.log(math.exp(value) / total)
                for target, value in zip(targets, row, strict=True)
            )
        )
    return sum(found) / len(found)


def triplet(embeddings, identities, margin):
    """The mean over anchors of hardest positive against hardest negative."""
    rows = [row for row, identity in enumerate(identities.tolist()) if identity >= 0]
    found = []
    for anchor in rows:
        nearer, farther = [], []
        for other in rows:
            distance = math.dist(embeddings[anchor].tolist(), embeddings[other].tolist())
            if other != anchor and identities[other] == identities[anchor]:
                nearer.append(distance)
            if identities[other] != identities[anchor]:
                farther.append(distance)
        if nearer and farther:
            gap = max(nearer) - min(farther)
            found.append(math.log1p(math.exp(gap)) if margin is None else max(0.0, gap + margin))
    return sum(found) / len(found)


def cosine(one, other):
    """The cosine similarity of two vectors."""
    product = sum(a * b for a, b in zip(one.tolist(), other.tolist(), strict=True))
    return product / (math.hypot(*one.tolist()) * math.hypot(*other.tolist()))


def cosine_distance(student, teacher):
    """The mean over rows of 1 - cosine similarity."""
    return sum(1 - cosine(a, b) for a, b in zip(student, teacher, strict=True)) / len(student)


def relations(student, teacher):
    """The mean over all pairs of the squared difference of their similarities."""
    found = []
    for i in range(len(student)):
        for j in range(len(student)):
            theirs = cosine(teacher[i], teacher[j])
            found.append((cosine(student[i], student[j]) - theirs) ** 2)
    return sum(found) / len(found)
