"""Every page in a browser: what it shows, by keyboard, on a phone, in the dark, offline, and to a screen reader."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from api_process import free_port, process
from browsing import browser
from served_world import NOW, World
from touchline.accounts import keys
from touchline.database.engine import connect, scalar
from touchline.settings import Access

pytestmark = pytest.mark.slow

# A page, and what can be read on it.
PAGES = {
    "/": ["Upcoming matches", "What moved since yesterday", "Without a prediction", "Track record"],
    "/?competition=E0&team=Leeds&from=2022-11-02": ["Leeds v Arsenal", "Show all"],
    "/?to=2022-11-01": ["No prediction of a match ahead"],
    "/matches/{priced}": ["How it moved", "Scorelines", "Where the forecast came from"],
    "/matches/{unpriced}": ["No price of this match result is known"],
    "/matches/{played}": ["log loss 1.204", "Form"],
    "/competitions/E0": ["Upcoming matches", "Table"],
    "/teams/{team}": ["Elo", "Matches ahead", "Form"],
    "/track-record": ["By month", "By competition"],
    "/data": ["Sources", "What could not be used"],
    "/models": ["Versions", "Champions", "Card"],
    "/sign-in": ["Your key"],
}
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
# What the keyboard gets to, in its order.
FOCUSABLE = "a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']"
IN_SIGHT = """() => {
    const it = document.activeElement, style = getComputedStyle(it), place = it.getBoundingClientRect()
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 && place.width > 0
        && place.right > 0 && place.left < innerWidth && place.bottom > 0 && place.top < innerHeight
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


# After the browser, so that nothing is built where there is none.
@pytest.fixture(scope="module")
def address(chromium: Browser, module_world: World) -> Iterator[str]:
    given = module_world.settings.model_copy(update={"as_of": NOW, "access": Access(anonymous=True)})
    port = free_port()
    command = [sys.executable, "-m", "touchline.serving", "--port", str(port)]
    with process(command, given, f"http://127.0.0.1:{port}"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(params=PAGES)
def path(request: pytest.FixtureRequest, module_world: World) -> str:
    world = module_world
    with connect(world.settings, "api") as connection:
        team = scalar(connection, "select home_team_id from core.match where match_id = %s", (world.priced,))
    return str(request.param).format(
        priced=world.priced, unpriced=world.unpriced, played=world.played, team=team
    )


@contextmanager
def opened(chromium: Browser, address: str, size: str = "desktop", scheme: str = "light") -> Iterator[Page]:
    """A page at an address; in the end it has asked nobody else for anything, and nothing on it was refused."""
    width, height = SIZES[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page, asked, told = context.new_page(), [], []
    # Machines that run tests do other things, too.
    page.set_default_timeout(120_000)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: message.type == "error" and told.append(message.text))
    page.goto(address)
    yield page
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}
    assert told == []
    context.close()


def test_a_page_shows_what_it_has_without_scripts(
    chromium: Browser, address: str, path: str, request: pytest.FixtureRequest
):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    reply = page.goto(f"{address}{path}")
    assert reply is not None
    assert reply.status == 200
    text = page.locator("body").inner_text()
    for each in PAGES[request.node.callspec.params["path"]]:
        assert each.lower() in text.lower()
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("main").count() == 1
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_page_is_accessible_and_fits(chromium: Browser, address: str, path: str, size: str, scheme: str):
    with opened(chromium, f"{address}{path}", size, scheme) as page:
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, "nothing is beside the screen"
        # What is folded up is looked at, too.
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = Axe().run(page).response["violations"]
        grave = {
            each["id"]: [node["html"][:200] for node in each["nodes"]]
            for each in found
            if each["impact"] in ("serious", "critical")
        }
        assert grave == {}
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor").startswith("rgb(15,")
        assert dark is (scheme == "dark")


def test_a_page_can_be_walked_by_keyboard(chromium: Browser, address: str, path: str):
    with opened(chromium, f"{address}{path}") as page:
        expected = page.locator(FOCUSABLE).evaluate_all(
            "all => all.filter(each => each.checkVisibility()).map(each => each.outerHTML)"
        )
        walked: list[str] = []
        while len(walked) < 4 * len(expected):
            page.keyboard.press("Tab")
            now = page.evaluate("document.activeElement.outerHTML")
            if page.evaluate("document.activeElement === document.body"):
                break
            assert page.evaluate(IN_SIGHT), now
            # A date has several parts.
            if not now.startswith('<input type="date"') or walked[-1] != now:
                walked.append(now)
        assert walked == expected
        assert "Skip to the content" in walked[0]
        # After the links of the heading, if it has any.
        assert any(each.endswith(">Board</a>") for each in walked[1:4])


def test_the_skip_link_leads_past_the_navigation(chromium: Browser, address: str):
    with opened(chromium, address) as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


def test_the_filters_work_by_keyboard_and_stay_in_the_address(chromium: Browser, address: str):
    with opened(chromium, address) as page:
        page.get_by_label("Competition").focus()
        page.keyboard.press("ArrowDown")
        page.get_by_label("Team").focus()
        page.keyboard.type("Leeds")
        page.get_by_label("From").fill("2022-11-02")
        with page.expect_navigation():
            page.get_by_label("From").press("Enter")
        asked = parse_qs(urlsplit(page.url).query)
        assert (asked["competition"], asked["from"], "to" in asked) == (["E0"], ["2022-11-02"], False)
        assert page.get_by_label("Team").locator("option:checked").inner_text() == "Leeds"
        assert page.locator(".match").count() == 1
        assert page.get_by_label("From").input_value() == "2022-11-02"
        page.get_by_role("link", name="Show all").click()
        assert page.locator(".match").count() == 2


def test_a_browser_signs_in_and_out(chromium: Browser, address: str, module_world: World):
    at = datetime.now(UTC)
    with connect(module_world.settings, "owner") as connection:
        key = keys.create(connection, "somebody", ["read", "profile"], at, at + timedelta(days=1))
    with opened(chromium, f"{address}/sign-in") as page:
        page.get_by_label("Your key").fill(key.key)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/")
        assert page.get_by_text(key.prefix).is_visible()
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{address}/")
        assert page.context.cookies() == []
