"""``person gallery calibrate``: which similarity means the same person, for one gallery."""

from everyid.errors import InputError
from everyid.output import notice, stoppable, warn, whole_file
from person.crops import Crops
from person.embeddings import Embeddings
from person.gallery.asking import CALIBRATION
from person.gallery.calibration import Calibration, calibrate
from person.gallery.config import CalibrateConfig
from person.gallery.gathering import Gatherer
from person.gallery.head import locked, read_head
from person.gallery.pairs import Pairs, pairs_of_labels, pairs_of_tracklets
from person.gallery.results import CalibrateRun, RatePoint
from person.gallery.roc import draw_roc
from person.gallery.store import Gallery

__all__ = ["run_calibrate"]

_ROC = "roc.png"
_RATES = (0.1, 0.05, 0.01, 0.001, 0.0001)
"""False accepts a question that the table tells of."""
_USUAL = 2
"""Which of them `identify` goes by where nothing else is asked for."""


def run_calibrate(config: CalibrateConfig) -> CalibrateRun:
    """Learns what similarities mean, and stores that with the gallery.

    Raises:
        EveryIDError: A source, the model or the gallery cannot be used, or there are too few pairs.
        KeyboardInterrupt: Ctrl-C came before all crops were embedded: nothing changes.
    """
    model = read_head(config.gallery).model
    skipped: dict[str, str] = {}
    with stoppable() as stop:
        if config.sources:
            gatherer = Gatherer(config, model, stop)
            crops = gatherer.gather(config.sources).embeddings
            skipped = gatherer.skipped
        else:
            crops = Gallery.open(config.gallery).rows.embeddings
        if stop.requested:
            notice("interrupted before all crops were embedded: nothing was learnt")
            raise KeyboardInterrupt
        pairs = _pairs(crops, config)
        found = calibrate(
            pairs.same,
            pairs.different,
            model=model.name,
            model_sha256=model.sha256,
            data=f"{len(crops):,} crops of {pairs.people:,} people or tracks; {pairs.words}",
            people=pairs.people,
            people_pairs=pairs.people_pairs,
        )
        outputs = {"json": config.gallery / CALIBRATION, "roc": config.gallery / _ROC}
        with locked(config.gallery):
            with whole_file(outputs["json"], overwrite=True) as part:
                part.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
            gallery = Gallery.open(config.gallery)
            chances = gallery.independent_vectors
            draw_roc(outputs["roc"], found, vectors=chances, overwrite=True)
    rates = [_point(found, rate, chances) for rate in _RATES]
    if not rates[_USUAL].measured:
        warn(
            f"{pairs.people:,} people are too few to measure {100 * _RATES[_USUAL]:g} % false "
            "accepts a question: that threshold is extrapolated and strict; name more labelled "
            "crops with --source"
        )
    return CalibrateRun(
        gallery=config.gallery,
        calibration=found,
        vectors=len(gallery),
        rates=rates,
        outputs=outputs,
        skipped=skipped,
    )


def _point(found: Calibration, rate: float, vectors: int) -> RatePoint:
    threshold = found.threshold(rate, vectors=vectors)
    return RatePoint(
        false_accept_rate=rate,
        threshold=threshold,
        recognised=found.recognised(threshold),
        measured=found.is_measured(rate, vectors=vectors),
    )


def _pairs(found: Embeddings, config: CalibrateConfig) -> Pairs:
    """Pairs of labelled crops; of tracks, where tracks are all that is known.

    Raises:
        InputError: There are no such pairs.
    """
    if _only_tracks(found.crops):
        notice("nobody is named: tracks tell who is the same and who is not")
        return pairs_of_tracklets(found)
    try:
        return pairs_of_labels(found)
    except InputError as error:
        if not config.sources:
            error.hint = (
                "enrol several pictures of several people, or name labelled crops, or crops with "
                "tracks, with --source"
            )
        raise


def _only_tracks(crops: Crops) -> bool:
    """Whether names are those of tracks, as tracking gives them, or nobody has one."""
    names = zip(crops.identities, crops.videos, crops.tracks, strict=True)
    return all(
        name is None or (track is not None and name.startswith(f"{video}/"))
        for name, video, track in names
    )
