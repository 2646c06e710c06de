"""``person train`` from data to files: what it leaves, killed and gone on with, and bad input."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from everyid.device import Device
from everyid.errors import (
    ConfigError,
    DeviceError,
    InputError,
    OutputError,
)
from everyid.settings import PROJECT_FOLDER
from person.backbones.everyid_cnn import EveryIdCnn, EveryIdCnnConfig
from person.crops import find_crops
from person.encoder import build_encoder
from person.training import checkpoints, command
from person.training.checkpoints import latest, read_progress
from person.training.command import run_train
from person.training.history import read_history
from person.training.validation import NetworkInTraining
from tests.person.people import figure, save
from tests.person.training import drawn
from tests.person.training.drawn import STEPS, WORDS, config, same_weights

CPU = Device(kind="cpu", index=0, precision="fp32", threads=1, name="test")
SHORT = {"epochs": 1}


def environment(tmp_path):
    return os.environ | {
        "EVERYID_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "EVERYID_NO_BOOTSTRAP": "1",
        "EVERYID_TMP": str(tmp_path / "tmp"),
        "PYTHONPATH": str(PROJECT_FOLDER),
    }


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(text))
    return path


def test_what_a_training_leaves(trained):
    assert (trained.steps, trained.epochs, trained.images_seen) == (STEPS, 3, 96)
    assert (trained.identities, trained.images) == (8, 32)
    assert trained.finished
    assert not trained.skipped
    folder = trained.output
    assert set(trained.outputs) == {
        *("history", "curves", "model", "evaluation", "ranks", "activations", "card"),
    }
    for name in ("curves", "evaluation", "activations"):
        assert trained.outputs[name].read_bytes().startswith(b"\x89PNG")
    assert len(list(trained.outputs["ranks"].glob("*.png"))) == 6
    rows = read_history(folder / "history.csv")
    assert [row["step"] for row in rows] == [4, 8, 12]
    measured = [row["mean_average_precision/drawn"] for row in rows]
    assert max(measured) == pytest.approx(read_progress(latest(folder)).best, rel=1e-5)
    assert measured[trained.best_epoch - 1] == max(measured)
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []
    assert list((folder / "tensorboard").iterdir())


def test_the_model_is_the_mean_network_of_the_best_epoch(trained, people_to_train):
    encoder = build_encoder(str(trained.outputs["model"]), device=CPU)
    small = EveryIdCnnConfig(widths=(16,) * 4, depths=(1, 1, 1), embedding_width=8)
    network = EveryIdCnn(small).eval()
    network.load_state_dict(load_file(trained.outputs["model"]), strict=False)
    if trained.best_epoch == 3:
        network.load_state_dict(load_file(latest(trained.output) / "average.safetensors"))
    own = NetworkInTraining(
        network, name="own", spec=encoder.input, device=torch.device("cpu"), precision=None
    )
    crops = [figure(20, 1, 0), figure(21, 2, 1)]
    expected = own.encode_prepared(np.stack([own.prepare(crop) for crop in crops]))
    np.testing.assert_allclose(encoder.encode(crops), expected, atol=1e-2)
    assert trained.evaluation.model.name == "everyid-cnn"
    query = find_crops((people_to_train / "query",))
    assert trained.evaluation.queries == len(query)


def test_the_card_tells_how_it_was_made(trained):
    card = trained.outputs["card"].read_text()
    for words in (
        "# everyid-cnn",
        "| drawn | 32 | 8 | 2 |",
        "Labels: identity labels of the data above",
        "Teacher: none",
        "| batching.identities | 4 |",
        "--set identities=4",
        "| seed | 0 |",
        trained.evaluation.protocol_line.split(";")[0],
        f"| {100 * trained.evaluation.mean_average_precision:.1f} |",
    ):
        assert words in card


def test_the_same_command_again_changes_nothing(trained, people_to_train, tmp_path):
    shutil.copytree(trained.output, tmp_path / "run")
    again = run_train(config(people_to_train, tmp_path / "run"))
    assert (again.steps, again.finished) == (STEPS, True)
    assert again.evaluation == trained.evaluation
    for name in ("everyid-cnn.safetensors", "history.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (trained.output / name).read_bytes()
    assert same_weights(tmp_path / "run", trained.output)


def test_killed_and_run_again_it_ends_with_the_same_weights(
    trained, train, people_to_train, tmp_path
):
    """SIGKILL falls in the second epoch, a step after the last checkpoint."""
    killing = script(
        tmp_path,
        """
        import os, signal, sys
        import run
        from person.training import loop

        real = loop.Trainer._step

        def step(self, *args, **rest):
            real(self, *args, **rest)
            if self.progress.step == 6:
                os.kill(os.getpid(), signal.SIGKILL)

        loop.Trainer._step = step
        sys.exit(run.route())
        """,
    )
    folder = tmp_path / "run"
    words = [*WORDS, "--checkpoint-every", "0.000001", "--output", folder]
    killed = subprocess.run(
        [sys.executable, killing, "person", "train", "--data", people_to_train, *map(str, words)],
        env=environment(tmp_path),
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert read_progress(latest(folder)).step == 6
    done = train(*words[len(WORDS) :])
    assert done.code == 0
    assert "going on from step 6, epoch 2" in done.err
    assert same_weights(folder, trained.output)
    model = "everyid-cnn.safetensors"
    assert (folder / model).read_bytes() == (trained.output / model).read_bytes()


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(trained, train, tmp_path, monkeypatch):
    real = command.Trainer._step

    def step(self, *args, **rest):
        real(self, *args, **rest)
        if self.progress.step == 4:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(command.Trainer, "_step", step)
        stopped = train("--output", tmp_path / "run")
    assert stopped.code == 130
    assert "interrupted" in stopped.out
    assert f"the same command with --output {tmp_path / 'run'} goes on" in stopped.err
    assert train("--output", tmp_path / "run").code == 0
    assert same_weights(tmp_path / "run", trained.output)


@pytest.mark.slow
@pytest.mark.parametrize("identity", [1, 0], ids=["identities", "triplets-alone"])
def test_two_processes_train_one_network(people_to_train, tmp_path, identity):
    both = script(
        tmp_path,
        """
        import sys
        import torch
        import run
        from person.training import loop

        real = loop.Trainer.run

        def watched(self, *args, **rest):
            real(self, *args, **rest)
            rank = self._accelerator.process_index
            state = dict(self._network.named_parameters())
            torch.save({name: value.data for name, value in state.items()}, f"rank-{rank}.pt")

        loop.Trainer.run = watched
        sys.exit(run.route())
        """,
    )
    # What `accelerate launch` starts for several GPUs; for CPUs it would start one process.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = ["person", "train", "--data", people_to_train, *WORDS, "--output", tmp_path / "run"]
    words += ["--set", f"identity={identity}"]
    done = subprocess.run(
        [*launch, both, *map(str, words), "--json"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"finished": true') == 1
    first, second = (torch.load(tmp_path / f"rank-{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    progress = read_progress(latest(tmp_path / "run"))
    assert (progress.processes, progress.step) == (2, STEPS)
    rows = read_history(tmp_path / "run" / "history.csv")
    assert [row["images_seen"] for row in rows] == [32, 64, 96]
    assert np.isfinite([row["loss"] for row in rows]).all()
    assert (tmp_path / "run" / "README.md").exists()


def test_bfloat16_trains_and_without_data_to_measure_on_the_last_weights_are_kept(
    people_to_train, tmp_path
):
    data = people_to_train / "bounding_box_train"
    done = run_train(config(data, tmp_path, precision="bf16", hold_out=0.0, **SHORT))
    assert done.finished
    assert done.evaluation is None
    assert "None were measured." in done.outputs["card"].read_text()
    model, mean = load_file(done.outputs["model"]), latest(tmp_path) / "average.safetensors"
    for name, tensor in load_file(mean).items():
        if "num_batches" not in name:
            assert torch.equal(model[name], tensor.half())


def test_identities_are_held_out(people_to_train, tmp_path, capsys):
    data = people_to_train / "bounding_box_train"
    done = run_train(config(data, tmp_path, hold_out=0.25, **SHORT))
    assert "2 of 8 identities are held out (8 pictures)" in capsys.readouterr().err
    assert (done.identities, done.images, done.evaluation.queries) == (6, 24, 8)


def test_a_teacher_is_learnt_from(people_to_train, tmp_path, colour):
    silent = {"identity": "0", "triplet": "0", "network": drawn.NETWORK.replace("8}", "48}")}
    done = run_train(
        config(people_to_train, tmp_path, settings=silent, teacher=str(colour), **SHORT)
    )
    assert done.finished
    card = done.outputs["card"].read_text()
    assert "Teacher: colour (not known), trained on not known" in card
    assert "Labels: none" in card
    assert {"loss/cosine", "loss/relational"} < set(read_history(tmp_path / "history.csv")[0])


def test_a_teacher_of_another_width_needs_no_cosine(people_to_train, tmp_path, colour):
    asked = config(people_to_train, tmp_path, teacher=str(colour), **SHORT)
    with pytest.raises(ConfigError, match=r"embeddings have 48 values, and the network's 8") as e:
        run_train(asked)
    assert "--set cosine=0" in e.value.hint
    alike = {"cosine": "0", "relational": "1"}
    done = run_train(
        config(people_to_train, tmp_path, teacher=str(colour), settings=alike, **SHORT)
    )
    assert done.finished


def test_it_starts_from_weights(trained, people_to_train, tmp_path):
    model = trained.outputs["model"]
    started = config(people_to_train, tmp_path, start=str(model), **SHORT)
    assert run_train(started).finished
    assert read_progress(latest(tmp_path)).start
    with pytest.raises(ConfigError, match=r"the weights at the start changed"):
        run_train(started.model_copy(update={"start": None}))
    wider = {"network": '{"widths": [32, 16, 16, 16], "depths": [1, 1, 1]}'}
    with pytest.raises(ConfigError, match=r"these are the weights of EveryID CNN, widths \[16"):
        run_train(
            config(people_to_train, tmp_path / "x", settings=wider, start=str(model), **SHORT)
        )


@pytest.fixture
def folders(tmp_path):
    """Makes a folder for each person, named as told, each with so many pictures."""

    def made(names, views=2):
        for number, name in enumerate(names):
            for view in range(views):
                save(tmp_path / "data" / name / f"{view}.png", figure(number, 1, view))
        return tmp_path / "data"

    return made


PLAIN = {"identities": "2", "images_per_identity": "2"}


def test_names_that_are_no_numbers_and_one_camera_only(folders, tmp_path):
    data = folders(["Anna", "Bea", "Cläre"], views=1)
    done = run_train(config(data, tmp_path / "run", settings=PLAIN, hold_out=0.0, **SHORT))
    assert (done.identities, done.finished) == (3, True)


def test_fewer_people_than_a_batch_has_are_all_in_it(people_to_train, tmp_path, capsys):
    wanted = drawn.config(people_to_train, tmp_path, settings={"identities": "9"}, epochs=1)
    done = run_train(wanted)
    assert "batches have all 8 identities that there are, not 9" in capsys.readouterr().err
    assert done.images_seen == 8 * 2 * done.steps


def test_the_command_says_all_that_the_result_depends_on(people_to_train, tmp_path):
    wanted = drawn.config(
        people_to_train, tmp_path, patience=3, hold_out=0.2, camera_pattern="c(.)"
    )
    text = wanted.command_line()
    assert "--patience 3" in text
    assert "--hold-out 0.2 --camera-pattern 'c(.)'" in text
    assert "--device cpu --precision fp32" in text
    assert "--validate-every" not in text


def test_identities_with_one_picture_are_told_of(folders, tmp_path, capsys):
    data = folders(["a", "b"], views=2)
    save(data / "c" / "0.png", figure(3))
    run_train(config(data, tmp_path / "run", settings=PLAIN, hold_out=0.0, **SHORT))
    assert "1 of 3 identities have one picture" in capsys.readouterr().err


def test_one_person_is_no_data(folders, tmp_path):
    data = folders(["alone"])
    with pytest.raises(InputError, match=r"at least two people to tell apart, got 1") as caught:
        run_train(config(data, tmp_path / "run"))
    assert "a folder for each person" in caught.value.hint
    assert not (tmp_path / "run").exists()


def test_without_cameras_nothing_is_trained_in_vain(tmp_path):
    for identity in range(8):
        for view in (0, 1):
            save(tmp_path / "data" / f"p{identity}" / f"{view}.png", figure(identity, 1, view))
    asked = config(tmp_path / "data", tmp_path / "run", hold_out=0.25, settings=PLAIN, **SHORT)
    with pytest.raises(InputError, match=r"no camera is known of these pictures") as caught:
        run_train(asked)
    assert "--protocol no-camera" in caught.value.hint
    done = run_train(asked.model_copy(update={"protocol": "no-camera"}))
    assert done.evaluation.protocol == "no-camera"


@pytest.mark.parametrize(
    ("changes", "error", "message", "hint"),
    [
        ({"recipe": "everyid"}, ConfigError, "no recipe is called 'everyid'; known: ", "everyid-"),
        ({"settings": {"epoch": "1"}}, ConfigError, "no field 'epoch'", "did you mean"),
        ({"settings": {"margin": "-1"}}, ConfigError, r"objective\.margin: .* greater", "lists"),
        ({"settings": {"architecture": "resnet"}}, ConfigError, "no architecture is .*known: ", ""),
        ({"settings": {"network": '{"depth": 1}'}}, ConfigError, "fields of everyid-cnn: ", ""),
        ({"settings": {"network": "{"}}, ConfigError, r"expected JSON such as", ""),
        (
            {"settings": {"identity": "0", "triplet": "0"}},
            ConfigError,
            "nothing would be learnt, for all losses have weight 0",
            "set identity or triplet",
        ),
        (
            {"teacher": "osnet.xml", "settings": {"cosine": "0", "relational": "0"}},
            ConfigError,
            r"nothing would be learnt from the teacher osnet\.xml",
            "--teacher none",
        ),
        ({"teacher": "nobody"}, ConfigError, "no file and no re-identification weights", ""),
        ({"start": "missing.pth"}, InputError, r"missing\.pth: no such file", ""),
        ({"precision": "fp16"}, DeviceError, "fp16 is for GPUs", "leave the precision out"),
        ({"device": "cuda:7"}, DeviceError, r"--device cuda:7: not on this machine", "best one"),
        ({"protocol": "market"}, ConfigError, "market", ""),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_before_training(
    people_to_train, tmp_path, changes, error, message, hint
):
    with pytest.raises(error, match=message) as caught:
        run_train(config(people_to_train, tmp_path / "run", **SHORT | changes))
    assert hint in (caught.value.hint or "")
    assert not (tmp_path / "run" / "history.csv").exists()


def test_data_that_is_missing_is_told(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such file or folder"):
        run_train(config(tmp_path / "nowhere", tmp_path / "run"))


def test_a_checkpoint_of_another_training_is_left_alone(trained, people_to_train, tmp_path):
    shutil.copytree(trained.output, tmp_path / "run")
    for changes, message in (
        ({"seed": 3}, "seed 3 here, 0 there"),
        ({"epochs": 5}, r"optimisation\.epochs is 5 here and 3 there"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_train(config(people_to_train, tmp_path / "run", **changes))
    with pytest.raises(ConfigError, match="the data changed"):
        run_train(
            config(
                people_to_train / "query", tmp_path / "run", settings=PLAIN | {"identities": "3"}
            )
        )
    assert same_weights(tmp_path / "run", trained.output)
    (latest(tmp_path / "run") / "optimiser.pt").write_bytes(b"damaged")
    with pytest.raises(InputError, match="not a checkpoint that training can go on from"):
        run_train(config(people_to_train, tmp_path / "run"))
    anew = config(people_to_train, tmp_path / "run", overwrite=True, **SHORT)
    assert run_train(anew).steps == 4


def test_a_full_disk_ends_it_with_the_checkpoint_before(people_to_train, tmp_path, monkeypatch):
    real = checkpoints.save_file

    def refuse(tensors, path):
        if "000000008" in str(path):
            raise OSError(28, "No space left on device")
        real(tensors, path)

    monkeypatch.setattr(checkpoints, "save_file", refuse)
    message = "step 8 was not written: no space left .*that of step 4 is whole"
    with pytest.raises(OutputError, match=message):
        run_train(config(people_to_train, tmp_path))
    assert latest(tmp_path).name == "000000004"


def test_a_second_one_in_the_folder_waits_for_nobody(people_to_train, tmp_path):
    with (
        command.claimed(tmp_path / "training"),
        pytest.raises(OutputError, match="another process is writing to"),
    ):
        run_train(config(people_to_train, tmp_path))


def test_a_damaged_picture_is_left_out_and_counted(everyid, people_to_train, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(people_to_train, data)
    bad = [
        data / part / drawn.name_of(number, 1, view)
        for part, number, view in (("bounding_box_train", 1, 0), ("bounding_box_test", 20, 1))
    ]
    for path in bad:
        path.write_bytes(b"no picture")
    words = ["--data", data, *WORDS, "--epochs", 1, "--output", tmp_path / "run"]
    done = everyid("train", *words)
    assert done.code == 1
    assert "skipped 2 files" in done.out
    assert (tmp_path / "run" / "README.md").exists()
