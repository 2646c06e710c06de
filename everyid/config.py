"""Configs of commands: frozen models, and one clear error where a value is out of its range."""

from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from everyid.errors import ConfigError

__all__ = ["CommandConfig", "at_least_one", "build"]


class CommandConfig(BaseModel):
    """The base of what a command is asked to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    option_names: ClassVar[dict[str, str]] = {}
    """Fields whose option on the command line has another name."""


def at_least_one(formats: tuple[str, ...]) -> tuple[str, ...]:
    """The formats, each once, in the order given; for pydantic's ``AfterValidator``.

    Raises:
        ValueError: There are none.
    """
    if not formats:
        raise ValueError("name at least one format")
    return tuple(dict.fromkeys(formats))


ConfigT = TypeVar("ConfigT", bound=CommandConfig)


def build(kind: type[ConfigT], **values: object) -> ConfigT:
    """A validated config.

    Raises:
        ConfigError: A value is out of its range; the message names its option.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        where = f"--{kind.option_names.get(field, field).replace('_', '-')}: " if field else ""
        got = "" if isinstance(first["input"], dict | BaseModel) else f", got {first['input']!r}"
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}{message}{got}") from error
