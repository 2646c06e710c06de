"""``person everyid``: what is in the results of whole runs, and what is said of them."""

import csv
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everyid import output
from everyid.config import build
from everyid.models import TopRankRun
from person import session
from person.config import TopRankConfig
from person.top_rank import run_top_rank
from tests.object.scenes import files_in, rows_of
from tests.person.people import figure, save

HEADER = "query,query_identity,query_camera,rank,match,match_identity,match_camera,similarity,state"


@pytest.fixture
def ranked(everyid, colour, tmp_path):
    """Runs ``everyid`` with the network of colours; the run, when it ends well."""

    def command(*words, code=0):
        done = everyid("everyid", *words, "-m", colour, "-o", tmp_path / "out", "--json")
        assert done.code == code, done.err
        return TopRankRun.model_validate_json(done.out)

    return command


@pytest.fixture
def refused(everyid, colour, tmp_path):
    """Runs ``everyid`` that has to fail cleanly."""

    def command(*words):
        before = files_in(tmp_path)
        done = everyid("everyid", *words, "-m", colour, "-o", tmp_path / "out")
        assert (done.code, done.out) == (1, "")
        assert len(done.errors) == 1
        assert files_in(tmp_path) == before
        return done

    return command


@pytest.fixture(scope="module")
def whole(tmp_path_factory, colour, crowd):
    """A run over the crowd with all that can be saved."""
    folder = tmp_path_factory.mktemp("whole")
    config = build(
        TopRankConfig,
        model=str(colour),
        device="cpu",
        sources=(crowd,),
        top_k=7,
        output=folder / "out",
        save=("folders", "sheets", "csv", "parquet"),
    )
    return run_top_rank(config, list_all=True)


def test_a_market_layout_is_taken_apart(whole):
    assert (whole.queries, whole.gallery, whole.top_k) == (12, 30, 7)
    found = whole.evaluation
    assert found.protocol == "market1501"
    assert (found.queries, found.gallery, found.junk) == (12, 27, 3)
    assert found.protocol_line.startswith("crowd: market1501 protocol (")
    assert "no re-ranking; model colour" in found.protocol_line
    assert whole.no_figures is None
    assert all("/query/" in one.query for one in whole.matches)
    assert all("/bounding_box_test/" in m.path for one in whole.matches for m in one.matches)


def test_re_ranked(everyid, embedded, tmp_path, whole):
    words = ("--query", embedded / "query.parquet", "--gallery", embedded / "gallery.npz")
    done = everyid(
        "everyid", *words, "-k", 7, "--save", "csv", "--rerank", "-o", tmp_path / "out", "--json"
    )
    assert done.code == 0, done.err
    run = TopRankRun.model_validate_json(done.out)
    assert run.evaluation.reranking == "k-reciprocal re-ranking, k1 20, k2 6, lambda 0.3"
    plain = {one.query: {m.path: m.similarity for m in one.matches} for one in whole.matches}
    for one in run.matches:
        for found in one.matches:
            if found.path in plain[one.query]:
                assert found.similarity == pytest.approx(plain[one.query][found.path], abs=1e-5)


def test_the_states_are_those_of_the_labels(whole):
    seen = set()
    for one in whole.matches:
        assert [found.rank for found in one.matches] == list(range(1, 8))
        values = [found.similarity for found in one.matches]
        assert values == sorted(values, reverse=True)
        for found in one.matches:
            same = found.identity == one.identity
            ignored = same and found.camera == one.camera
            assert found.state == ("ignored" if ignored else "same" if same else "other")
            seen.add(found.state)
    assert seen == {"same", "other", "ignored"}


def test_the_tables_agree_and_are_as_documented(whole):
    rows = rows_of(whole.outputs["csv"])
    with whole.outputs["csv"].open() as file:
        assert ",".join(next(csv.reader(file))) == HEADER
    table = pq.read_table(whole.outputs["parquet"])
    assert ",".join(table.column_names) == HEADER
    kinds = {"rank": pa.int32(), "similarity": pa.float32()}
    assert [field.type for field in table.schema] == [
        kinds.get(name, pa.string()) for name in HEADER.split(",")
    ]
    assert table.num_rows == len(rows) == 12 * 7
    listed = [
        {
            "query": one.query,
            "query_identity": one.identity,
            "query_camera": one.camera,
            "rank": found.rank,
            "match": found.path,
            "match_identity": found.identity,
            "match_camera": found.camera,
            "similarity": pytest.approx(found.similarity),
            "state": found.state,
        }
        for one in whole.matches
        for found in one.matches
    ]
    assert table.to_pylist() == listed
    numbers = {"rank": int, "similarity": float}
    assert [{n: numbers.get(n, str)(row[n]) for n in row} for row in rows] == listed


