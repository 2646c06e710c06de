"""What a training is made of: every number of it, under a name, each of which can be overridden.

A recipe is data. What its parts do is told where they are used: pictures in
:mod:`person.training.augment`, batches in :mod:`person.training.batches`, losses in
:mod:`person.training.losses`, the rest in :mod:`person.training.loop`.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from everyid.errors import ConfigError
from everyid.models import Model

__all__ = [
    "RECIPES",
    "Augmentation",
    "Batching",
    "Distillation",
    "Objective",
    "Optimisation",
    "Recipe",
    "override",
    "recipe",
    "recipe_fields",
]

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
NotNegative = Annotated[FiniteFloat, Field(ge=0)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(ge=1)]


class Augmentation(Model):
    """How pictures are changed, anew each time one is seen."""

    flip: Share = Field(default=0.5, description="share mirrored left to right")
    pad: Annotated[FiniteFloat, Field(ge=0, le=0.5)] = Field(
        default=0.06, description="border added and cropped away at random, part of the size"
    )
    brightness: NotNegative = Field(default=0.2, description="std of the logarithm of a gain")
    contrast: NotNegative = Field(default=0.15, description="std of the logarithm of a gain")
    colour: NotNegative = Field(default=0.1, description="std of the logarithm, each channel's own")
    shift: NotNegative = Field(default=12.0, description="std of what is added, 0-255")
    grey: Share = Field(default=0.0, description="share without colour")
    small: Share = Field(default=0.2, description="share seen from afar: shrunk and enlarged")
    blur: Share = Field(default=0.1, description="share blurred")
    erase: Share = Field(default=0.35, description="share with one rectangle erased")
    erase_least: Share = Field(default=0.02, description="smallest rectangle, part of the area")
    erase_most: Share = Field(default=0.3, description="largest rectangle, part of the area")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.erase_least > self.erase_most:
            raise ValueError(
                f"erase_least {self.erase_least:g} is above erase_most {self.erase_most:g}"
            )
        return self


class Batching(Model):
    """What a batch is made of: P identities with K pictures each, and unlabelled pictures."""

    identities: Some = Field(default=16, description="P, identities in a batch")
    images_per_identity: Some = Field(default=4, description="K, pictures of each")
    unlabelled: Count = Field(
        default=0, description="pictures of nobody known in a batch, where there are any"
    )

    @property
    def labelled(self) -> int:
        """Pictures with an identity in a batch, P x K."""
        return self.identities * self.images_per_identity

    @property
    def total(self) -> int:
        """Pictures in a batch."""
        return self.labelled + self.unlabelled


class Objective(Model):
    """What is learnt from identity labels; a weight of 0 leaves a loss out."""

    identity: NotNegative = Field(default=1.0, description="weight of telling identities apart")
    label_smoothing: Share = Field(default=0.1, description="of the identity loss")
    triplet: NotNegative = Field(default=1.0, description="weight of the batch-hard triplet loss")
    margin: Positive | None = Field(default=0.3, description="of the triplet loss; null: soft")


class Distillation(Model):
    """What is learnt from a teacher, another encoder that is asked about each picture."""

    teacher: str | None = Field(
        default=None, description="a name of `person models` or a model file; null: none"
    )
    cosine: NotNegative = Field(default=2.0, description="weight of 1 - cosine to its embedding")
    relational: NotNegative = Field(
        default=15.0, description="weight of the squared difference of similarities in a batch"
    )
    centred: Share = Field(
        default=0.5, description="part of a target that is the mean of its identity"
    )
    mixed: Share = Field(
        default=0.0, description="share blended, joined, cut or recoloured, and asked about anew"
    )


class Optimisation(Model):
    """How the weights are moved."""

    epochs: Some = Field(default=60, description="times that all labelled pictures are seen")
    optimiser: Literal["adamw", "sgd"] = Field(default="adamw", description="adamw or sgd")
    learning_rate: Positive = Field(default=3.5e-4, description="at its highest")
    final_rate: Share = Field(default=0.01, description="part of the learning rate left at the end")
    warm_up: Share = Field(default=0.05, description="part of all steps in which the rate rises")
    weight_decay: NotNegative = Field(default=0.02, description="not on norms and biases")
    clip: NotNegative = Field(default=5.0, description="longest gradient; 0: not clipped")
    accumulate: Some = Field(default=1, description="batches whose gradients make one step")
    ema: Annotated[FiniteFloat, Field(ge=0, lt=1)] = Field(
        default=0.998, description="decay of the mean of the weights that is kept; 0: none"
    )


class Recipe(Model):
    """A training, whole but for the data."""

    name: str
    summary: str = Field(description="what it is for, one line")
    architecture: str = Field(description="a name of `person.backbones.ARCHITECTURES`")
    network: dict[str, Any] = Field(
        default_factory=dict, description="configuration of the network; empty: the usual size"
    )
    size_hw: tuple[Some, Some] = Field(default=(256, 128), description="of the pictures, px")
    cameras: bool = Field(
        default=False, description="learn an embedding of each camera, in networks that have one"
    )
    augmentation: Augmentation = Augmentation()
    batching: Batching = Batching()
    objective: Objective = Objective()
    distillation: Distillation = Distillation()
    optimisation: Optimisation = Optimisation()

    @property
    def learns_identities(self) -> bool:
        """Whether some loss needs identity labels."""
        return self.objective.identity > 0 or self.objective.triplet > 0

    @property
    def learns_from_teacher(self) -> bool:
        """Whether a teacher is asked."""
        told = self.distillation
        return told.teacher is not None and (told.cosine > 0 or told.relational > 0)


_PARTS = ("augmentation", "batching", "objective", "distillation", "optimisation")
_WHOLE = ("architecture", "network", "size_hw", "cameras")


def recipe_fields(found: Recipe) -> Iterator[tuple[str, Any, str]]:
    """Name, value and meaning of each field that can be overridden, in order.

    >>> [name for name, _, _ in recipe_fields(recipe("everyid-cnn"))][:4]
    ['architecture', 'network', 'size_hw', 'cameras']
    """
    for name in _WHOLE:
        yield name, getattr(found, name), Recipe.model_fields[name].description or ""
    for part in _PARTS:
        group = getattr(found, part)
        for name, field in type(group).model_fields.items():
            yield f"{part}.{name}", getattr(group, name), field.description or ""


def override(found: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with some fields changed.

    >>> override(recipe("everyid-cnn"), {"epochs": "3"}).optimisation.epochs
    3

    Args:
        found: What to begin with.
        values: Field -> value, or its text. A field is ``part.name``, or ``name`` alone.

    Raises:
        ConfigError: No such field, or a value it does not take.
    """
    document = found.model_dump()
    names = {name: name for name, _, _ in recipe_fields(found)}
    names |= {name.rpartition(".")[2]: name for name in names}
    for key, value in values.items():
        if key not in names:
            raise _no_such_field(key, names)
        part, _, name = names[key].rpartition(".")
        (document[part] if part else document)[name] = _value(value)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(place) for place in first["loc"])
        raise ConfigError(
            f"recipe {found.name}: {where}: {first['msg']}, got {first['input']!r}",
            hint=f"`python3 run.py person recipes {found.name}` lists each field and its meaning",
        ) from error


