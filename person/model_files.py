"""The file that ``--model`` means: a path, a name of the catalogue, or a downloaded model."""

import difflib
import re
from pathlib import Path

from everyid import weights
from everyid.errors import ConfigError, InputError
from everyid.hub_store import find_downloaded, records
from everyid.output import readable
from everyid.weights_catalogue import WeightsEntry

__all__ = ["find_model", "for_people"]

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def find_model(model: str) -> Path:
    """The file that a ``--model`` means, fetched when it is a name of the catalogue.

    A file of that name comes first, then the catalogue, then what was downloaded from a hub.

    Args:
        model: A path, or a name.

    Raises:
        ConfigError: No network is called that, or several downloaded ones are.
        InputError: There is no such file, or it is a folder.
        WeightsError: It cannot be fetched, or is not as it was downloaded.
    """
    path = Path(model)
    entry = weights.find(model)
    if entry is None and not path.exists():
        downloaded = find_downloaded(model, "person")
        if downloaded is not None:
            return downloaded
        if len(path.parts) == 1 and not path.suffix:
            raise _unknown(model)
    if entry is None or path.exists():
        try:
            readable(path)
        except InputError as error:
            if not path.exists() and _REPOSITORY.fullmatch(model):
                error.hint = f"from a hub: python3 run.py person download_model --repo {model}"
            raise
        if path.is_dir():
            raise InputError(f"{path}: expected a model file, found a folder")
        return path
    for_people(model, entry)
    return weights.fetch(model)


def _unknown(model: str) -> ConfigError:
    known = [*_names(), *(record.names[0] for record in records("person"))]
    near = difflib.get_close_matches(model, known, n=1)
    return ConfigError(
        f"no file and no re-identification weights are called {model!r}; known: {', '.join(known)}",
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def _names() -> list[str]:
    return [entry.name for entry in weights.entries() if entry.task == "reid"]


def for_people(model: str, entry: WeightsEntry) -> None:
    """Returns nothing; checks that weights are for re-identification.

    Args:
        model: What the user calls them.
        entry: What they are.

    Raises:
        ConfigError: They are for another task.
    """
    if entry.task != "reid":
        raise ConfigError(
            f"{model}: these are the weights of {entry.name}, for {entry.task}; "
            f"expected some for reid: {', '.join(_names())}"
        )
