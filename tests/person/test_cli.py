"""The ``person`` commands as a person meets them: words in, streams and exit codes out."""

import re
import subprocess
import sys

import pytest

from everyid.errors import WeightsError
from everyid.models import EmbeddingRun, EvaluationRun, MatchRun, TopRankRun
from everyid.settings import PROJECT_FOLDER
from person import cli, session
from tests.object.scenes import files_in

COMMANDS = ("everyid", "embed", "match", "evaluate")
EMBEDDING = ("everyid", "embed", "evaluate")
DEFAULTS = {
    "everyid": ["[default: 20]", "[default: folders,sheets,csv,parquet]"],
    "embed": ["embeddings.parquet in a fresh tmp/person/embed/NNNN"],
    "match": ["[default: 20]", "[default: csv]"],
    "evaluate": ["[default: 0]"],
}


@pytest.fixture
def words(colour, people, crowd, embedded):
    """What each command needs at least, after ``person``."""
    sides = ("--query", embedded / "query.parquet", "--gallery", embedded / "gallery.npz")
    return {
        "everyid": ("everyid", "-s", people, "-m", colour),
        "embed": ("embed", "-s", people, "-m", colour),
        "match": ("match", *sides),
        "evaluate": ("evaluate", *sides),
    }


@pytest.mark.parametrize("command", [*COMMANDS, "models", "tests"])
def test_help(everyid, command):
    done = everyid(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert len(re.findall(rf"^ +python3 run\.py person {command}", done.out, re.MULTILINE)) == 2
    text = " ".join(done.out.split())
    for part in DEFAULTS.get(command, []):
        assert part in text
    if command in COMMANDS:
        for option in ("--output", "--device", "--overwrite", "--json", "--quiet"):
            assert option in text
        assert "[default: auto]" in text
    if command in EMBEDDING:
        for option in ("--source", "--model", "--id-pattern", "--camera-pattern", "--input-size"):
            assert option in text
        assert f"[default: {cli._DEFAULT_MODEL}]" in text.replace("- ", "-")


def test_the_help_of_the_domain_names_its_commands(everyid):
    done = everyid()
    text = done.out + done.err
    for command in (*COMMANDS, "models", "tests"):
        assert re.search(rf"^ +{command} ", text, re.MULTILINE)


@pytest.mark.parametrize("words", ["--help", "person --help", "person everyid --help"])
def test_help_loads_nothing_heavy(words):
    script = (
        "import sys, run\n"
        f"sys.argv = ['run.py', *{words.split()}]\n"
        "try:\n    run.route()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'cv2', 'transformers', 'pyarrow', 'numpy', 'PIL', 'openvino', 'onnx'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_FOLDER, check=True, stdout=subprocess.DEVNULL
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_success_as_text(everyid, words, tmp_path, command):
    out = tmp_path / ("out.npz" if command == "embed" else "out")
    done = everyid(*words[command], "-o", out)
    assert done.code == 0
    lines = done.out.splitlines()
    if command in ("everyid", "embed"):
        assert re.fullmatch(
            "colour: ONNX: RGB, ImageNet mean and std, 256x128, Pillow bilinear\ncolour on cpu.*\n",
            done.err,
        )
    else:
        assert done.err == ""
    if command == "everyid":
        assert lines[0] == "6 queries, gallery of 6, the best 5 of each"
        assert lines[1].startswith("no figures: no camera is known of these pictures")
        assert lines[-1] == f"results in {out}"
    elif command == "embed":
        assert re.fullmatch(r"6 crops in \d+\.\d s, [\d.]+ crops/s", lines[0])
        assert lines[1:] == [f"48 values each in {out}"]
    elif command == "match":
        start = r"12 queries, gallery of 30, the best 20 of each in \d\.\d\d s"
        assert re.fullmatch(start, lines[0])
        assert lines[1:] == [str(out / "matches.csv")]
    else:
        assert lines[0].startswith("Rank-1 58.3, Rank-5 91.7, Rank-10 100.0, Rank-20 100.0, mAP ")
        assert ": market1501 protocol (" in lines[1]
        assert lines[2:] == [f"results in {out}"]


@pytest.mark.parametrize(
    ("command", "model"),
    [
        ("everyid", TopRankRun),
        ("embed", EmbeddingRun),
        ("match", MatchRun),
        ("evaluate", EvaluationRun),
    ],
)
def test_success_as_json(everyid, words, tmp_path, command, model):
    out = tmp_path / ("out.parquet" if command == "embed" else "out")
    done = everyid(*words[command], "-o", out, "--json")
    assert done.code == 0
    run = model.model_validate_json(done.out)
    assert run.output == out
    for path in getattr(run, "outputs", {"file": out}).values():
        assert path.exists()
    summary = run.evaluation.model if isinstance(run, EvaluationRun) else run.model
    assert (summary.name, summary.width) == ("colour", 48)
    if isinstance(run, TopRankRun):
        assert [len(found.matches) for found in run.matches] == [5] * 6
    if not isinstance(run, MatchRun):
        assert run.skipped == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_quiet_keeps_stderr_empty(everyid, words, command):
    done = everyid(*words[command], "-q")
    assert (done.code, done.err) == (0, "")
    assert done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_one_failure_as_one_line(everyid, words, tmp_path, command):
    missing = tmp_path / "nowhere"
    if command in ("match", "evaluate"):
        missing = missing.with_suffix(".npz")
        replaced = ("--query", missing, *words[command][3:])
    else:
        replaced = ("-s", missing, "-m", "nosuchmodel")  # missed before the model is looked for
    for more in ((), ("--json",), ("--quiet",)):
        done = everyid(command, *replaced, *more)
        assert (done.code, done.out) == (1, "")
        assert done.err == f"error: {missing}: no such file or folder\n"
    assert files_in(tmp_path / "results") in ([], [f"person/{command}"])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("wrong", [["--nonsense"], ["--top-k", "many"], ["extra"]])
def test_usage_errors_leave_with_2(everyid, words, command, wrong):
    done = everyid(*words[command], *wrong)
    assert (done.code, done.out) == (2, "")
    assert "Usage: run.py person" in done.err


@pytest.mark.parametrize("missing", ["--query", "--gallery"])
def test_match_needs_both_files(everyid, words, missing):
    some = list(words["match"])
    place = some.index(missing)
    done = everyid(*some[:place], *some[place + 2 :])
    assert done.code == 2
    assert f"Missing option '{missing}'" in done.err


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--input-size", "big"], "--input-size: expected HxW such as 256x128, got 'big'"),
        (["--input-size", "256"], "--input-size: expected HxW such as 256x128, got '256'"),
        (["--input-size", "-1x8"], "--input-size: expected HxW such as 256x128, got '-1x8'"),
        (["--mean", "0.5"], "--mean: expected three numbers such as 0.5,0.5,0.5"),
        (["--std", "a,b,c"], "--std: expected three numbers such as 0.5,0.5,0.5"),
    ],
)
def test_numbers_that_are_none(everyid, words, wrong, message):
    for command in EMBEDDING:
        done = everyid(*words[command], *wrong)
        assert (done.code, done.out) == (2, "")
        assert message in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--batch-size", "0"], "--batch-size: Input should be greater than .* got 0"),
        (["--top-k", "0"], "--top-k: Input should be greater than or equal to 1, got 0"),
        (["--pictures", "-1"], "--pictures: Input should be greater than or equal to 0, got -1"),
        (["--input-size", "0x9"], "--input-size: Input should be greater than .* got 0"),
        (["--std", "1,0,1"], r"--std: Input should be greater than 0, got 0\.0"),
        (["--mean", "nan,0,0"], "--mean: Input should be a finite number, got nan"),
        (["--scale", "0"], r"--scale: Input should be greater than 0, got 0\.0"),
        (["--precision", "int4"], "--precision: Input should be 'fp32', .* got 'int4'"),
        (["--colour", "cmyk"], "--colour: Input should be 'rgb' or 'bgr', got 'cmyk'"),
        (["--resize", "area"], "--resize: Input should be 'bilinear', .* got 'area'"),
        (["--save", "csv,xml"], "--save: Input should be 'folders', .* got 'xml'"),
        (["--save", ","], "--save: name at least one format.*"),
        (["--query", "a.png"], "--query needs --gallery as well"),
        (["--gallery", "a.png"], "--gallery needs --query as well"),
        (
            ["--query", "a.png", "--gallery", "b"],
            "give --source, or --query and --gallery, not both",
        ),
        (["--protocol", "market"], "no protocol is called 'market'; known: market1501, .*"),
        (["--device", "tpu"], ".*tpu.*"),
        (["--id-pattern", "("], r"--id-pattern \(: not a regular expression: .*"),
        (
            ["--id-pattern", "nobody(.)"],
            r"--id-pattern nobody\(.\): found nothing in any of the paths",
        ),
    ],
)
def test_options_out_of_range(everyid, words, tmp_path, wrong, message):
    done = everyid(*words["everyid"], "-o", tmp_path / "out", *wrong)
    assert (done.code, done.out) == (1, "")
    assert len(done.errors) == 1
    assert re.fullmatch("error: " + message, done.errors[0])
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_the_nearest_name_is_told(everyid, words):
    done = everyid(*words["evaluate"], "--protocol", "market")
    assert done.hints == ["hint: did you mean 'market1501'?"]
    done = everyid("embed", "-s", words["embed"][2], "-m", "person-reidentification-retail-277")
    assert done.hints == ["hint: did you mean 'person-reidentification-retail-0277'?"]


