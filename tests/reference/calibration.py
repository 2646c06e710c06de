"""The slow, obvious twins of person/gallery/: every pair and every formula in plain Python."""

import math

NOBODY = {None, "-1", "00-1", "0000"}


def labelled(embeddings):
    """Two sorted lists of similarities: same pairs under two cameras, and different pairs."""
    crops = embeddings.crops
    rows = [row for row in range(len(crops)) if crops.identities[row] not in NOBODY]
    by_camera = any(crops.cameras[row] for row in rows)
    if by_camera:
        rows = [row for row in rows if crops.cameras[row] is not None]
    same, different = [], []
    for place, one in enumerate(rows):
        for other in rows[place + 1 :]:
            similarity = float(embeddings.vectors[one] @ embeddings.vectors[other])
            if crops.identities[one] != crops.identities[other]:
                different.append(similarity)
            elif not by_camera or crops.cameras[one] != crops.cameras[other]:
                same.append(similarity)
    return sorted(same), sorted(different)


def there(frame, frames, apart):
    """Whether a track with these frames is there at a frame."""
    if frame in frames:
        return True
    before = [one for one in frames if one < frame]
    after = [one for one in frames if one > frame]
    return bool(before and after) and min(after) - max(before) <= apart


def at_once(frames, others, apart):
    """Whether two tracks are there at one time."""
    return any(there(frame, others, apart) for frame in frames) or any(
        there(frame, frames, apart) for frame in others
    )


def tracked(embeddings, apart):
    """Two sorted lists of similarities: of one track and far apart, and of tracks there at once."""
    crops, vectors = embeddings.crops, embeddings.vectors
    rows = [row for row in range(len(crops)) if None not in (crops.tracks[row], crops.frames[row])]
    seen = {}
    for row in rows:
        key = crops.cameras[row], crops.videos[row], crops.tracks[row]
        seen.setdefault(key, []).append(crops.frames[row])
    same, different = [], []
    for place, one in enumerate(rows):
        for other in rows[place + 1 :]:
            keys = [
                (crops.cameras[row], crops.videos[row], crops.tracks[row]) for row in (one, other)
            ]
            similarity = float(vectors[one] @ vectors[other])
            if keys[0] == keys[1]:
                if abs(crops.frames[one] - crops.frames[other]) >= apart:
                    same.append(similarity)
            elif keys[0][:2] == keys[1][:2] and at_once(seen[keys[0]], seen[keys[1]], apart):
                different.append(similarity)
    return sorted(same), sorted(different)


def tail(different, people_pairs):
    """Rate, similarity and scale."""
    heights = sorted(math.atanh(min(max(one, -0.999999), 0.999999)) for one in different)[::-1]
    rate = min(0.5, 20 / people_pairs)

    def place(share):
        return min(max(1, int(share * len(heights))), len(heights) - 1)

    scales = []
    for multiple in (1, 3, 10):
        share = min(0.5, multiple * rate)
        count = place(share)
        excess = sum(height - heights[count] for height in heights[:count]) / count
        scales.append(excess * (1 + 1.64 / math.sqrt(people_pairs * share)))
    return place(rate) / len(heights), math.tanh(heights[place(rate)]), max(scales)


def accepted_once(pair_rate, vectors):
    """How often a stranger is accepted who is compared with so many vectors, each independent."""
    refused = 1.0
    for _ in range(vectors):
        refused *= 1 - pair_rate
    return 1 - refused
