"""The page by keyboard alone, for those who see little, and for those whom motion disturbs."""

from __future__ import annotations

from pathlib import Path

import page_records
import pytest

pytestmark = pytest.mark.browser

CONTRAST = (Path(__file__).parent.parent / "support" / "contrast.js").read_text()


@pytest.fixture(params=["light", "dark"])
def settings(request):
    return {"color_scheme": request.param}


@pytest.mark.parametrize("colour", ["kind", "norm", "dtype", "module"])
def test_every_text_can_be_read(opened, colour):
    """4.5 to 1, as the Web Content Accessibility Guidelines ask."""
    page = opened(page_records.net(), address="#node=0")
    page.wait_for_selector(".item.selected")
    page.select_option("#colour", colour)
    page.dispatch_event(".item.kind-repeats", "dblclick")
    page.wait_for_selector(".drawing:not(.moving)")
    assert page.evaluate(CONTRAST) == []


def test_what_is_worth_a_look_can_be_read(opened):
    page = opened(page_records.troubled())
    assert page.evaluate(CONTRAST) == []


def test_the_button_goes_through_light_and_dark(opened, settings):
    page = opened(page_records.net())
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 24, 31)"
    button = page.locator(".bar .buttons button >> nth=1")
    assert page.evaluate(paper) == (dark if settings["color_scheme"] == "dark" else light)
    button.click()
    assert page.evaluate(paper) == light
    button.click()
    assert page.evaluate(paper) == dark
    button.click()
    assert page.evaluate(paper) == (dark if settings["color_scheme"] == "dark" else light)


class TestKeyboard:
    """Once, not in both themes."""

    @pytest.fixture
    def settings(self):
        return {}

    def focused(self, page):
        return page.evaluate("document.activeElement.dataset.key ?? null")

    def test_boxes_are_met_opened_and_selected_by_keys_alone(self, opened):
        page = opened(page_records.net())
        page.locator(".drawing").focus()
        page.keyboard.press("Tab")
        assert self.focused(page) == "r0"
        met = []
        for _ in range(12):
            page.keyboard.press("Shift+ArrowDown")
            met.append(self.focused(page))
        boxes = [key for key in met if key and key[0] == "b"]
        assert len(set(met)) > 5
        assert boxes
        kind = page.get_attribute(f"[data-key={boxes[0]}]", "aria-expanded")
        page.locator(f"[data-key={boxes[0]}]").focus()
        page.keyboard.press("Enter")
        assert self.focused(page) == boxes[0], "the focus stays on what was opened or closed"
        assert page.get_attribute(f"[data-key={boxes[0]}]", "aria-expanded") != kind
        page.keyboard.press(" ")
        assert page.evaluate("location.hash") == f"#box={boxes[0][1:]}"
        page.keyboard.press("Escape")
        assert page.locator(".selected").count() == 0

    def test_the_focus_the_selection_and_the_card_agree(self, opened):
        page = opened(page_records.net())
        page.keyboard.press("/")
        page.keyboard.type("head.weight")
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.dataset.key?.startsWith('n')")
        assert f"#node={self.focused(page)[1:]}" == page.evaluate("location.hash")
        page.keyboard.press("Shift+ArrowUp")
        met = self.focused(page)
        assert page.evaluate("location.hash") == f"#{'node' if met[0] == 'n' else 'box'}={met[1:]}"
        page.keyboard.press("/")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.classList.contains('drawing')")

    @pytest.mark.parametrize("focus", [".drawing", ".item", "#card", ".play-scrubber", ".zoom button"])
    def test_each_key_of_the_player_does_what_its_button_says(self, opened, focus):
        page = opened(page_records.net())
        page.locator(focus).first.focus()
        said = {
            name: page.get_attribute(f".play-button.{name}", "title").rpartition("(")[2].rstrip(")")
            for name in ("play", "forward", "back")
        }
        listed = page.inner_text("#card .keys dl").split()
        assert set(said.values()) <= set(listed)
        for name, value in (("forward", "1"), ("forward", "2"), ("back", "1")):
            page.keyboard.press(said[name])
            assert page.input_value(".play-scrubber") == value
        page.keyboard.press(said["play"])
        assert page.get_attribute(".play-button.play", "aria-label") == "Pause"

    def test_arrows_move_plus_and_minus_zoom_and_0_shows_all(self, opened):
        page = opened(page_records.net())
        page.locator(".drawing").focus()
        view = "document.querySelector('.world').style.transform"
        first = page.evaluate(view)
        page.keyboard.press("ArrowDown")
        moved = page.evaluate(view)
        page.keyboard.press("+")
        zoomed = page.evaluate(view)
        page.keyboard.press("-")
        page.keyboard.press("0")
        page.wait_for_selector(".drawing:not(.moving)")
        assert len({first, moved, zoomed}) == 3
        stage = "document.querySelector('.drawing').getBoundingClientRect()"
        assert page.evaluate(
            f"[...document.querySelectorAll('.item .body')].every((item) => {{ const at = item.getBoundingClientRect();"
            f" return at.top >= {stage}.top && at.bottom <= {stage}.bottom; }})"
        )

    def test_all_that_can_be_pressed_has_a_name(self, opened):
        page = opened(page_records.net(), address="#node=2")
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, input, select, [role=button], [tabindex]')].filter((each) =>"
            " !(each.ariaLabel || each.textContent.trim() || each.labels?.length)).map((each) => each.outerHTML)"
        )
        assert nameless == []

    def test_the_wheel_and_dragging_move_and_control_and_the_wheel_zoom(self, opened):
        page = opened(page_records.net())
        view = "document.querySelector('.world').style.transform"
        scale = "new DOMMatrix(getComputedStyle(document.querySelector('.world')).transform).a"
        page.mouse.move(300, 300)
        views, scales = [page.evaluate(view)], [page.evaluate(scale)]
        page.mouse.wheel(0, 50)
        page.wait_for_timeout(50)
        views.append(page.evaluate(view))
        scales.append(page.evaluate(scale))
        page.mouse.down()
        page.mouse.move(360, 340)
        page.mouse.up()
        views.append(page.evaluate(view))
        page.keyboard.down("Control")
        page.mouse.wheel(0, -50)
        page.keyboard.up("Control")
        page.wait_for_timeout(50)
        views.append(page.evaluate(view))
        scales.append(page.evaluate(scale))
        assert len(set(views)) == 4
        assert scales[0] == scales[1] < scales[2]
        assert page.locator(".selected").count() == 0, "dragging isn't clicking"


class TestMotion:
    """Whoever asks for less motion gets none."""

    @pytest.fixture(params=["reduce", "no-preference"])
    def settings(self, request):
        return {"reduced_motion": request.param}

    def test_nothing_moves_where_motion_is_reduced(self, opened, settings):
        page = opened(page_records.net())
        page.evaluate("document.querySelector('.drawing').classList.add('moving')")
        durations = page.evaluate(
            "[...document.querySelectorAll('.world, .item, .way')].map((each) =>"
            " Math.max(...getComputedStyle(each).transitionDuration.split(',').map(parseFloat)))"
        )
        assert (max(durations) == 0) == (settings["reduced_motion"] == "reduce")
