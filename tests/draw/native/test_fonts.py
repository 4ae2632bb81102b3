"""The fonts' configuration: what it says, and that it's gone afterwards."""

import importlib.util
import os
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from autograd_lab.draw.native.fonts import font_folder, fonts_at_hand
from autograd_lab.errors import RenderError
from autograd_lab.hold import Hold


def test_the_folder_holds_the_faces_that_pictures_use():
    faces = {path.name for path in font_folder().iterdir()}
    assert faces >= {"DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono.ttf"}


def test_the_configuration_names_that_folder_and_no_other():
    with Hold() as held:
        variables = fonts_at_hand(held)
        root = ElementTree.parse(variables["FONTCONFIG_FILE"]).getroot()
    assert [found.text for found in root.findall("dir")] == [str(font_folder())]
    assert root.findall("include") == []


def test_a_folder_with_odd_characters_in_its_name_is_written_right(tmp_path, monkeypatch):
    odd = tmp_path / "a & b <c>"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    with Hold() as held:
        variables = fonts_at_hand(held)
        root = ElementTree.parse(variables["FONTCONFIG_FILE"]).getroot()
        assert Path(root.findtext("cachedir") or "").parent.parent == odd


def test_nothing_outlives_the_block(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = dict(os.environ)
    with Hold() as held:
        variables = fonts_at_hand(held)
        assert Path(variables["FONTCONFIG_FILE"]).is_relative_to(tmp_path)
        assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []


def test_nothing_outlives_a_block_that_raised(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def drawing():
        with Hold() as held:
            fonts_at_hand(held)
            assert list(tmp_path.iterdir())
            raise KeyError

    with pytest.raises(KeyError):
        drawing()
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RenderError, match="pip install matplotlib"):
        font_folder()


def test_without_a_temporary_folder_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with Hold() as held, pytest.raises(RenderError, match="TMPDIR"):
        fonts_at_hand(held)
