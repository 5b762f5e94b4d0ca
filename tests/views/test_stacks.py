"""The two stacks: what is shared, what each has, and that figures come from the machine or are not there."""

import contextlib
import json
import re

import docker
import pytest

import labkit
from labkit.views import stacks
from labkit.vm import VM
from labkit.vm import Phase as BootPhase
from tests import busybox
from tests.views.samples import CONTAINER, CONTAINER_FACTS, ENDED_FACTS, MACHINE_FACTS

IMAGE = "labkit-stacks-test"


def test_both_models_have_the_same_steps() -> None:
    vm, container = stacks.MODELS.values()
    assert len(vm) == len(container)
    assert [block.shared for block in vm] == [True, True, False, False, False]
    assert [block.shared for block in container] == [True, True, True, False, False]


def test_text_has_no_figures_and_is_the_same_whatever_is_known() -> None:
    known, unknown = stacks.picture_of(MACHINE_FACTS, CONTAINER_FACTS), stacks.picture_of(None, ENDED_FACTS)
    assert stacks.text_of(known) == stacks.text_of(unknown)
    assert "one for each: virtual hardware, guest operating system, app" in stacks.text_of(known)


def test_the_table_is_the_same_but_for_marked_cells() -> None:
    tables = [stacks.table_of(stacks.picture_of(vm, CONTAINER_FACTS)) for vm in (MACHINE_FACTS, None)]
    assert tables[0] != tables[1]
    assert len({re.sub(r'(<td class="lk-usage">)[^<]*', r"\1", table) for table in tables}) == 1
    assert '<tr><th scope="row">4</th><td>app</td>' in tables[0], "the top stands first"


def test_a_block_without_figures_says_so() -> None:
    table = stacks.table_of(stacks.picture_of(None, CONTAINER_FACTS))
    assert table.count(stacks.UNKNOWN) == 5
    assert "QEMU" not in table


def test_a_picture_is_plain_data() -> None:
    shown = stacks.picture_of(MACHINE_FACTS, CONTAINER_FACTS)
    assert json.loads(json.dumps(shown)) == shown


class Machine(VM):
    """A virtual machine that says what a real one would, without a boot."""

    def __init__(self, state: str = "running") -> None:
        self.state, self.processors, self.memory = state, 2, 128
        self.phases = [BootPhase("firmware", 0.0, 0.5, ""), BootPhase("kernel", 0.5, 2.5, "")]
        self.asked: list[str] = []

    def files(self) -> dict[str, int]:
        return {"kernel": 14_000_000, "root file system": 2_500_000, "disk0": 230_000}

    def kernel(self) -> str:
        self.asked.append("kernel")
        return "Linux 6.1.0"

    def processes(self) -> list:
        return [1, 2, 3]


def test_a_running_vm_is_asked_for_what_is_in_it() -> None:
    facts = stacks.vm_facts(Machine())
    assert facts.figures["virtual hardware"] == [
        *("2 virtual processors", "134 MB of virtual memory", "230 kB of disk0 in use"),
    ]
    inside = ("kernel 14 MB", "root file system 2.5 MB", "booted in 2.5 s", "Linux 6.1.0", "3 processes before any app")
    assert facts.figures["guest operating system"] == list(inside)


def test_a_vm_that_does_not_run_is_not_asked() -> None:
    stopped = Machine("stopped")
    assert "Linux 6.1.0" not in stacks.vm_facts(stopped).figures["guest operating system"]
    assert stopped.asked == []
    assert list(stacks.vm_facts(Machine("deleted")).figures) == ["hardware"]


# --- on each engine -----------------------------------------------------------------------------------


@pytest.fixture
def container(client: docker.DockerClient):
    busybox.import_image(client, IMAGE, changes=['CMD ["sleep", "600"]'])
    made = client.containers.run(IMAGE, name="labkit-view-stacks", detach=True)
    yield made
    with contextlib.suppress(docker.errors.NotFound):
        made.remove(force=True)
    client.images.remove(IMAGE, force=True)


def figures(view: labkit.Stacks, model: str) -> dict[str, list[str]]:
    stack = next(stack for stack in view.to_dict()["stacks"] if stack["model"] == model)
    return {block["name"]: block["figures"] for block in stack["blocks"]}


def test_figures_are_the_engines_own(client: docker.DockerClient, container) -> None:
    view = labkit.Stacks(container, vm=Machine(), start=CONTAINER)
    seen, info = figures(view, "container"), client.info()
    assert f"Linux {info['KernelVersion'].partition('-')[0]}" in seen["operating system"]
    assert seen["hardware"][0].startswith(f"{info['NCPU']} processor")
    assert seen["app"] == ["sleep 600"]
    assert "1 process" in seen["virtual operating system"]
    assert "started in 290 ms" in seen["virtual operating system"]
    assert "Linux 6.1.0" in figures(view, "virtual machine")["guest operating system"]
    view.close()


def test_it_follows_the_container(client: docker.DockerClient, container) -> None:
    view = labkit.Stacks(container)
    container.kill()
    container.wait(timeout=10)
    stack = view.to_dict()["stacks"][1]
    assert stack["state"] == "exited (137)"
    assert figures(view, "container")["app"] == []
    container.remove()
    assert view.to_dict()["stacks"][1]["state"] == "removed"
    view.close()


def test_wrong_arguments_are_refused(client: docker.DockerClient, container) -> None:
    with pytest.raises(TypeError, match=r"no argument 'strat'\. Did you mean 'start'\?"):
        labkit.Stacks(container, strat=None)
    with pytest.raises(TypeError, match=r"takes a labkit\.VM as vm"):
        labkit.Stacks(container, vm="qemu")
    with pytest.raises(TypeError, match="takes a Start as start"):
        labkit.Stacks(container, start=0.3)
    with pytest.raises(TypeError, match="shows one container"):
        labkit.Stacks(container, container)
    with pytest.raises(ValueError, match="at least one Container"):
        labkit.Stacks()
