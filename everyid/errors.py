"""Every error EveryID raises on purpose.

The tree::

    EveryIDError
    ├── InputError            a file, folder, image or video cannot be used
    │   └── ShapeError        an array has the wrong shape, dtype or range
    ├── ConfigError           an option or setting is wrong, or two contradict each other
    ├── WeightsError          a model file is missing, damaged, untrusted or of another kind
    ├── DeviceError           the asked-for device or precision is not there
    ├── HubError              a model hub refused or could not be reached
    ├── DependencyError       an optional package or system library is missing
    ├── TrainingError         a training cannot go on
    └── OutputError           a result cannot be written
        └── OutputExistsError the result is there already and ``--overwrite`` was not given

A message says what was expected, what came, and where; ``hint`` says what to do next.
"""

__all__ = [
    "ConfigError",
    "DependencyError",
    "DeviceError",
    "EveryIDError",
    "HubError",
    "InputError",
    "OutputError",
    "OutputExistsError",
    "ShapeError",
    "TrainingError",
    "WeightsError",
]


class EveryIDError(Exception):
    """The root of the tree; catch it to catch all that EveryID raises on purpose.

    Args:
        message: What was expected, what came, and where. One line.
        hint: What to do next, often a command. One line, optional.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InputError(EveryIDError):
    """A file, folder, image or video cannot be used."""


class ShapeError(InputError):
    """An array has the wrong shape, dtype or range."""


class ConfigError(EveryIDError):
    """An option or setting is wrong, or two contradict each other."""


class WeightsError(EveryIDError):
    """A model file is missing, damaged, untrusted or of another kind."""


class DeviceError(EveryIDError):
    """The asked-for device or precision is not there."""


class HubError(EveryIDError):
    """A model hub refused or could not be reached."""


class DependencyError(EveryIDError):
    """An optional package or system library is missing."""


class TrainingError(EveryIDError):
    """A training cannot go on."""


class OutputError(EveryIDError):
    """A result cannot be written."""


class OutputExistsError(OutputError):
    """The result is there already and ``--overwrite`` was not given."""