def test_folders_hold_copies(whole):
    folders = sorted(whole.outputs["folders"].iterdir())
    assert [folder.name[:5] for folder in folders] == [f"{n:04d}_" for n in range(1, 13)]
    for folder, one in zip(folders, whole.matches, strict=True):
        paths = [one.query, *(found.path for found in one.matches)]
        copies = sorted(folder.iterdir())
        assert [copy.name for copy in copies] == [
            f"{rank:02d}_{path.rpartition('/')[2]}" for rank, path in enumerate(paths)
        ]
        for copy, path in zip(copies, paths, strict=True):
            assert copy.read_bytes() == Path(path).read_bytes()
        assert folder.name[5:] == copies[0].stem[3:]


def test_sheets_decode(whole):
    sheets = sorted(whole.outputs["sheets"].iterdir())
    assert [sheet.stem for sheet in sheets] == [
        folder.name for folder in sorted(whole.outputs["folders"].iterdir())
    ]
    for sheet in sheets:
        image = cv2.imread(str(sheet))
        assert sheet.suffix == ".png"
        assert image is not None
        assert min(image.shape[:2]) > 200


def test_a_query_in_a_gallery(everyid, colour, people, tmp_path):
    query = save(tmp_path / "who.png", figure(2, 5, 9))
    done = everyid(
        *("everyid", "--query", query, "--gallery", people, "-m", colour),
        *("-k", 3, "-o", tmp_path / "out", "--save", "csv"),
    )
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == str(query)
    rows = rows_of(tmp_path / "out" / "matches.csv")
    assert [row["match_identity"] for row in rows[:2]] == ["person_2", "person_2"]
    for rank, (line, row) in enumerate(zip(lines[1:4], rows, strict=True), 1):
        similarity = f"{float(row['similarity']):.3f}"
        assert line.split() == [str(rank), similarity, row["match"], f"({row['match_identity']})"]
    assert lines[4] == "1 query, gallery of 6, the best 3 of each"
    assert "no figures" not in done.out
    assert {row["state"] for row in rows} == {"unknown"}


def test_no_query_is_in_its_own_results(ranked, people):
    run = ranked("-s", people, "--save", "csv", "-k", 50)
    assert (run.queries, run.gallery, run.top_k) == (6, 6, 5)
    everyone = {one.query for one in run.matches}
    for one in run.matches:
        assert {found.path for found in one.matches} == everyone - {one.query}


def test_a_query_that_lies_in_the_gallery_is_no_match(ranked, people, tmp_path):
    one, other = people / "person_1" / "1.png", save(tmp_path / "1.png", figure(1, 2, 1))
    link = tmp_path / "link" / "1.png"
    link.parent.mkdir()
    link.symlink_to(one)
    for query in (one, link, people / "person_2" / ".." / "person_1" / "1.png"):
        run = ranked("--query", query, "--gallery", people, "--save", "csv", "--overwrite")
        assert str(one) not in [found.path for found in run.matches[0].matches]
        assert run.matches[0].matches[0].path == str(people / "person_1" / "2.png")
    run = ranked("--query", other, "--gallery", people, "--save", "csv", "--overwrite")
    assert run.matches[0].matches[0].similarity > 0.99
    assert run.top_k == 6


def test_two_folders(ranked, crowd):
    words = ("--query", crowd / "query", "--gallery", crowd / "bounding_box_test", "-k", 2)
    run = ranked(*words, "--save", "csv", "--pictures", 0)
    assert (run.queries, run.gallery, run.top_k) == (12, 30, 2)
    assert run.evaluation.protocol == "market1501"


def test_files_of_embeddings_need_no_network(everyid, embedded, tmp_path, whole):
    done = everyid(
        *("everyid", "--query", embedded / "query.parquet", "-k", 7, "-o", tmp_path / "out"),
        *("--gallery", embedded / "gallery.npz", "-m", "nosuchmodel", "--json"),
    )
    assert (done.code, done.err) == (0, "")
    run = TopRankRun.model_validate_json(done.out)
    assert run.matches == whole.matches
    assert run.model.name == "colour"
    assert run.evaluation.cmc == whole.evaluation.cmc
    assert files_in(tmp_path / "out") == files_in(whole.output)


