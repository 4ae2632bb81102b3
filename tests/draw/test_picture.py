"""What the writers may rely on: clean text."""

from hypothesis import given, strategies as st

from autograd_lab.draw.picture import clean

ALLOWED = (
    [0x0A], range(0x20, 0x7F), range(0xA0, 0xD800), range(0xE000, 0xFFFE), range(0x10000, 0x110000),
)  # fmt: skip


@given(st.text(st.characters(), max_size=50))
def test_cleaned_text_can_stand_in_xml_and_in_utf8(text):
    cleaned = clean(text)
    assert [
        hex(ord(character)) for character in cleaned if not any(ord(character) in some for some in ALLOWED)
    ] == []
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned


@given(st.text(st.characters(), max_size=50))
def test_cleaning_twice_is_cleaning_once(text):
    assert clean(clean(text)) == clean(text)


def test_ordinary_text_is_left_alone():
    text = "ŷ = w·x − ∂loss/∂w 'quoted' \\N <b> é 漢 👍"
    assert clean(text) is text


def test_each_kind_of_line_end_becomes_a_newline():
    assert clean("a\r\nb\rc\nd\x85e\u2028f\u2029g") == "a\nb\nc\nd\ne\nf\ng"


def test_what_cannot_be_shown_is_made_visible():
    assert clean("\x00\t\x1b\x7f\ud800\ufffe\x9b\u202e") == r"\x00\t\x1b\x7f\ud800\ufffe\x9b\u202e"
