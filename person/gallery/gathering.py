"""What the gallery commands are given: crops, embeddings or another gallery, as vectors."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.device import cpu_threads
from everyid.errors import InputError
from everyid.media import read_image
from everyid.media_image import open_picture
from everyid.output import Stop, progress, warn
from everyid.protocols import Image
from person.embeddings import Embeddings, read_embeddings
from person.gallery.config import DEFAULT_MODEL, GalleryEncodingConfig
from person.gallery.head import is_gallery
from person.gallery.records import GalleryModel
from person.gallery.store import Gallery
from person.session import Session, is_embeddings

__all__ = ["Gathered", "Gatherer", "decoded", "same_model", "thumbnail"]

_LEAST_HEIGHT, _LEAST_WIDTH = 32, 12
"""Pixels below which a crop does not show who somebody is."""
_MOST_SLENDER = 8.0
_THUMBNAIL_HEIGHT = 256
# Colours of small crops tell people apart: they are not made coarser than the brightness.
_JPEG = (
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)
_TURNED_TAG, _FIRST_TURNED = 0x0112, 5
_TOLD = 20
"""Pictures whose fault a warning names."""
_CUT = "`python3 run.py object tracking --source VIDEO --save crops` cuts people from a video"
_REDONE = 64
"""Pictures of another gallery that are embedded in one go."""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Vectors, and the picture behind each.

    Args:
        embeddings: N rows.
        thumbnails: The pictures of some rows as a gallery keeps them, JPEG; None where there is
            none any more.
    """

    embeddings: Embeddings
    thumbnails: Callable[[Sequence[int]], list[bytes | None]]


def thumbnail(image: Image) -> bytes:
    """A JPEG file of the picture, at most 256 px high and never enlarged.

    It is good enough for another network to be asked about it one day.

    Args:
        image: uint8 (H, W, 3), BGR.
    """
    height, width = image.shape[:2]
    if height > _THUMBNAIL_HEIGHT:
        size = max(1, round(width * _THUMBNAIL_HEIGHT / height)), _THUMBNAIL_HEIGHT
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return cv2.imencode(".jpg", image, _JPEG)[1].tobytes()


class Gatherer:
    """Makes vectors of what a command is given, by the model of its gallery.

    Args:
        config: What the user asked for.
        model: The gallery's; None: it is yet to be made.
        stop: Set by Ctrl-C.
    """

    def __init__(
        self, config: GalleryEncodingConfig, model: GalleryModel | None, stop: Stop
    ) -> None:
        self._config = config
        self._given = config.model or (model.given if model else DEFAULT_MODEL)
        self._model = model
        self.session = Session(config.model_copy(update={"model": self._given}), stop)

    @property
    def skipped(self) -> dict[str, str]:
        """File -> why it was not used."""
        return self.session.skipped

    def model_of(self, found: Embeddings) -> GalleryModel:
        """The model behind vectors, as a gallery that is made from them records it."""
        given = str(Path(self._given).absolute()) if Path(self._given).is_file() else self._given
        return GalleryModel(
            name=found.model, sha256=found.model_sha256, width=found.width, given=given
        )

    def gather(self, sources: tuple[Path, ...]) -> Gathered:
        """The vectors of sources: crops, or one file of embeddings, or one gallery.

        Raises:
            EveryIDError: A source or the network cannot be used, or the vectors are not of the
                gallery's model.
            KeyboardInterrupt: Ctrl-C came before the first crop was embedded.
        """
        whole = [path for path in sources if is_gallery(path) or is_embeddings(path)]
        if not whole:
            return self._of_crops(sources)
        if len(sources) > 1:
            kind = "a gallery" if is_gallery(whole[0]) else "a file of embeddings"
            raise InputError(
                f"{whole[0]}: {kind}, among {len(sources)} sources",
                hint="name it alone, or name the crops themselves",
            )
        if is_gallery(whole[0]):
            return self._of_gallery(whole[0])
        found = read_embeddings(whole[0])
        if not found.model_sha256:
            raise InputError(
                f"{whole[0]}: expected vectors of a known model, the file does not say whose "
                "they are",
                hint="name the crops themselves, or embed them with `person embed`",
            )
        self._fits(found.model, found.model_sha256)
        return _of_files(found)

    def _of_crops(self, sources: tuple[Path, ...]) -> Gathered:
        crops = self.session.crops(sources)
        reasons = {path: why for path in crops.paths if (why := _no_person(path))}
        usable = np.array([path not in reasons for path in crops.paths], np.bool_)
        self.skipped.update(reasons)
        for why in list(reasons.values())[:_TOLD]:
            warn(f"skipped: {why}")
        if len(reasons) > _TOLD:
            warn(f"skipped: {len(reasons) - _TOLD:,} more; --json lists all")
        if not usable.any():
            first = next(iter(reasons.values()))
            few = f"none of the {len(crops)} pictures can be used; the first: {first}"
            raise InputError(first if len(crops) == 1 else few, hint=_CUT)
        encoder = self.session.encoder
        self._fits(encoder.name, encoder.sha256)
        return _of_files(self.session.embed(crops.select(usable)))

    def _of_gallery(self, folder: Path) -> Gathered:
        """The rows of another gallery: as they are where the model is the same, or made anew."""
        other = Gallery.open(folder)
        if not len(other):
            raise InputError(f"{folder}: the gallery is empty")
        wanted = self._model.sha256 if self._model else self.session.encoder.sha256
        if other.head.model.sha256 == wanted:
            return _of_rows(other, np.arange(len(other)), other.rows.embeddings)
        encoder = self.session.encoder
        self._fits(encoder.name, encoder.sha256)
        rows: list[int] = []
        vectors: list[NDArray[np.float32]] = []
        with progress("embedding again", len(other)) as advance:
            for start in range(0, len(other), _REDONE):
                if self.session.stop.requested:
                    raise KeyboardInterrupt
                some = list(range(start, min(start + _REDONE, len(other))))
                there = [
                    (row, image)
                    for row, image in zip(some, _originals(other, some), strict=True)
                    if image is not None
                ]
                rows += [row for row, _ in there]
                if there:
                    vectors.append(encoder.encode([image for _, image in there]))
                advance(len(some))
        paths = other.rows.embeddings.crops.paths
        for row in set(range(len(other))) - set(rows):
            self.skipped[paths[row]] = f"{paths[row]}: neither the file nor a thumbnail is there"
        if not rows:
            raise InputError(f"{folder}: none of its {len(other)} pictures is there to embed again")
        kept = np.array(rows, np.intp)
        crops = other.rows.embeddings.crops.select(kept)
        made = Embeddings(crops, np.concatenate(vectors), encoder.name, encoder.sha256)
        return _of_rows(other, kept, made)

    def _fits(self, name: str, sha256: str) -> None:
        if self._model is not None:
            same_model(self._config.gallery, self._model, name, sha256)


