"""Each view's drawing in a page of its own: everyone can use it, in every dress, by keyboard, and it is quick.

The pictures are made by hand (tests/views/samples.py), so no engine is needed. That drawings follow an engine is
tested in JupyterLab (test_gallery_in_lab.py, test_lesson_in_lab.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from labkit import observe
from labkit.provenance import Origin
from labkit.views import base, layer_stack, process_tree
from tests.browser import axe, bare
from tests.views import pictures
from tests.views.samples import PICTURES, READ_THROUGH, walk_of

NAMES = list(PICTURES)
FILES = {path.stem for path in base.HERE.glob("*.js")} - {"base"}
SETTLED = 2300  # milliseconds until what has arrived no longer glows
each_view = pytest.mark.parametrize("name", NAMES)
pytestmark = pytest.mark.timeout(120)


@contextmanager
def drawn(browser: Any, name: str, **options: Any) -> Iterator[bare.Bare]:
    """The view with the first of its pictures, and then each of the others."""
    first, *others = PICTURES[name]
    with bare.drawn(browser, name, first, traits={"path": "/etc/motd"}, **options) as view:
        for picture in others:
            view.show(picture)
        view.page.wait_for_timeout(SETTLED if others else 200)
        yield view


def test_every_view_is_drawn_here() -> None:
    assert set(NAMES) >= FILES


@each_view
def test_axe_finds_nothing_in_any_picture_light_or_dark(browser: Any, name: str) -> None:
    for picture in PICTURES[name]:
        with bare.drawn(browser, name, picture, traits={"path": "/etc/motd"}) as view:
            for theme in ("light", "dark"):
                view.theme(theme)
                view.page.wait_for_timeout(500)
                assert axe.violations(view.page, ".lk") == ""


@each_view
def test_nothing_is_cut_off_in_a_narrow_window(browser: Any, name: str) -> None:
    """Only what scrolls by itself may be wider than the view."""
    with drawn(browser, name) as view:
        view.width(360)
        too_wide = view.page.evaluate(
            """() => {
              const root = document.querySelector(".lk");
              const right = root.getBoundingClientRect().right;
              const scrolls = (e) => e.closest(".lk-scroll, .lk-voice, .lk-arrows, .lk-words");
              return [...root.querySelectorAll("*")]
                .filter((e) => !scrolls(e) && e.getClientRects().length && e.getBoundingClientRect().right > right + 1)
                .map((e) => e.className.baseVal ?? e.className);
            }"""
        )
        assert too_wide == []


@each_view
@pytest.mark.parametrize("dress", [{"contrast": "more"}, {"forced_colors": "active"}], ids=["contrast", "forced"])
def test_high_contrast_keeps_it_readable(browser: Any, name: str, dress: dict[str, str]) -> None:
    """As people set it who see little. Where colours are forced, the system sees to contrast, and axe can't see it."""
    with drawn(browser, name, **dress) as view:
        assert axe.violations(view.page, ".lk", ["color-contrast"] if "forced_colors" in dress else []) == ""


@each_view
def test_the_tab_key_comes_in_and_leaves_again(browser: Any, name: str) -> None:
    """No view is a trap, and none can be used by the mouse only."""
    within = "document.querySelector('.lk').contains(document.activeElement)"
    with bare.drawn(browser, name, PICTURES[name][0], traits={"path": "/etc/motd"}) as view:
        came_in = []
        for _ in range(60):
            view.page.keyboard.press("Tab")
            came_in.append(view.page.evaluate(within))
        assert True in came_in
        assert False in came_in[came_in.index(True) :]


@pytest.mark.parametrize(
    ("name", "what"),
    {
        "layer_stack": ".lk-head",
        "life_cycle": ".lk-stone",
        "namespaces": ".lk-kind",
        "services": ".lk-head",
        "time_line": ".lk-phase",
    }.items(),
)
def test_arrow_keys_walk_to_the_end_and_back(browser: Any, name: str, what: str) -> None:
    with drawn(browser, name) as view:
        things = view.page.locator(what)
        last = things.count() - 1
        things.first.focus()
        walked = []
        for key in ("ArrowDown", "ArrowUp"):
            for _ in range(last + 1):
                view.page.keyboard.press(key)
                walked.append(things.evaluate_all("list => list.indexOf(document.activeElement)"))
        assert walked == [*range(1, last + 1), last, *range(last - 1, -1, -1), 0]