def test_embeddings_of_pictures_that_are_gone(everyid, colour, people, tmp_path):
    moved = shutil.copytree(people, tmp_path / "moved")
    file = tmp_path / "e.npz"
    assert everyid("embed", "-s", moved, "-m", colour, "-o", file).code == 0
    (moved / "person_3" / "2.png").unlink()
    words = ("everyid", "-s", file, "-o", tmp_path / "out")
    done = everyid(*words)
    assert (done.code, done.out) == (1, "")
    gone = moved / "person_3" / "2.png"
    assert done.errors == [f"error: {gone}: no such file, but embeddings of it"]
    assert not (tmp_path / "out").exists()
    assert everyid(*words, "--save", "csv").code == 0


def test_one_picture_alone(refused, people):
    done = refused("-s", people / "person_1" / "1.png")
    assert done.errors == ["error: 1.png: nothing to compare the one picture with"]
    assert done.hints == ["hint: name a folder with more pictures, or --query and --gallery"]


def test_no_identity_known(ranked, refused, tmp_path):
    for number in range(3):
        save(tmp_path / "some" / f"{number}.png", figure(number))
    words = ("-s", tmp_path / "some", "--save", "csv")
    done = refused(*words, "--protocol", "no-camera")
    assert "no query picture has a known identity" in done.errors[0]
    run = ranked(*words)
    assert run.evaluation is None
    assert run.no_figures == "no identity is known of these pictures"
    assert {found.state for one in run.matches for found in one.matches} == {"unknown"}


def test_no_camera_known(ranked, refused, people):
    words = ("-s", people, "--save", "csv")
    done = refused(*words, "--protocol", "cross-camera")
    assert "the cross-camera protocol needs to know the camera" in done.errors[0]
    assert "--protocol no-camera" in done.hints[0]
    run = ranked(*words)
    assert run.evaluation is None
    assert run.no_figures.startswith("no camera is known of these pictures")
    assert "--camera-pattern" in run.no_figures
    run = ranked(*words, "--protocol", "no-camera", "--overwrite")
    assert run.evaluation.protocol == "no-camera"
    assert run.evaluation.rank(1) == 1
    assert {found.state for one in run.matches for found in one.matches} == {"same", "other"}


def test_one_camera_only(ranked, refused, tmp_path):
    for identity in (1, 2):
        for view in range(3):
            name = f"{identity:04d}_c1s1_{view:06d}_00.jpg"
            save(tmp_path / "one" / name, figure(identity, 1, view))
    words = ("-s", tmp_path / "one", "--save", "csv")
    done = refused(*words, "--protocol", "market1501")
    assert done.errors == ["error: none of 6 queries has a match among 6 gallery pictures"]
    run = ranked(*words)
    assert run.evaluation is None
    assert run.no_figures.startswith("none of 6 queries has a match among 6 gallery pictures; ")
    run = ranked(*words, "--protocol", "no-camera", "--overwrite")
    assert run.evaluation.queries == 6


@pytest.mark.parametrize(
    ("saved", "names"),
    [
        ("csv", ["matches.csv"]),
        ("parquet,csv", ["matches.csv", "matches.parquet"]),
        ("folders", ["queries"]),
        (" sheets , ", ["sheets"]),
    ],
)
def test_only_what_was_asked_for(ranked, people, tmp_path, saved, names):
    run = ranked("-s", people, "--save", saved)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert sorted(path.name for path in run.outputs.values()) == names


@pytest.mark.parametrize("count", [0, 2, 99])
def test_pictures_of_the_first_queries(ranked, people, tmp_path, count):
    ranked("-s", people, "--pictures", count)
    expected = min(count, 6)
    assert len(list((tmp_path / "out" / "queries").iterdir())) == expected
    assert len(list((tmp_path / "out" / "sheets").iterdir())) == expected
    assert len(rows_of(tmp_path / "out" / "matches.csv")) == 6 * 5