def same_model(folder: Path, model: GalleryModel, name: str, sha256: str) -> None:
    """Checks that vectors are of a gallery's model.

    Args:
        folder: The gallery.
        model: Its model.
        name: Of the model of the vectors.
        sha256: Likewise.

    Raises:
        InputError: They are not; the hint says how to make the gallery anew.
    """
    if model.sha256 == sha256:
        return
    raise InputError(
        f"{folder}: expected vectors of its own model {model.name} (sha256 {model.sha256[:12]}), "
        f"got those of {name} (sha256 {sha256[:12]})",
        hint=f"leave out --model; or python3 run.py person gallery enroll --gallery NEW --source "
        f"{folder} --model {name} makes a gallery of that model from this one",
    )


def _no_person(path: str) -> str | None:
    """Why a picture cannot be one person from head to foot; None: it may be, by its size."""
    try:
        with open_picture(Path(path)) as picture:
            turned = picture.getexif().get(_TURNED_TAG, 1) >= _FIRST_TURNED
            height, width = picture.size if turned else picture.size[::-1]
    except (InputError, OSError, ValueError, SyntaxError):
        return None  # whoever reads it will say what is wrong with it
    shape = f"{path}: {width}x{height} px"
    if height < _LEAST_HEIGHT or width < _LEAST_WIDTH:
        return f"{shape}: smaller than {_LEAST_WIDTH}x{_LEAST_HEIGHT}, too little of a person"
    if width > height:
        return f"{shape}: wider than high, no crop of one person"
    if height > _MOST_SLENDER * width:
        return f"{shape}: over {_MOST_SLENDER:g} times as high as wide, no crop of one person"
    return None


def _of_files(found: Embeddings) -> Gathered:
    """Vectors whose pictures are files, where these are still there."""
    paths = found.crops.paths

    def small(row: int) -> bytes | None:
        try:
            return thumbnail(read_image(Path(paths[row])))
        except InputError:
            return None

    def thumbnails(rows: Sequence[int]) -> list[bytes | None]:
        with ThreadPoolExecutor(cpu_threads()) as pool:
            return list(pool.map(small, rows))

    return Gathered(found, thumbnails)


def _of_rows(gallery: Gallery, rows: NDArray[np.intp], found: Embeddings) -> Gathered:
    """Vectors of rows of a gallery, whose pictures are its thumbnails."""
    return Gathered(found, lambda wanted: gallery.thumbnails(rows[list(wanted)].tolist()))


def _originals(gallery: Gallery, rows: list[int]) -> list[Image | None]:
    """The pictures of rows: the files they came from where these are unchanged, else thumbnails."""
    paths = gallery.rows.embeddings.crops.paths
    found: list[Image | None] = []
    for row, small in zip(rows, gallery.thumbnails(rows), strict=True):
        try:
            image = read_image(Path(paths[row]))
        except InputError:
            image = None
        if image is None or (small is not None and thumbnail(image) != small):
            image = decoded(small)
        found.append(image)
    return found


def decoded(jpeg: bytes | None) -> Image | None:
    """uint8 (H, W, 3), BGR: the picture of a thumbnail; None for None."""
    if jpeg is None:
        return None
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else image.astype(np.uint8, copy=False)