# --- each view's own ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["layer_stack", "overlay_walk"])
def test_a_path_can_be_typed(browser: Any, name: str) -> None:
    with bare.drawn(browser, name, PICTURES[name][0]) as view:
        view.page.get_by_role("textbox").focus()
        view.page.keyboard.type("/etc/hosts")
        view.page.keyboard.press("Enter")
        assert view.page.evaluate("window.model.get('path')") == "/etc/hosts"


def test_the_life_cycle_has_a_button_for_each_legal_move_and_no_other(browser: Any) -> None:
    running, exited = PICTURES["life_cycle"]
    with bare.drawn(browser, "life_cycle", running) as view:
        words = view.page.locator(".lk-moves b").all_inner_texts()
        assert words == ["stop", "restart", "kill", "pause", "exec", "remove by force"]
        assert view.page.locator(".lk-current").inner_text().startswith("running")
        view.page.get_by_role("button", name="pause docker pause one").click()
        assert view.sent() == [{"kind": "move", "move": "pause"}]
        view.show(exited)
        view.page.wait_for_timeout(800)
        assert view.page.locator(".lk-moves b").all_inner_texts() == ["start", "restart", "remove", "remove by force"]
        assert view.page.locator(".lk > .lk-voice").inner_text() == "one is exited with exit code 137"


def test_states_of_the_life_cycle_explain_themselves(browser: Any) -> None:
    with drawn(browser, "life_cycle") as view:
        view.page.locator(".lk-stone").first.focus()
        view.page.keyboard.press("ArrowRight")
        view.page.keyboard.press("Enter")
        assert "exactly as long as that process does" in view.page.locator(".lk-details").inner_text()
        view.page.keyboard.press("Escape")
        assert view.page.locator(".lk-details").is_hidden()


def test_the_walk_goes_step_by_step(browser: Any) -> None:
    with bare.drawn(browser, "overlay_walk", PICTURES["overlay_walk"][0], traits={"path": "/etc/motd"}) as view:
        assert view.page.locator(".lk-end").count() == 1
        view.page.get_by_role("button", name="One step on").click()
        assert view.page.locator(".lk-end").count() == 0 and view.page.locator(".lk-unseen").count() == 2
        for _ in range(2):
            view.page.keyboard.press("ArrowRight")
        assert "found, the search ends" in view.page.locator(".lk-now").inner_text()
        view.page.keyboard.press("Escape")
        assert view.page.locator(".lk-unseen").count() == 0
        view.page.get_by_role("button", name="write").click()
        assert view.sent() == [{"kind": "act", "act": "write"}]


def test_the_walk_plays_by_itself_and_ends(browser: Any) -> None:
    with bare.drawn(browser, "overlay_walk", walk_of(READ_THROUGH), traits={"path": "/etc/motd"}) as view:
        view.page.get_by_role("button", name="Walk by itself").click()
        assert view.page.locator(".lk-now").count() == 1
        view.page.locator(".lk-now").wait_for(state="detached", timeout=5000)
        view.page.get_by_role("button", name="Walk by itself").wait_for(timeout=5000)
        assert view.page.locator(".lk-unseen").count() == 0, "all of it is shown again"


def test_a_shared_namespace_is_one_band(browser: Any) -> None:
    with bare.drawn(browser, "namespaces", PICTURES["namespaces"][1]) as view:
        net = view.page.locator("tr", has=view.page.locator("[data-kind=net]"))
        assert net.locator("td").count() == 2 and net.locator("td[colspan='2']").inner_text().startswith("one's")
        mnt = view.page.locator("tr", has=view.page.locator("[data-kind=mnt]"))
        assert mnt.locator("td").count() == 3


def test_an_oom_kill_is_a_cross_on_the_line(browser: Any) -> None:
    on, killed = PICTURES["gauges"]
    with bare.drawn(browser, "gauges", on) as view:
        assert view.page.locator(".lk-paper-of .lk-cross").count() == 0
        assert "held back in 62%" in view.page.locator("[data-gauge=cpu]").inner_text()
        view.show(killed)
        assert view.page.locator("[data-gauge=memory] .lk-cross").count() == 1
        assert "OOM kill" in view.page.locator(".lk > .lk-voice").inner_text()


def test_requests_run_and_a_failed_one_ends_in_a_cross(browser: Any) -> None:
    up, down, replaced = PICTURES["services"]
    before = {**up, "services": [{**each, "requests": {**each["requests"], "round": 0}} for each in up["services"]]}
    with bare.drawn(browser, "services", before) as view:
        view.show(down)
        assert view.page.locator(".lk-runner").count() == 4
        assert view.page.locator(".lk-runner.lk-lost").count() == 1
        view.page.wait_for_timeout(1200)
        assert view.page.locator(".lk-runner").count() == 0
        assert "exited (137)" in view.page.locator("[data-service=auth]").inner_text()
        view.show(replaced)
        assert "a replacement" in view.page.locator("[data-service=auth]").inner_text()
        assert "auth has been replaced" in view.page.locator(".lk > .lk-voice").inner_text()


