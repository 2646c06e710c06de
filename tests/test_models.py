"""Types that cross a file: what they refuse, and that JSON gives the same value back."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from everyid import models
from everyid.models import (
    BoundingBox,
    CropSetRun,
    Detection,
    DetectionRun,
    EmbeddingRun,
    EncoderSummary,
    Evaluation,
    EvaluationRun,
    FootageCamera,
    FootageRun,
    FrameResult,
    ImageResult,
    Interval,
    Match,
    MatchRun,
    MovementType,
    QueryMatches,
    SourceSummary,
    TopRankRun,
    TrackedObject,
    TrackingResult,
    TrackingRun,
    TrackingScores,
    TrackingSummary,
    Tracklet,
    TrainRun,
    VerificationSummary,
    VideoRun,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
share = st.floats(0, 1)
count = st.integers(0, 10**12)
number = st.integers(1, 10**12)
text = st.text(max_size=12)
path = st.text(min_size=1, max_size=12).map(Path)
movement = st.sampled_from(MovementType)


def two(values, *, unique=False):
    return st.lists(values, min_size=2, max_size=2, unique=unique).map(sorted)


def few(values):
    return st.lists(values, max_size=3)


def table(values):
    return st.dictionaries(text, values, max_size=3)


@st.composite
def boxes(draw):
    (x1, x2), (y1, y2) = draw(two(finite, unique=True)), draw(two(finite, unique=True))
    return BoundingBox(x1=x1, y1=y1, x2=x2, y2=y2)


@st.composite
def tracklets(draw):
    (first, last), (start, end) = draw(two(number)), draw(two(finite))
    return Tracklet(
        track_id=draw(number),
        class_id=draw(count),
        class_name=draw(text),
        first_frame=first,
        last_frame=last,
        start_s=start,
        end_s=end,
        boxes=draw(number),
        mean_confidence=draw(share),
        mean_speed=draw(positive),
        movement_type=draw(movement),
    )


of_detection = {"box": boxes(), "confidence": share, "class_id": count, "class_name": text}
detections = st.builds(Detection, **of_detection)
tracked = st.builds(
    TrackedObject,
    **of_detection,
    track_id=number,
    velocity_x=finite,
    velocity_y=finite,
    speed=positive,
    direction=st.floats(0, 360, exclude_max=True),
    movement_type=movement,
)
of_summary = {
    "source": text,
    "frames": count,
    "duration_s": positive,
    "elapsed_s": positive,
    "boxes": count,
    "outputs": table(path),
    "warnings": few(text),
    "interrupted": st.booleans(),
}
summaries = st.builds(SourceSummary, **of_summary)
scores = st.builds(
    TrackingScores,
    truth=st.lists(path, min_size=1, max_size=2),
    frames=count,
    people=count,
    boxes=count,
    excused=count,
    mota=st.floats(-1e6, 1),
    id_switches=count,
    false_positives=count,
    misses=count,
)
tracking_summaries = st.builds(
    TrackingSummary,
    **of_summary,
    tracks=table(count),
    people=count,
    longest_track=st.none() | tracklets(),
    scores=st.none() | scores,
)
images = st.builds(ImageResult, source=text, width=number, height=number, objects=few(detections))
results = st.builds(TrackingResult, summary=tracking_summaries, tracklets=few(tracklets()))
of_run = {"output": path, "skipped": table(text)}
maybe = st.none() | text
encoders = st.builds(EncoderSummary, name=text, sha256=text, width=number, input=maybe)
matches = st.builds(
    Match,
    rank=number,
    path=text,
    identity=maybe,
    camera=maybe,
    similarity=finite,
    state=st.sampled_from(["same", "other", "ignored", "unknown"]),
)
query_matches = st.builds(
    QueryMatches, query=text, identity=maybe, camera=maybe, matches=few(matches)
)
intervals = st.builds(Interval, low=finite, high=finite)
verifications = st.builds(
    VerificationSummary,
    same_pairs=count,
    different_pairs=count,
    auc=st.none() | share,
    eer=st.none() | share,
    eer_threshold=st.none() | finite,
    tpr_at_fpr=table(st.none() | share),
    fpr=few(share),
    tpr=few(share),
    thresholds=few(finite),
    missing=maybe,
)
evaluations = st.builds(
    Evaluation,
    protocol_line=text,
    protocol=text,
    data=text,
    model=encoders,
    reranking=text,
    queries=number,
    queries_without_match=count,
    gallery=number,
    junk=count,
    unlabelled=count,
    mean_average_precision=share,
    mean_inverse_negative_penalty=share,
    cmc=st.lists(share, min_size=1, max_size=3),
    intervals=table(intervals),
    bootstrap_repeats=count,
    verification=st.none() | verifications,
)
footage_cameras = st.builds(
    FootageCamera,
    name=text,
    day=number,
    video=path,
    truth=path,
    frames=number,
    identities=count,
    boxes=count,
)
made = {"output": path, "elapsed_s": positive, "interrupted": st.booleans()}
STRATEGIES = {
    BoundingBox: boxes(),
    Detection: detections,
    TrackedObject: tracked,
    Tracklet: tracklets(),
    FrameResult: st.builds(
        FrameResult,
        source=text,
        frame_number=number,
        timestamp=finite,
        objects=few(detections | tracked),
    ),
    ImageResult: images,
    SourceSummary: summaries,
    TrackingScores: scores,
    TrackingSummary: tracking_summaries,
    TrackingResult: results,
    DetectionRun: st.builds(
        DetectionRun,
        **of_run,
        image_count=count,
        boxes=table(count),
        images=few(images),
        interrupted=st.booleans(),
    ),
    VideoRun: st.builds(VideoRun, **of_run, sources=few(summaries)),
    TrackingRun: st.builds(TrackingRun, **of_run, sources=few(results), scores=st.none() | scores),
    EncoderSummary: encoders,
    Match: matches,
    QueryMatches: query_matches,
    Interval: intervals,
    VerificationSummary: verifications,
    Evaluation: evaluations,
    CropSetRun: st.builds(
        CropSetRun,
        **made,
        layout=text,
        crops=count,
        planned=number,
        identities=number,
        cameras=number,
        distractors=count,
        junk=count,
    ),
    FootageCamera: footage_cameras,
    FootageRun: st.builds(
        FootageRun,
        **made,
        place=text,
        people=number,
        days=number,
        frame_rate=st.floats(1, 60),
        cameras=few(footage_cameras),
        events=count,
    ),
    EmbeddingRun: st.builds(
        EmbeddingRun,
        **of_run,
        crops=count,
        model=encoders,
        elapsed_s=positive,
        interrupted=st.booleans(),
    ),
    MatchRun: st.builds(
        MatchRun,
        output=path,
        queries=count,
        gallery=number,
        top_k=number,
        reranking=text,
        model=encoders,
        elapsed_s=positive,
        outputs=table(path),
    ),
    EvaluationRun: st.builds(EvaluationRun, **of_run, evaluation=evaluations, outputs=table(path)),
    TopRankRun: st.builds(
        TopRankRun,
        **of_run,
        model=encoders,
        queries=count,
        gallery=count,
        top_k=number,
        reranking=text,
        evaluation=st.none() | evaluations,
        no_figures=maybe,
        matches=few(query_matches),
        outputs=table(path),
        interrupted=st.booleans(),
    ),
    TrainRun: st.builds(
        TrainRun,
        **of_run,
        recipe=text,
        identities=count,
        images=count,
        steps=count,
        epochs=count,
        images_seen=count,
        best_epoch=st.none() | number,
        evaluation=st.none() | evaluations,
        elapsed_s=positive,
        finished=st.booleans(),
        outputs=table(path),
    ),
}

BOX = BoundingBox(x1=1, y1=2, x2=3, y2=5)
DETECTION = Detection(box=BOX, confidence=0.5, class_id=0, class_name="person")
TRACKED = TrackedObject(**dict(DETECTION), track_id=7)
TRACKLET = Tracklet(
    track_id=1,
    class_id=0,
    class_name="person",
    first_frame=3,
    last_frame=5,
    start_s=0.5,
    end_s=1.25,
    boxes=3,
    mean_confidence=0.5,
    mean_speed=0,
    movement_type="walking",
)
FRAME = FrameResult(source="a.mp4", frame_number=1, timestamp=0, objects=[TRACKED])
IMAGE = ImageResult(source="a.jpg", width=4, height=3, objects=[DETECTION])
SUMMARY = TrackingSummary(
    source="a.mp4", frames=50, duration_s=2, elapsed_s=4, boxes=3, tracks={"person": 1}, people=1
)

ENCODER = EncoderSummary(name="osnet", sha256="", width=512)
MATCH = Match(rank=1, path="g/1.jpg", similarity=0.5, state="unknown")
QUERY = QueryMatches(query="q/1.jpg", matches=[MATCH])
INTERVAL = Interval(low=0.25, high=0.5)
VERIFICATION = VerificationSummary(
    same_pairs=0,
    different_pairs=3,
    auc=None,
    eer=None,
    eer_threshold=None,
    tpr_at_fpr={"0.1": None},
    fpr=[],
    tpr=[],
    thresholds=[],
    missing="no pair of the same identity",
)
EVALUATION = Evaluation(
    protocol_line="streets: ...",
    protocol="cross-camera",
    data="streets",
    model=ENCODER,
    queries=4,
    queries_without_match=1,
    gallery=9,
    junk=0,
    unlabelled=0,
    mean_average_precision=0.5,
    mean_inverse_negative_penalty=0.25,
    cmc=[0.25, 0.5, 0.75],
    verification=VERIFICATION,
)
EMBEDDING_RUN = EmbeddingRun(output="e.parquet", crops=2, model=ENCODER, elapsed_s=0.5)
MATCH_RUN = MatchRun(output="out", queries=0, gallery=1, top_k=1, model=ENCODER, elapsed_s=0)
EVALUATION_RUN = EvaluationRun(output="out", evaluation=EVALUATION)
TOP_RANK_RUN = TopRankRun(output="out", model=ENCODER, queries=1, gallery=2, top_k=1)
TRAIN_RUN = TrainRun(
    output="out",
    recipe="everyid-cnn",
    identities=8,
    images=32,
    steps=4,
    epochs=1,
    images_seen=64,
    elapsed_s=1,
    finished=True,
)
OF_PERSON = [
    *(ENCODER, MATCH, QUERY, INTERVAL, VERIFICATION, EVALUATION),
    *(EMBEDDING_RUN, MATCH_RUN, EVALUATION_RUN, TOP_RANK_RUN, TRAIN_RUN),
]


def changed(model, **changes):
    """The same model, made anew with some fields changed."""
    return type(model)(**{**dict(model), **changes})


def refused(model, message, **changes):
    with pytest.raises(ValidationError, match=message):
        changed(model, **changes)


def test_every_type_is_tried():
    kinds = {getattr(models, name) for name in models.__all__}
    kinds = {kind for kind in kinds if issubclass(kind, BaseModel)}
    assert set(STRATEGIES) == kinds - {models.Model}


@pytest.mark.parametrize("kind", STRATEGIES)
def test_json_gives_the_same_value_back(kind):
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(STRATEGIES[kind])
    def round_trip(value):
        back = kind.model_validate_json(value.model_dump_json())
        assert back == value
        assert repr(back) == repr(value)

    round_trip()


def test_a_frame_keeps_which_objects_are_tracked():
    frame = changed(FRAME, objects=[TRACKED, DETECTION, TRACKED])
    back = FrameResult.model_validate_json(frame.model_dump_json())
    assert [type(one) for one in back.objects] == [TrackedObject, Detection, TrackedObject]
    assert back == frame
    assert [type(one) for one in FrameResult(**frame.model_dump()).objects] == [
        TrackedObject,
        Detection,
        TrackedObject,
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(value):
    refused(BOX, "finite number", x2=value)
    refused(DETECTION, "finite number", confidence=value)
    refused(TRACKED, "finite number", velocity_x=value)
    refused(TRACKED, "finite number", speed=value)
    refused(TRACKLET, "finite number", end_s=value)
    refused(FRAME, "finite number", timestamp=value)
    refused(SUMMARY, "finite number", elapsed_s=value)
    refused(MATCH, "finite number", similarity=value)
    refused(INTERVAL, "finite number", low=value)
    refused(INTERVAL, "finite number", high=value)
    refused(EMBEDDING_RUN, "finite number", elapsed_s=value)
    refused(MATCH_RUN, "finite number", elapsed_s=value)
    refused(EVALUATION, "Input should be", mean_average_precision=value)
    refused(EVALUATION, "Input should be", mean_inverse_negative_penalty=value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_in_json_are_finite(text):
    with pytest.raises(ValidationError, match="finite number"):
        BoundingBox.model_validate_json(f'{{"x1":0,"y1":0,"y2":1,"x2":{text}}}')


@pytest.mark.parametrize("changes", [{"x2": 1}, {"x2": 0}, {"y2": 2}, {"y1": 9}])
def test_a_box_has_an_area(changes):
    refused(BOX, "expected x2 > x1 and y2 > y1", **changes)


def test_the_sizes_of_a_box():
    assert (BOX.width, BOX.height, BOX.area, BOX.center) == (2, 3, 6, (2, 3.5))


@pytest.mark.parametrize(
    "model", [BOX, DETECTION, TRACKED, TRACKLET, FRAME, IMAGE, SUMMARY, *OF_PERSON]
)
def test_unknown_fields_are_refused_and_models_are_frozen(model):
    refused(model, "Extra inputs are not permitted", colour="red")
    document = {**json.loads(model.model_dump_json()), "colour": "red"}
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        type(model).model_validate_json(json.dumps(document))
    with pytest.raises(ValidationError, match="Instance is frozen"):
        setattr(model, next(iter(type(model).model_fields)), None)


@pytest.mark.parametrize(
    ("model", "field", "good", "bad"),
    [
        (DETECTION, "confidence", [0, 1], [-1e-9, 1 + 1e-9]),
        (DETECTION, "class_id", [0], [-1, 0.5]),
        (TRACKED, "track_id", [1], [0, -1]),
        (TRACKED, "direction", [0, 359.999], [-0.001, 360]),
        (TRACKED, "speed", [0], [-0.1]),
        (TRACKED, "movement_type", list(MovementType), ["flying"]),
        (TRACKLET, "mean_confidence", [0, 1], [-0.1, 1.1]),
        (TRACKLET, "boxes", [1], [0]),
        (TRACKLET, "first_frame", [1, 5], [0, 6]),
        (TRACKLET, "end_s", [0.5], [0.49]),
        (FRAME, "frame_number", [1], [0]),
        (IMAGE, "width", [1], [0]),
        (SUMMARY, "frames", [0], [-1]),
        (SUMMARY, "elapsed_s", [0], [-1]),
        (SUMMARY, "people", [0], [-1]),
        (ENCODER, "width", [1], [0]),
        (MATCH, "rank", [1], [0]),
        (MATCH, "state", ["same", "other", "ignored", "unknown"], ["junk", None]),
        (VERIFICATION, "same_pairs", [0], [-1]),
        (VERIFICATION, "different_pairs", [0], [-1]),
        (EVALUATION, "queries", [1], [0]),
        (EVALUATION, "queries_without_match", [0], [-1]),
        (EVALUATION, "gallery", [1], [0]),
        (EVALUATION, "junk", [0], [-1]),
        (EVALUATION, "unlabelled", [0], [-1]),
        (EVALUATION, "mean_average_precision", [0, 1], [-1e-9, 1 + 1e-9]),
        (EVALUATION, "mean_inverse_negative_penalty", [0, 1], [-1e-9, 1 + 1e-9]),
        (EMBEDDING_RUN, "crops", [0], [-1]),
        (EMBEDDING_RUN, "elapsed_s", [0], [-1]),
        (MATCH_RUN, "queries", [0], [-1]),
        (MATCH_RUN, "gallery", [1], [0]),
        (MATCH_RUN, "top_k", [1], [0]),
        (EVALUATION_RUN, "evaluation", [EVALUATION], [None]),
        (TOP_RANK_RUN, "gallery", [0], [-1]),
        (TOP_RANK_RUN, "top_k", [1], [0]),
        (TOP_RANK_RUN, "evaluation", [None, EVALUATION], [0.5]),
    ],
)
def test_bounds(model, field, good, bad):
    for value in good:
        assert getattr(changed(model, **{field: value}), field) == value
    for value in bad:
        with pytest.raises(ValidationError):
            changed(model, **{field: value})


def test_durations_and_rates():
    assert TRACKLET.duration_s == 0.75
    assert SUMMARY.frames_per_second == 12.5
    assert changed(SUMMARY, elapsed_s=0).frames_per_second == 0


def test_ranks_past_the_curve_have_its_last_value():
    assert [EVALUATION.rank(k) for k in (1, 2, 3, 4, 50)] == [0.25, 0.5, 0.75, 0.75, 0.75]
    assert changed(EVALUATION, cmc=[1]).rank(20) == 1


def test_what_is_not_known_of_people_is_null():
    document = json.loads(TOP_RANK_RUN.model_dump_json())
    assert (document["evaluation"], document["no_figures"]) == (None, None)
    assert json.loads(QUERY.model_dump_json()) == {
        "query": "q/1.jpg",
        "identity": None,
        "camera": None,
        "matches": [
            {
                "rank": 1,
                "path": "g/1.jpg",
                "identity": None,
                "camera": None,
                "similarity": 0.5,
                "state": "unknown",
            }
        ],
    }
    assert json.loads(VERIFICATION.model_dump_json())["tpr_at_fpr"] == {"0.1": None}
    assert json.loads(EVALUATION.model_dump_json())["reranking"] == "none"


def test_the_document_has_plain_names_and_values():
    document = json.loads(changed(SUMMARY, outputs={"csv": Path("out/a.csv")}).model_dump_json())
    assert document["outputs"] == {"csv": "out/a.csv"}
    assert json.loads(TRACKLET.model_dump_json())["movement_type"] == "walking"
    assert json.loads(DETECTION.model_dump_json()) == {
        "box": {"x1": 1, "y1": 2, "x2": 3, "y2": 5},
        "confidence": 0.5,
        "class_id": 0,
        "class_name": "person",
    }
