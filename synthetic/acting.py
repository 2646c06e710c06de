"""How somebody in a story holds the body at a moment: gait, pauses, and what lies between."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from synthetic.people.appearance import Appearance
from synthetic.people.arms import HANGING, Arms, draw_arms
from synthetic.people.gait import Gait, draw_gait
from synthetic.people.pose import Pose, Stand, blend, draw_stand, running, standing, walking
from synthetic.walks import Moment, Pace

__all__ = ["Manner", "draw_manner", "pose_at"]

_STILL_M_S = 0.5
"""Who is slower is on the way to standing."""
_SWAY_S = 6.0
_CHANGE_S = 0.7
"""How long it takes to lift a telephone."""
_LOOK_DEG = 50.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How one person moves, the same on all days.

    Args:
        gait: Of walking and running.
        arms: What they do while walking.
        stand: The way of standing about.
        phase: Where in their cycle the person begins, 0-1.
    """

    gait: Gait
    arms: Arms
    stand: Stand
    phase: float

    @property
    def pace(self) -> Pace:
        """How fast the person goes for the feet not to slide."""
        gait = self.gait
        return Pace(gait.speed_m_s, gait.run_speed_m_s, gait.cycle_m, gait.run_cycle_m)


def draw_manner(generator: np.random.Generator, appearance: Appearance) -> Manner:
    """One person's way of moving.

    Args:
        generator: Decides all.
        appearance: Age and height, and what is carried.
    """
    gait = draw_gait(generator, age_group=appearance.age_group, height_m=appearance.height_m)
    arms = draw_arms(generator, carried=appearance.carried)
    return Manner(
        gait=gait,
        arms=arms,
        stand=draw_stand(generator, gait=gait, arms=arms),
        phase=float(generator.random()),
    )


def pose_at(moment: Moment, manner: Manner) -> Pose:
    """The pose of somebody at a moment of a story; changes gradually from moment to moment.

    Args:
        moment: Of the story.
        manner: Of the same person.
    """
    moving = min(1.0, moment.speed / _STILL_M_S)
    moving = moving * moving * (3 - 2 * moving)
    if moving >= 1.0:
        return _going(moment, manner)
    still = _still(moment, manner)
    return blend(still, _going(moment, manner), moving) if moving > 0.0 else still


def _going(moment: Moment, manner: Manner) -> Pose:
    """Walking, running, or something between for who is getting faster or slower."""
    phase = manner.phase + moment.cycles
    pace = manner.pace
    hurry = (moment.speed / pace.walking - 1.1) / max(pace.running / pace.walking - 1.4, 0.2)
    run = min(1.0, max(0.0, hurry))
    walk_pose = walking(phase, gait=manner.gait, arms=manner.arms)
    if run == 0.0:
        return walk_pose
    return blend(walk_pose, running(phase, gait=manner.gait, arms=manner.arms), run)


def _still(moment: Moment, manner: Manner) -> Pose:
    """Standing, and into and out of what is done there."""
    phase = manner.phase + moment.since_s / _SWAY_S
    plain = replace(manner.stand, arms=manner.arms, roam_deg=0.0)
    special = {
        "looking": replace(plain, roam_deg=_LOOK_DEG),
        "phone": replace(plain, arms=_with(manner.arms, "phone")),
        "talking": replace(plain, arms=_with(manner.arms, "talk"), look_deg=(0.0, 0.0)),
        "standing": manner.stand,
    }.get(moment.activity)
    rest = standing(phase, gait=manner.gait, stand=plain)
    if special is None:
        return rest
    share = min(1.0, moment.since_s / _CHANGE_S, moment.until_s / _CHANGE_S)
    return blend(rest, standing(phase, gait=manner.gait, stand=special), share)


def _with(arms: Arms, mode: Literal["phone", "talk"]) -> Arms:
    """The same arms, a free one doing something; the right one if both are free."""
    if mode == "phone":
        if arms.right == "swing":
            return replace(arms, right="phone")
        return replace(arms, left="phone") if arms.left == "swing" else arms
    if arms == HANGING:
        return replace(arms, right="talk")
    return arms
