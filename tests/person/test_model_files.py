"""What ``--model`` may mean, and what is said where it means nothing."""

import pytest

from everyid.errors import ConfigError, InputError
from everyid.settings import PROJECT_FOLDER, settings
from person.model_files import find_model


@pytest.fixture(autouse=True)
def _models(monkeypatch, tmp_path):
    monkeypatch.setenv("EVERYID_MODELS", str(tmp_path / "models"))
    settings.cache_clear()


def test_a_file_comes_before_a_name(tmp_path, monkeypatch):
    shipped = PROJECT_FOLDER / "person" / "weights" / "everyid-cnn.safetensors"
    assert find_model("everyid-cnn") == shipped
    monkeypatch.chdir(tmp_path)
    (tmp_path / "everyid-cnn").write_bytes(b"mine")
    assert find_model("everyid-cnn").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        ("everyid-cn", ConfigError, "no re-identification weights are called 'everyid-cn'"),
        ("yolov8n", ConfigError, "these are the weights of yolov8n, for"),
        ("net.pth", InputError, r"net\.pth: no such file"),
        (".", InputError, "expected a model file, found a folder"),
    ],
)
def test_what_is_no_model(model, kind, message):
    with pytest.raises(kind, match=message):
        find_model(model)


def test_what_looks_like_a_repository_can_be_downloaded():
    with pytest.raises(InputError, match="anna/net: no such file") as caught:
        find_model("anna/net")
    assert "person download_model --repo anna/net" in (caught.value.hint or "")
