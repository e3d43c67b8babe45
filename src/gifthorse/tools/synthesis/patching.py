"""What tools that make patches share: how a patch is shaken and pasted, and the recipe that comes of their settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from gifthorse.effects import side_for
from gifthorse.errors import Refusal
from gifthorse.records import Insertion
from gifthorse.tools.synthesis.base import Task
from gifthorse.tools.synthesis.engine import Recipe, Schedule
from gifthorse.tools.synthesis.objectives import cross_entropy
from gifthorse.tools.synthesis.parameterisation import Parameterisation
from gifthorse.tools.synthesis.transformations import ColourJitter, Noise, Transformation, Warp


def side_of(tool: Any, task: Task) -> int:
    """Side of a tool's patches in pixels; two sevenths of the network's input where it has no setting.

    Raises:
        Refusal: it does not fit into the network's input.
    """
    side: int = tool.side or side_for(task.classifier.size)
    if side > task.classifier.size:
        raise Refusal(
            f"a patch of {side} pixels does not fit into the {task.classifier.size} of {task.classifier.name}",
            "a smaller side",
        )
    return side


def shaken(tool: Any) -> tuple[Transformation, ...]:
    """Colours, noise, and size and angle of a patch, as strong as a tool's settings say."""
    return (
        ColourJitter(brightness=tool.brightness, contrast=tool.contrast, saturation=tool.saturation, hue=tool.hue),
        Noise(sigma=tool.noise),
        Warp(shift=0.0, scale=tool.scale, degrees=tool.degrees),
    )


def patches(tool: Any, task: Task, drawn: Parameterisation, penalty: Callable[[Tensor], Tensor]) -> Recipe:
    """Patches that lead images to the target, whatever draws them, with a penalty of each picture.

    Raises:
        Refusal: they do not fit into the network's input.
    """
    return Recipe(
        parameterisation=drawn,
        transformations=shaken(tool),
        insertion=Insertion(kind="patch", side=side_of(tool, task)),
        objective=cross_entropy,
        screened=cross_entropy,
        penalty=penalty,
        schedule=Schedule(
            steps=tool.steps,
            images=tool.images,
            learning_rate=tool.learning_rate,
            warm_up=0.0,
            screenings=tool.screenings,
            screen=tool.screen,
        ),
    )