def _value(value: Any) -> Any:  # noqa: ANN401 - whatever a field takes
    """A value from its text; pydantic makes the number of it."""
    if value in ("null", "none"):
        return None
    if not isinstance(value, str):
        return value
    if "x" in value and value.replace("x", "").isdecimal():
        return value.split("x")  # a size, 256x128
    if value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ConfigError(
                f'expected JSON such as {{"depths": [1, 1, 1]}}, got {value!r}: {error}'
            ) from error
    return value


def _no_such_field(key: str, known: Iterable[str]) -> ConfigError:
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return ConfigError(
        f"a recipe has no field {key!r}",
        hint=(f"did you mean {near[0]!r}? " if near else "")
        + "`python3 run.py person recipes NAME` lists them",
    )


def _taught(name: str, architecture: str, optimisation: Optimisation) -> Recipe:
    """A recipe without labels.

    Synthetic people dress alike as real ones do, and a teacher that has seen real people knows
    better than their labels how alike two of them look.
    """
    return Recipe(
        name=name,
        summary="the same from a teacher, on pictures with or without labels",
        architecture=architecture,
        augmentation=Augmentation(colour=0.15, small=0.3),
        batching=Batching(unlabelled=4),
        objective=Objective(identity=0.0, triplet=0.0),
        distillation=Distillation(teacher="person-reidentification-retail-0277"),
        optimisation=optimisation,
    )


RECIPES = {
    made.name: made
    for made in (
        Recipe(
            name="everyid-cnn",
            summary="a small convolutional network for CPUs, from identity labels",
            architecture="everyid-cnn",
            optimisation=Optimisation(learning_rate=1e-3),
        ),
        _taught("everyid-cnn-taught", "everyid-cnn", Optimisation(epochs=10, learning_rate=3e-3)),
        Recipe(
            name="everyid-vit",
            summary="a small vision transformer with a convolutional stem, from identity labels",
            architecture="everyid-vit",
            optimisation=Optimisation(learning_rate=5e-4, weight_decay=0.05, warm_up=0.1),
        ),
        _taught(
            "everyid-vit-taught",
            "everyid-vit",
            Optimisation(epochs=20, learning_rate=1e-3, weight_decay=0.05, warm_up=0.1),
        ),
    )
}
"""The recipes that have a name."""


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ConfigError: No such name; the message lists the known ones and the nearest.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        raise ConfigError(
            f"no recipe is called {name!r}; known: {', '.join(RECIPES)}",
            hint=f"did you mean {near[0]!r}?" if near else "see `python3 run.py person recipes`",
        )
    return RECIPES[name]