def test_a_short_start_can_be_seen_on_its_own_scale(browser: Any) -> None:
    with drawn(browser, "time_line") as view:
        width = "document.querySelector('.lk-phase').getBoundingClientRect().width"
        narrow = view.page.evaluate(width)
        view.page.get_by_role("button", name="each on its own scale").click()
        view.page.wait_for_timeout(600)
        assert view.page.evaluate(width) > 5 * narrow
        view.page.get_by_role("button", name="measure again").click()
        assert view.sent() == [{"kind": "again"}]


def test_the_stacks_grow_step_by_step(browser: Any) -> None:
    with bare.drawn(browser, "stacks", PICTURES["stacks"][0]) as view:
        shown = view.page.locator(".lk-level:not(.lk-unseen)")
        assert shown.count() == 10, "five blocks in each stack"
        view.page.get_by_role("button", name="One step on").click()
        assert shown.count() == 2, "the hardware of each"
        view.page.get_by_role("button", name="One step on").click()
        assert "hypervisor boots and claims" in view.page.locator(".lk-step").first.inner_text()
        view.page.locator(".lk-block").first.focus()
        view.page.keyboard.press("ArrowUp")
        view.page.keyboard.press("Enter")
        assert "one for all" in view.page.locator(".lk-details").inner_text()
        for _ in range(2):
            view.page.keyboard.press("Escape")
        assert shown.count() == 10 and view.page.locator(".lk-details").is_hidden()


def test_only_what_is_not_shared_is_there_again(browser: Any) -> None:
    with bare.drawn(browser, "stacks", PICTURES["stacks"][0]) as view:
        assert view.page.locator(".lk-twin").all_inner_texts() == [
            *("virtual hardware", "guest operating system", "app"),
            *("virtual operating system", "app"),
        ]
        view.page.get_by_role("button", name="1 of each").click()
        assert view.page.locator(".lk-twin").count() == 0
        view.page.keyboard.press("Tab")
        view.page.keyboard.press("Tab")
        view.page.keyboard.press("Enter")
        assert view.page.locator(".lk-twin").count() == 10, "three of each: two more"


def test_the_stacks_say_when_the_container_has_ended(browser: Any) -> None:
    first, ended = PICTURES["stacks"]
    with bare.drawn(browser, "stacks", first) as view:
        view.show(ended)
        assert "one is exited (137)" in view.page.locator(".lk > .lk-voice").inner_text()


# --- quick --------------------------------------------------------------------------------------------

FRAME = 1000 / 60  # milliseconds


def crowd(changed: int, processes: int) -> dict[str, dict[str, Any]]:
    """A stack with many changed paths, and a tree of many processes."""
    changes = tuple(observe.Change(f"/srv/data/{n:05}", "added") for n in range(changed))
    top = replace(pictures.ONE, changes=changes)
    stack = observe.Stack((pictures.BASE,), (top, pictures.TWO), "/etc/motd", {"sha256:i1": Origin("image", 1)})
    first, second, _ = pictures.FAMILY.processes
    many = tuple(replace(second, pid=1000 + n, pid_inside=10 + n) for n in range(processes))
    group = replace(pictures.FAMILY, processes=(first, *many))
    return {
        "layer_stack": layer_stack.picture_of(stack),
        "process_tree": process_tree.picture_of([pictures.ALONE, group], pictures.HOST),
    }


@pytest.mark.parametrize("name", ["layer_stack", "process_tree"])
def test_sixty_frames_a_second_with_200_processes_and_2000_paths(browser: Any, name: str) -> None:
    """One more path or process appears again and again: Python's message is drawn within a frame, most times."""
    steps = [crowd(2000 + n, 200 + n)[name] for n in range(12)]
    with bare.drawn(browser, name, steps[0], traits={"path": "/etc/motd"}) as view:
        view.page.wait_for_timeout(500)
        times = view.page.evaluate(
            """async (steps) => {
              const times = [];
              for (const picture of steps) {
                await new Promise(requestAnimationFrame);
                const began = performance.now();
                window.model.change("picture", picture);
                document.body.getBoundingClientRect();
                times.push(performance.now() - began);
                await new Promise((resolve) => setTimeout(resolve, 50));
              }
              return times.slice(1);
            }""",
            steps,
        )
        assert sorted(times)[len(times) // 2] < FRAME, times
