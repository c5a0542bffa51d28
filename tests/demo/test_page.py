"""The page in a real browser: one draws, and the networks read it."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from pipeline.demo.networks import SHOWN
from tests import browser, trained
from tests.demo import runs
from tests.demo.drawing import DIGITS, draw
from tests.loopback import free_port

NOTHING = ["?", "?", "?"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network that can read, under the names of all three: what each says is the server's test."""
    folder = trained.train(tmp_path_factory.mktemp("demo"))
    for run in SHOWN:
        if run != trained.RUN:
            shutil.copytree(folder / "results/runs" / trained.RUN, folder / "results/runs" / run)
    return folder


@pytest.fixture(scope="module")
def chromium():
    with browser.context(viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.fixture(scope="module")
def address(chromium, folder, port):  # without a browser nothing is trained
    with runs.serving(folder, port):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def page(chromium, address):
    """The page, ready; it may neither ask for anything elsewhere nor complain."""
    page = chromium.new_page()
    asked, faults = browser.foreign_requests(page), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    page.goto(address)
    page.locator("body[data-ready]").wait_for()
    yield page
    page.close()
    assert asked == []
    assert faults == []


def expect_read(page, digits):
    """Wait until each network reads so."""
    expect(page.locator(".digit")).to_have_text(digits)


def test_before_anything_is_drawn_nothing_is_read(page):
    expect_read(page, NOTHING)
    expect(page.locator("#fired")).to_have_text("All 100 are silent.")
    expect(page.get_by_text("Draw here")).to_be_visible()


def test_each_digit_drawn_by_mouse_is_read_and_said(page):
    for digit, strokes in DIGITS.items():
        page.get_by_role("button", name="Clear").click()
        draw(page, strokes)
        expect_read(page, [str(digit)] * 3)
    expect(page.get_by_text("Draw here")).to_be_hidden()
    expect(page.locator("#spoken")).to_have_text(re.compile("By hand: 9, .*%. By autograd: 9, .*%."))


def test_the_bars_are_the_probabilities(page):
    with page.expect_response("**/predict") as caught:
        draw(page, [[(0.5, 0.2)]])  # a dot is one request
    answer = caught.value.json()["networks"][1]
    bars = page.locator(f"[data-run={answer['run']}] .bar")
    expect(page.locator(".digit").nth(1)).to_have_text(str(answer["digit"]))
    shares = bars.evaluate_all("bars => bars.map(bar => +bar.style.getPropertyValue('--share'))")
    assert shares == answer["probabilities"]


def test_clear_forgets_the_drawing(page):
    draw(page, DIGITS[7])
    expect_read(page, ["7"] * 3)
    page.get_by_role("button", name="Clear").click()
    expect_read(page, NOTHING)
    draw(page, DIGITS[1])
    expect_read(page, ["1"] * 3)


def test_each_example_is_read_as_what_it_is(page):
    for digit in range(10):
        page.get_by_role("button", name=f"Example of a {digit}").click()
        expect_read(page, [str(digit)] * 3)


def test_hidden_units_fire_and_show_their_weights(page):
    draw(page, DIGITS[0])
    expect(page.locator("#fired")).to_have_text(re.compile(r"^[1-9]\d? of 100 fire"))
    expect(page.locator("#unit")).to_have_text(re.compile(r"^Unit \d+$"))  # the strongest
    grid = page.get_by_label("Hidden units.")
    box = grid.bounding_box()
    at = {name: {"x": box["width"] * (x + 0.5) / 10, "y": 5} for name, x in (("third", 2), ("fifth", 4))}
    grid.hover(position=at["third"])
    expect(page.locator("#unit")).to_have_text("Unit 3")
    pictures = [page.locator("#weights").screenshot()]
    grid.click(position=at["fifth"])
    page.mouse.move(0, 0)
    expect(page.locator("#unit")).to_have_text("Unit 5")
    pictures.append(page.locator("#weights").screenshot())
    assert pictures[0] != pictures[1]


def test_the_keyboard_draws_chooses_a_unit_and_clears(page):
    pad = page.get_by_label("Drawing area")
    page.keyboard.press("Tab")
    expect(pad).to_be_focused()
    page.keyboard.press("Space")
    for _ in range(14):
        page.keyboard.press("ArrowDown")
    expect_read(page, ["1"] * 3)
    page.get_by_label("Hidden units.").focus()
    before = page.locator("#unit").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#unit")).not_to_have_text(before)
    pad.focus()
    page.keyboard.press("Escape")
    expect_read(page, NOTHING)


def test_a_phone_shows_all_of_it_without_scrolling_sideways(page):
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_server_that_is_gone_is_told(chromium, folder):
    port = free_port()
    page = chromium.new_page()
    with runs.serving(folder, port):
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("body[data-ready]").wait_for()
    draw(page, DIGITS[1])
    expect(page.get_by_role("alert")).to_contain_text("make demo")
    page.close()
