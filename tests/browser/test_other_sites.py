"""What a page of another site can do to somebody who is at this machine, in Chromium."""

import html

import httpx
import pytest
from browser.world import order_fault, visit
from loopback import Reply, serving

pytestmark = pytest.mark.browser

FORM = """<!doctype html><title>evil</title>
<form method="post" action="ACTION"><input name="token" value="TOKEN"><button>A prize</button></form>
"""
FRAME = """<!doctype html><title>evil</title><iframe src="ADDRESS"></iframe><p id="read"></p>
<script>fetch("ADDRESSapi/runs", {credentials: "include"}).then((one) => one.text())
.then((text) => read.textContent = text, () => read.textContent = "refused")</script>
"""


@pytest.fixture
def held(server, sandbox) -> str:
    order_fault(sandbox, "v1-message", cut="after_effect")
    visit(sandbox, visitor_email="dora@example.com")
    [run] = server.wait_for(lambda: httpx.get(f"{server.address}/api/runs?status=held").json()["runs"])
    return str(run["id"])


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"], ids=["same site, other port", "other site"])
def test_other_site_can_neither_change_nor_frame_nor_read(page, server, held, name):
    page.goto("/")
    token = httpx.get(f"{server.address}/api/token").json()["token"]  # even a site that knows it
    form = FORM.replace("ACTION", f"{server.address}/runs/{held}/retry").replace("TOKEN", html.escape(token))
    frame = FRAME.replace("ADDRESS", f"{server.address}/")
    with serving(
        lambda request: Reply((form if request.path == "/form" else frame).encode(), 200, {"Content-Type": "text/html"})
    ) as evil:
        other = page.context.browser.new_page(base_url=evil.url.replace("127.0.0.1", name))
        other.goto("/form")
        with other.expect_navigation() as moved:
            other.get_by_role("button", name="A prize").click()
        assert moved.value.status == 403
        assert "this change was asked for by another site" in other.content()
        other.goto("/frame")
        other.wait_for_function("read.textContent")
        assert other.locator("#read").text_content() == "refused"
        assert "to look at" not in "".join(one.content() for one in other.frames[1:])
    assert httpx.get(f"{server.address}/api/runs/{held}").json()["run"]["status"] == "held"
