"""A virtual machine beside a container: what each stands on, in the order in which it comes to be.

Two stacks of five blocks. Each block has the step that puts it there, whether there is one for all or one for each,
and what it costs on this machine, where that is known. Left out: what a virtual machine of another make would cost.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docker import DockerClient
from docker.models.containers import Container

from labkit import observe
from labkit.phases import Start
from labkit.processes import ProcessGroup, process_group
from labkit.views import base
from labkit.views.base import Picture, cell
from labkit.views.layer_stack import size_said
from labkit.views.time_line import seconds_said
from labkit.vm import VM


@dataclass(frozen=True)
class Block:
    """A layer of a stack: its name, what it is, whether all share one, and the step that puts it there."""

    name: str
    what: str
    shared: bool
    step: str


# From the ground up. The first step of each stack is the hardware, which is there before all else.
MODELS: dict[str, tuple[Block, ...]] = {
    "virtual machine": (
        Block("hardware", "processors, memory, storage, network", True, "There is a machine."),
        Block(
            "hypervisor",
            "software that shares the hardware out to virtual machines",
            True,
            "The hypervisor boots and claims the hardware: processors, memory, storage, network.",
        ),
        Block(
            "virtual hardware",
            "virtual processors, memory, disks and network cards",
            False,
            "Asked for a virtual machine, it carves the hardware into virtual processors, virtual memory and so on: "
            "a machine that looks like a physical server.",
        ),
        Block(
            "guest operating system",
            "a kernel of its own, and its files",
            False,
            "An operating system goes in, and boots.",
        ),
        Block("app", "the program that all this is for", False, "The app goes in, and runs."),
    ),
    "container": (
        Block("hardware", "processors, memory, storage, network", True, "There is a machine."),
        Block("operating system", "the one kernel", True, "An operating system boots and claims the hardware."),
        Block("container engine", "a program like others", True, "A container engine is installed on it."),
        Block(
            "virtual operating system",
            "a process tree, a file system, a hostname, a network of its own",
            False,
            "Asked for a container, the engine carves resources of the operating system, such as process trees and "
            "file systems, into virtual versions: it looks like a regular operating system.",
        ),
        Block("app", "the program that all this is for", False, "The app runs in it."),
    ),
}
UNKNOWN = "not measured"


@dataclass(frozen=True)
class Facts:
    """What is known of one stack: its name and state, and for each block its figures in words."""

    name: str
    state: str
    figures: Mapping[str, Sequence[str]]


# --- pure: from facts to a picture, and from the picture to text and table --------------------------


def picture_of(vm: Facts | None, container: Facts, commands: Sequence[Mapping[str, str]] = ()) -> Picture:
    """Both stacks as plain data, blocks from the ground up; a virtual machine that was not given has no figures."""
    facts = {"virtual machine": vm, "container": container}
    return {
        "view": "Stacks",
        "stacks": [_stack(model, blocks, facts[model]) for model, blocks in MODELS.items()],
        "commands": list(commands),
    }


def _stack(model: str, blocks: Sequence[Block], facts: Facts | None) -> Picture:
    return {
        "model": model,
        "name": facts.name if facts else "",
        "state": facts.state if facts else UNKNOWN,
        "blocks": [
            {**vars(block), "figures": list(facts.figures.get(block.name, ())) if facts else []} for block in blocks
        ],
    }


def text_of(picture: Picture) -> str:
    """The picture as one line: of each stack, what is there once, and what there is one of for each."""
    return "Stacks: " + " | ".join(_stack_text(stack) for stack in picture["stacks"])


def _stack_text(stack: Picture) -> str:
    names = {
        shared: ", ".join(block["name"] for block in stack["blocks"] if block["shared"] is shared)
        for shared in (True, False)
    }
    return f"{stack['model']}: one for all: {names[True]}; one for each: {names[False]}"


def table_of(picture: Picture) -> str:
    """The picture as an HTML table from the top down, a step a row. Figures stand in cells of class lk-usage."""
    heads, levels = ["step"], len(picture["stacks"][0]["blocks"])
    for stack in picture["stacks"]:
        heads += [stack["model"], "how many", "here"]
    rows = []
    for level in reversed(range(levels)):
        row = [str(level)]
        for stack in picture["stacks"]:
            block = stack["blocks"][level]
            row += [cell(block["name"]), cell(how_many(block, stack)), cell(figures_said(block), "lk-usage")]
        rows.append(row)
    return base.table("A virtual machine beside a container, from the top down", heads, rows)


def how_many(block: Picture, stack: Picture) -> str:
    """Whether a block is there once or again for each."""
    return "one for all" if block["shared"] else f"one for each {stack['model']}"


def figures_said(block: Picture) -> str:
    """A block's figures in a row."""
    return ", ".join(block["figures"]) or UNKNOWN


# --- asking -----------------------------------------------------------------------------------------