def test_a_wrong_protocol_is_told_before_the_work(everyid, words, monkeypatch):
    def embed_crops(*words, **named):
        raise AssertionError("too late")

    monkeypatch.setattr(session, "embed_crops", embed_crops)
    for command in ("everyid", "evaluate"):
        done = everyid(command, *words["everyid"][1:], "--protocol", "nosuch")
        assert (done.code, done.out) == (1, "")
        assert done.errors[0].startswith("error: no protocol is called 'nosuch'; known: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_results_go_to_a_fresh_folder_each(everyid, words, tmp_path, command):
    parent = tmp_path / "results" / "person" / command
    for number in ("0001", "0002"):
        done = everyid(*words[command])
        assert done.code == 0
        assert str(parent / number) in done.out
        assert files_in(parent / number)
    (parent / "0041").mkdir()
    assert str(parent / "0042") in everyid(*words[command], "-q").out


@pytest.mark.parametrize("command", COMMANDS)
def test_results_that_exist_need_overwrite(everyid, words, tmp_path, command):
    out = tmp_path / ("out.parquet" if command == "embed" else "out")
    assert everyid(*words[command], "-o", out).code == 0
    first = {
        "everyid": out / "matches.csv",
        "embed": out,
        "match": out / "matches.csv",
        "evaluate": out / "evaluation.json",
    }[command]
    before, content = files_in(tmp_path), first.read_bytes()
    first.write_text("old")
    done = everyid(*words[command], "-o", out)
    assert (done.code, done.out) == (1, "")
    assert done.errors == [f"error: {first} exists already"]
    assert done.hints == ["hint: add --overwrite, or name another --output"]
    assert first.read_text() == "old"
    assert everyid(*words[command], "-o", out, "--overwrite").code == 0
    assert len(first.read_bytes()) == len(content) or command == "embed"
    assert first.read_bytes() != b"old"
    assert files_in(tmp_path) == before


def test_options_reach_the_encoder(everyid, people, tmp_path, monkeypatch):
    seen = []

    def build_encoder(model, *, device, options):
        seen.append((model, str(device), options))
        raise WeightsError("enough seen", hint="go on")

    monkeypatch.setattr(session, "build_encoder", build_encoder)
    for command in EMBEDDING:
        done = everyid(
            *(command, "-s", people, "-m", "m.onnx", "--device", "cpu", "--batch-size", "3"),
            *("--precision", "fp32", "--input-size", "128X64", "--colour", "bgr"),
            *("--scale", "2.5", "--mean", "1, 2,3", "--std", "4,5,6", "--resize", "linear"),
        )
        assert (done.code, done.err) == (1, "error: enough seen\nhint: go on\n")
        model, device, options = seen.pop()
        assert model == "m.onnx"
        assert device.startswith("cpu")
        assert options.model_dump() == {
            "size_hw": (128, 64),
            "colour": "bgr",
            "scale": 2.5,
            "mean": (1, 2, 3),
            "std": (4, 5, 6),
            "resize": "linear",
            "batch_size": 3,
            "precision": "fp32",
        }
    assert not list((tmp_path / "results").glob("*/*/*"))  # no folder of a run that never began


def test_a_bug_is_not_dressed_up(everyid, words, monkeypatch):
    def build_encoder(model, *, device, options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(session, "build_encoder", build_encoder)
    with pytest.raises(ZeroDivisionError):
        everyid(*words["embed"])


def test_the_command_tests_hands_words_to_pytest(everyid, monkeypatch):
    seen = []

    def run_tests(paths, extra):
        seen.append((paths, extra))
        return 5

    monkeypatch.setattr("everyid.testing.run_tests", run_tests)
    assert everyid("tests", "-k", "metrics", "-x").code == 5
    assert seen == [(["tests/person", "person"], ["-k", "metrics", "-x"])]
