"""A view's drawing alone in a page, without JupyterLab and without an engine: what it draws of a given picture.

Quick, so it is where each view is looked at in every dress (light, dark, forced colours, narrow) and measured. That
the drawing follows an engine is tested in JupyterLab itself.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labkit.views import base

ADDRESS = "http://view.test/"  # nobody is asked: the page is answered right here

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>One view</title>
<style>body {{ margin: 12px; background: var(--jp-layout-color0); }}
body[data-jp-theme-light="true"] {{ --jp-layout-color0: #fff; }}
body[data-jp-theme-light="false"] {{ --jp-layout-color0: #111; }}
{style}</style>
<body data-jp-theme-light="true"><main class="jp-OutputArea"><h1 hidden>One view</h1><div id="place"></div></main>
<script type="module">
import view from "./view.js";
const listeners = [];
window.sent = [];
window.model = {{
  traits: {{}},
  get(name) {{ return this.traits[name]; }},
  set(name, value) {{ this.traits[name] = value; }},
  save_changes() {{}},
  on(name, call) {{ listeners.push([name, call]); }},
  off(name, call) {{}},
  send(message) {{ window.sent.push(message); }},
  change(name, value) {{
    this.traits[name] = value;
    for (const [listened, call] of listeners) if (listened === `change:${{name}}`) call();
  }},
}};
window.begin = (traits) => {{
  window.model.traits = traits;
  return view.render({{ model: window.model, el: document.getElementById("place") }});
}};
window.ready = true;
</script>"""


@dataclass
class Bare:
    """One view in a page."""

    page: Any

    def show(self, picture: dict[str, Any]) -> None:
        """Change the picture, as Python does when the engine has changed."""
        self.page.evaluate("(picture) => window.model.change('picture', picture)", picture)

    def theme(self, name: str) -> None:
        light = "true" if name == "light" else "false"
        self.page.evaluate("(light) => document.body.setAttribute('data-jp-theme-light', light)", light)

    def width(self, pixels: int | None) -> None:
        """Make the view as wide as a small window would; None gives it all the room."""
        self.page.evaluate("(w) => (document.getElementById('place').style.width = w ? `${w}px` : '')", pixels)
        self.page.wait_for_timeout(100)

    @property
    def root(self) -> Any:
        return self.page.locator(".lk").first

    def sent(self) -> list[dict[str, Any]]:
        """What the drawing has told Python, but for being in sight."""
        return [message for message in self.page.evaluate("window.sent") if message["kind"] != "sight"]


@contextlib.contextmanager
def drawn(browser: Any, name: str, picture: dict[str, Any], **options: Any) -> Iterator[Bare]:
    """The view called `name` (its file's name), drawing `picture`. `options` go to the browser's context."""
    traits = options.pop("traits", {})
    context = browser.new_context(viewport={"width": 1000, "height": 900}, **options)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    answers = {
        ADDRESS: (PAGE.format(style=base.style(name)), "text/html"),
        f"{ADDRESS}view.js": (base.module(name), "text/javascript"),
    }
    page.route("**/*", lambda route: answer(route, answers))
    try:
        page.goto(ADDRESS)
        page.wait_for_function("window.ready")
        page.evaluate("(traits) => void window.begin(traits)", {**traits, "picture": picture})
        yield Bare(page)
        assert errors == []
    finally:
        context.close()


def answer(route: Any, answers: dict[str, tuple[str, str]]) -> None:
    body, kind = answers.get(route.request.url, ("", ""))
    if kind:
        route.fulfill(body=body, content_type=f"{kind}; charset=utf-8")
    else:
        route.fulfill(status=404)