def vm_facts(vm: VM) -> Facts:
    """A virtual machine and the machine that it runs on. One that runs is asked what it has, through its own kernel."""
    figures = {"hardware": _machine(os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))}
    if vm.state == "deleted":
        return Facts("VM", vm.state, figures)
    files = vm.files()
    figures["hypervisor"] = ["QEMU, by emulation"]
    figures["virtual hardware"] = [
        base.number_of(vm.processors, "virtual processor"),
        f"{size_said(vm.memory << 20)} of virtual memory",
        *[size_said(size) + f" of {name} in use" for name, size in files.items() if name.startswith("disk")],
    ]
    figures["guest operating system"] = [
        f"kernel {size_said(files['kernel'])}",
        f"root file system {size_said(files['root file system'])}",
        *([f"booted in {seconds_said(vm.phases[-1].ended)}"] if vm.phases else []),
        *_inside(vm),
    ]
    return Facts("VM", vm.state, figures)


def _inside(vm: VM) -> list[str]:
    if vm.state != "running":
        return []
    return [_short(vm.kernel()), base.number_of(len(vm.processes()), "process") + " before any app"]


def container_facts(client: DockerClient, group: ProcessGroup, start: Start | None = None) -> Facts:
    """A container and its engine's machine. Asks GET /info, /version, /images/{name}/json, /containers/json."""
    container, info = group.container, client.info()
    figures = {
        "hardware": _machine(info.get("NCPU"), info.get("MemTotal")),
        "operating system": [_short(f"Linux {info.get('KernelVersion')}"), info.get("OperatingSystem") or "Linux"],
        "container engine": [_engine(client.version())],
    }
    if container.status != "removed":
        figures["virtual operating system"] = _container_figures(client, group, start)
    if group.processes:
        figures["app"] = [group.processes[0].command]
    return Facts(container.name, _state_said(container), figures)


def _container_figures(client: DockerClient, group: ProcessGroup, start: Start | None) -> list[str]:
    layer = observe.read_write_layer(client, group.container)
    image = observe.image(client, group.container.image_id)
    return [
        f"image {size_said(sum(each.size or 0 for each in image.layers))}, shared",
        f"own layer {size_said(layer.size)}",
        *([base.number_of(len(group.processes), "process")] if group.processes else []),
        *([f"started in {seconds_said(start.seconds)}"] if start else []),
    ]


def _short(kernel: str) -> str:
    """A kernel's version without what its distribution adds: "Linux 6.1.0"."""
    return kernel.partition("-")[0]


def _state_said(container: observe.ContainerState) -> str:
    return container.status + (f" ({container.exit_code})" if container.status == "exited" else "")


def _machine(processors: int | None, memory: int | None) -> list[str]:
    return [base.number_of(processors or 1, "processor"), f"{size_said(memory)} of memory"]


def _engine(version: Mapping[str, Any]) -> str:
    name = (version.get("Platform") or {}).get("Name") or "Docker"
    number = version.get("Version", "")
    return name if number in name else f"{name} {number}"


# --- the widget -------------------------------------------------------------------------------------


class Stacks(base.View):
    """Draw a virtual machine beside a container, block by block: what is shared, what each has, what it costs here.

    Stacks(container, vm=vm, start=start) takes a Container object of the Docker SDK, a labkit.VM (without one its
    stack has no figures) and a measured Start of a container. It follows the container's events until `close()`; a
    VM tells of no events: it is looked at whenever the picture is shown.
    """

    _esm = base.module("stacks")
    _css = base.style("stacks")

    def __init__(
        self, *containers: Container, vm: VM | None = None, start: Start | None = None, **unknown: Any
    ) -> None:
        base.refuse_unknown("Stacks", unknown, ["vm", "start"])
        client = base.one_client("Stacks", containers, (Container,))
        base.only_one("Stacks", containers)
        if vm is not None and not isinstance(vm, VM):
            raise TypeError(f"Stacks takes a labkit.VM as vm, not {vm!r}. labkit.VM() makes one.")
        if start is not None and not isinstance(start, Start):
            raise TypeError(f"Stacks takes a Start as start, as labkit.time_start() returns, not {start!r}.")
        self._vm, self._start = vm, start
        self._vm_facts: Facts | None = None
        super().__init__(client, containers)

    def ask(self) -> Picture:
        group = process_group(self._client, self._states[0])
        self._states = (group.container,)
        if self._vm is not None and threading.current_thread() is threading.main_thread():
            self._vm_facts = vm_facts(self._vm)  # a cell may be speaking with it: never from another thread
        name = group.container.name
        commands = [
            base.command("client.info()", "docker info"),
            base.command(f'client.containers.get("{name}").attrs', f"docker inspect --size {name}"),
        ]
        return picture_of(self._vm_facts, container_facts(self._client, group, self._start), commands)

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)