@pytest.mark.parametrize("name", ["folders", "sheets", "csv", "parquet"])
def test_any_result_that_exists_is_refused_before_the_work(
    everyid, people, tmp_path, monkeypatch, name
):
    place = {"folders": "queries", "sheets": "sheets"}.get(name, f"matches.{name}")
    (tmp_path / "out" / place).mkdir(parents=True)
    done = everyid("everyid", "-s", people, "-m", "nosuchmodel", "-o", tmp_path / "out")
    assert done.errors == [f"error: {tmp_path / 'out' / place} exists already"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [place]


def test_overwrite_replaces_whole_folders(ranked, people, tmp_path):
    ranked("-s", people)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    ranked("-s", people, "--overwrite", "--pictures", 1, "-k", 1)
    assert files_in(tmp_path / "out" / "queries") == ["0001_1/00_1.png", "0001_1/01_2.png"]
    assert files_in(tmp_path / "out" / "sheets") == ["0001_1.png"]
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_spaces_and_letters_of_any_kind(ranked, tmp_path):
    folder = tmp_path / "Fotos für Ünal"
    for person in ("Änne Ö", "李 小龙", 'a "quoted", name'):
        for view in (1, 2):
            save(folder / person / f"bild {view} ☃.png", figure(len(person), 1, view))
    run = ranked("-s", folder)
    assert {one.identity for one in run.matches} == {"Änne Ö", "李 小龙", 'a "quoted", name'}
    assert "0001_bild 1 ☃" in [path.name for path in (tmp_path / "out" / "queries").iterdir()]
    rows = rows_of(tmp_path / "out" / "matches.csv")
    assert [row["query_identity"] for row in rows[::5]] == [one.identity for one in run.matches]
    assert {row["query"] for row in rows} == {one.query for one in run.matches}


def test_the_same_run_twice_gives_the_same(ranked, people, tmp_path):
    ranked("-s", people)
    first = {name: (tmp_path / "out" / name).read_bytes() for name in files_in(tmp_path / "out")}
    ranked("-s", people, "--overwrite")
    assert first == {
        name: (tmp_path / "out" / name).read_bytes() for name in files_in(tmp_path / "out")
    }


def test_ctrl_c_while_a_set_is_embedded(everyid, colour, crowd, tmp_path, interrupt):
    interrupt(3)
    words = ("everyid", "-s", crowd / "query", "-m", colour, "--batch-size", 1, "--json")
    done = everyid(*words, "-o", tmp_path / "out")
    assert (done.code, done.out, done.errors) == (130, "", [])
    assert "interrupted before all crops were embedded: nothing is ranked" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("after", "part"), [(0, 0), (3, 0), (0, 1)])
def test_ctrl_c_before_there_is_a_gallery(everyid, colour, crowd, tmp_path, interrupt, after, part):
    interrupt(after, part)
    words = ("everyid", "-s", crowd, "-m", colour, "--batch-size", 1)
    done = everyid(*words, "-o", tmp_path / "out")
    assert (done.code, done.out, done.errors) == (130, "", [])
    assert not (tmp_path / "out").exists()


def test_ctrl_c_after_the_first_of_a_set(everyid, colour, crowd, tmp_path, monkeypatch):
    real = session.embed_crops

    def embed_crops(crops, encoder, *, skipped, stop, advance):
        found = real(crops, encoder, skipped=skipped, stop=stop, advance=advance)
        signal.raise_signal(signal.SIGINT)  # the real one, through the handler
        return found.select(np.array([0]))

    monkeypatch.setattr(session, "embed_crops", embed_crops)
    before = signal.getsignal(signal.SIGINT)
    done = everyid("everyid", "-s", crowd / "query", "-m", colour, "-o", tmp_path / "out")
    assert (done.code, done.out, done.errors) == (130, "", [])
    assert "stopping: finishing the files; Ctrl-C again ends at once" in done.err
    assert not (tmp_path / "out").exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_among_the_pictures(everyid, colour, people, tmp_path, monkeypatch):
    from person import pictures

    real, copied = pictures.shutil.copyfile, []

    def copyfile(source, target):
        copied.append(target)
        if len(copied) == 8:  # the second of the second query
            signal.raise_signal(signal.SIGINT)
        return real(source, target)

    monkeypatch.setattr(pictures.shutil, "copyfile", copyfile)
    words = ("everyid", "-s", people, "-m", colour, "-o", tmp_path / "out", "--json")
    done = everyid(*words)
    assert done.code == 130
    assert TopRankRun.model_validate_json(done.out).interrupted
    folders = list((tmp_path / "out" / "queries").iterdir())
    assert [len(list(folder.iterdir())) for folder in folders] == [6, 6]
    assert len(rows_of(tmp_path / "out" / "matches.csv")) == 30


def test_fewer_pictures_are_suggested(everyid, people, colour, tmp_path, monkeypatch):
    from person import top_rank

    monkeypatch.setattr(top_rank, "_MANY", 5)
    words = ("everyid", "-s", people, "-m", colour)
    notice = "pictures for all 6 queries; --pictures 100 draws only the first\n"
    assert notice in everyid(*words).err
    for more in (("--pictures", 6), ("--save", "csv")):
        assert notice not in everyid(*words, *more).err


def test_from_python(colour, people, tmp_path):
    output.quiet(enabled=True)
    config = build(
        TopRankConfig,
        model=str(colour),
        sources=(people,),
        output=tmp_path / "out",
        save=("csv",),
    )
    assert run_top_rank(config).matches == []  # of many queries only when asked for
    output.quiet(enabled=False)
