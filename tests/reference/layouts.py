"""How the usual readers of public sets take a set apart: the obvious way, by their rules.

Each gives rows of (paths, identity, camera from 0) for train, query and gallery; ``paths`` is a
tuple, of one path but for tracklets. The rules are those of torchreid's dataset files (MIT).
"""

import json
import re

from scipy.io import loadmat

PARTS = ("train", "query", "gallery")


def read_market1501(folder):
    """Junk is left out; identities of training count from 0."""
    rows = {}
    homes = ("bounding_box_train", "query", "bounding_box_test")
    for part, home in zip(PARTS, homes, strict=True):
        assert (folder / home).is_dir()
        found = []
        for path in sorted((folder / home).glob("*.jpg")):
            identity, camera = map(int, re.search(r"([-\d]+)_c(\d)", path.name).groups())
            if identity != -1:
                assert 0 <= identity <= 1501
                assert 1 <= camera <= 6
                found.append(((path,), identity, camera - 1))
        rows[part] = _relabelled(found) if part == "train" else found
    return rows


def read_msmt17(folder):
    """Four lists; each one's identities must count from 0 without a gap."""
    main = folder / "MSMT17_V1"
    rows = {}
    for name in ("train", "val", "query", "gallery"):
        home = main / ("train" if name in {"train", "val"} else "test")
        found = []
        for line in (main / f"list_{name}.txt").read_text().splitlines():
            path, identity = line.split(" ")
            found.append(((home / path,), int(identity), int(path.split("_")[2]) - 1))
        identities = {identity for _, identity, _ in found}
        assert identities == set(range(len(identities)))
        rows[name] = found
    return rows


def read_cuhk03(folder, *, kind, form):
    """A split of a JSON file; what it counts must be there."""
    for name in ("cuhk03_release/cuhk-03.mat", f"cuhk03_new_protocol_config_{kind}.mat"):
        assert (folder / name).is_file()
    split = json.loads((folder / f"splits_{form}_{kind}.json").read_text())[0]
    rows = {}
    for part in PARTS:
        rows[part] = [((folder / path,), who, camera) for path, who, camera in split[part]]
        assert split[f"num_{part}_imgs"] == len(rows[part])
        assert split[f"num_{part}_pids"] == len({identity for _, identity, _ in rows[part]})
    return rows


def read_mars(folder):
    """Tracklets by tables of first and last name, identity and camera."""
    info = folder / "info"
    rows = {}
    test = loadmat(info / "tracks_test_info.mat")["track_test_info"]
    queries = {int(number) - 1 for number in loadmat(info / "query_IDX.mat")["query_IDX"].ravel()}
    tables = {
        "train": loadmat(info / "tracks_train_info.mat")["track_train_info"],
        "query": [line for number, line in enumerate(test) if number in queries],
        "gallery": [line for number, line in enumerate(test) if number not in queries],
    }
    for part, table in tables.items():
        half = "train" if part == "train" else "test"
        names = (info / f"{half}_name.txt").read_text().split()
        assert names == sorted(names)
        found = []
        for first, last, identity, camera in table:
            if identity != -1:
                assert 1 <= camera <= 6
                own = names[first - 1 : last]
                assert {int(name[:4]) for name in own} == {identity}
                assert {int(name[5]) for name in own} == {camera}
                paths = tuple(folder / f"bbox_{half}" / name[:4] / name for name in own)
                found.append((paths, int(identity), int(camera) - 1))
        rows[part] = _relabelled(found) if part == "train" else found
    return rows


def _relabelled(rows):
    numbers = {one: number for number, one in enumerate(sorted({who for _, who, _ in rows}))}
    return [(paths, numbers[who], camera) for paths, who, camera in rows]
