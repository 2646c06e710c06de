"""Configs in general: what is built, and the one line that says what is wrong with an option."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import pytest
from pydantic import AfterValidator, BaseModel, Field, FiniteFloat, ValidationError, model_validator

from everyid.config import CommandConfig, build
from everyid.errors import ConfigError


def even(value: int) -> int:
    if value % 2:
        raise ValueError("expected an even number")
    return value


class Inner(BaseModel):
    """Something a config may hold."""

    depth: int = 1


class Walk(CommandConfig):
    """A command of its own."""

    option_names: ClassVar[dict[str, str]] = {"sources": "source", "speed_px": "max_speed"}

    sources: tuple[Path, ...] = ()
    step_length: FiniteFloat = Field(default=1.0, gt=0)
    speed_px: int = Field(default=4, le=9)
    foot: Literal["left", "right"] = "left"
    shoes: Annotated[int, AfterValidator(even)] = 2
    inner: Inner = Inner()
    start: int = 0
    end: int = 10

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"--end: expected more than --start {self.start}, got {self.end}")
        return self


class Run(Walk):
    """A command that inherits its options."""

    laps: int


def test_a_config_is_built_with_its_defaults():
    made = build(Walk, sources=[Path("a")], speed_px="7")
    assert isinstance(made, Walk)
    assert (made.sources, made.speed_px, made.foot) == ((Path("a"),), 7, "left")
    assert build(Run, laps=1).step_length == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step_length": 0}, "--step-length: Input should be greater than 0, got 0"),
        (
            {"step_length": float("nan")},
            "--step-length: Input should be a finite number, got nan",
        ),
        ({"speed_px": 10}, "--max-speed: Input should be less than or equal to 9, got 10"),
        ({"foot": "both"}, "--foot: Input should be 'left' or 'right', got 'both'"),
        ({"shoes": 3}, "--shoes: expected an even number, got 3"),
        (
            {"shoes": "a\nb"},
            "--shoes: Input should be a valid integer, unable to parse string "
            r"as an integer, got 'a\nb'",
        ),
        (
            {"sources": (1,)},
            "--source: Input is not a valid path for <class 'pathlib.Path'>, got 1",
        ),
        ({"end": 0}, "--end: expected more than --start 0, got 0"),
        (
            {"inner": {"depth": "x"}},
            "--inner: Input should be a valid integer, unable to parse "
            "string as an integer, got 'x'",
        ),
        ({"big_hat": 1}, "--big-hat: Extra inputs are not permitted, got 1"),
        (
            {"speed_px": 10, "shoes": 3},
            "--max-speed: Input should be less than or equal to 9, got 10",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values, message):
    for kind, more in ((Walk, {}), (Run, {"laps": 2})):
        with pytest.raises(ConfigError) as caught:
            build(kind, **values, **more)
        assert str(caught.value) == message
        assert isinstance(caught.value.__cause__, ValidationError)


def test_an_option_that_is_missing_shows_no_other_values():
    with pytest.raises(ConfigError, match=r"^--laps: Field required$"):
        build(Run, speed_px=3)


def test_a_config_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        build(Walk).shoes = 4


def test_configs_hold_what_they_are_asked_and_no_more():
    assert build(Walk) == build(Walk, shoes=2)
    assert build(Walk) != build(Walk, shoes=4)
    assert CommandConfig.option_names == {}
