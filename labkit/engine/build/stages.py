"""From instructions to a plan: which stages there are, and which of them are built. Pure.

A stage begins with FROM and is a chain of images; the last one is the result, or the one that `--target` names. The
classic builder goes through all stages up to that one, whether they are needed or not.

Source: the Dockerfile reference, "FROM"; "Multi-stage builds".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from labkit.engine.build.dockerfile import Dockerfile, Instruction
from labkit.engine.build.lines import DockerfileError
from labkit.engine.errors import BadParameter


@dataclass(frozen=True)
class Stage:
    """One stage: its FROM, its name ("" for none), and what comes after."""

    begin: Instruction
    name: str
    steps: tuple[Instruction, ...] = ()

    @property
    def base(self) -> str:
        """The image or the stage that it builds on, variables still in it."""
        return self.begin.args[0]


@dataclass(frozen=True)
class Plan:
    """What a build goes through: ARGs before the first FROM, then stages."""

    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]

    def __len__(self) -> int:
        return len(self.arguments) + sum(1 + len(stage.steps) for stage in self.stages)


def plan(dockerfile: Dockerfile, target: str = "", labels: Mapping[str, str] | None = None) -> Plan:
    """The plan for a Dockerfile. `labels` become LABELs at the end. Raises DockerfileError, BadParameter."""
    first = next((number for number, one in enumerate(dockerfile.instructions) if one.word == "FROM"), None)
    before = dockerfile.instructions[:first]
    if wrong := next((one for one in before if one.word != "ARG"), None):
        raise DockerfileError(
            f"no build stage in current context: {wrong.word} stands before the first FROM", wrong.line
        )
    if first is None:
        raise DockerfileError("no build stage in current context: a FROM is missing")
    stages = _stages(dockerfile.instructions[first:])
    if target:
        stages = stages[: _index(stages, target) + 1]
    stages[-1] = replace(stages[-1], steps=(*stages[-1].steps, *map(_label, sorted((labels or {}).items()))))
    return Plan(before, tuple(stages))


def _stages(instructions: Sequence[Instruction]) -> list[Stage]:
    stages: list[Stage] = []
    for one in instructions:
        if one.word == "FROM":
            name = one.args[2].lower() if len(one.args) == 3 else ""
            if name and any(stage.name == name for stage in stages):
                raise DockerfileError(f"{name} stage name already used", one.line)
            stages.append(Stage(one, name))
        else:
            stages[-1] = replace(stages[-1], steps=(*stages[-1].steps, one))
    return stages


def _index(stages: Sequence[Stage], target: str) -> int:
    """Which stage `--target` means; only BuildKit takes a number for it."""
    for number, stage in enumerate(stages):
        if stage.name == target.lower():
            return number
    raise BadParameter(f"failed to reach build target {target} in Dockerfile")


def _label(pair: tuple[str, str]) -> Instruction:
    """A label from outside: nothing in it is expanded, so it stands in the quotes that keep everything."""
    name, value = ("'" + part.replace("'", "'\"'\"'") + "'" for part in pair)
    return Instruction("LABEL", f"LABEL {pair[0]}={pair[1]}", 0, pairs=((name, value),))
