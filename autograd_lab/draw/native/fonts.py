"""The fonts that Graphviz measures and draws with: the same ones on every machine.

Graphviz asks fontconfig for its fonts, and on a machine without any it writes rows of empty boxes into PNG and
PDF. So the lab gives fontconfig a small configuration that names one folder and nothing else: the DejaVu fonts in
matplotlib's wheel. Text then has the same width, and so a picture the same layout, on every machine.

Relies on matplotlib keeping its fonts in ``mpl-data/fonts/ttf`` (matplotlib itself is never imported), and on
fontconfig reading the file that ``FONTCONFIG_FILE`` names. Graphviz on macOS draws with the system's own
fonts, and there the configuration changes nothing.

Promises that nothing outlives the `Hold`, interrupted or not, neither a file nor an environment variable (the
variables are handed out, for a child process; this process's own are never touched). DejaVu has Latin, Greek, Cyrillic
and the mathematical signs, but no Chinese, Japanese or Korean: in PNG and PDF such characters come out as boxes that
hold their code. SVG keeps them as text, and the browser that shows it finds a font.
"""

import importlib.util
import secrets
import shutil
import tempfile
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

from autograd_lab.errors import RenderError
from autograd_lab.hold import Hold

# Only DejaVu is let through: that folder also holds mathematical fonts, which would otherwise be chosen for "Times",
# and a last-resort font with a glyph for everything, which hides that a character has no glyph.
_CONFIGURATION = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <selectfont>
    <rejectfont><glob>*</glob></rejectfont>
    <acceptfont><glob>*/DejaVu*</glob></acceptfont>
  </selectfont>
  <alias binding="same"><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <alias binding="same"><family>Courier</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <match target="pattern">
    <edit name="family" mode="append_last"><string>DejaVu Sans</string></edit>
  </match>
</fontconfig>
"""


def font_folder() -> Path:
    """Finds the folder with the DejaVu fonts, without importing what brings it.

    Returns:
        The folder of TrueType fonts in matplotlib's wheel.

    Raises:
        RenderError: matplotlib isn't installed, or has no fonts where they are looked for.

    Example:
        >>> (font_folder() / "DejaVuSans.ttf").is_file()
        True
    """
    found = importlib.util.find_spec("matplotlib")
    for place in (found.submodule_search_locations or []) if found else []:
        folder = Path(place) / "mpl-data" / "fonts" / "ttf"
        if (folder / "DejaVuSans.ttf").is_file():
            return folder
    raise RenderError(
        "no fonts for the picture: the DejaVu fonts come with matplotlib; pip install matplotlib"
    )


def fonts_at_hand(held: Hold) -> dict[str, str]:
    """Writes a fontconfig configuration that knows the lab's fonts only, and takes it away again.

    The configuration and fontconfig's own cache live in a folder of this call's own. Reading the fonts anew each time
    costs about 0.03 s, and in exchange no two processes ever share a half-written cache.

    Args:
        held: For how long.

    Returns:
        The environment variables to give to the process that runs Graphviz.

    Raises:
        RenderError: There's no font to offer, or no temporary folder can be written.

    Example:
        >>> with Hold() as held:
        ...     variables = fonts_at_hand(held)
        ...     Path(variables["FONTCONFIG_FILE"]).is_file()
        True
        >>> Path(variables["FONTCONFIG_FILE"]).exists()
        False
    """
    fonts = font_folder()
    try:
        folder = Path(tempfile.gettempdir()) / f"autograd_lab_fonts_{secrets.token_hex(8)}"
        held.add(partial(shutil.rmtree, folder, ignore_errors=True))
        folder.mkdir(0o700)
        configuration = folder / "fonts.conf"
        text = _CONFIGURATION.format(fonts=escape(str(fonts)), cache=escape(str(folder / "cache")))
        configuration.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RenderError(
            f"no temporary folder for the fonts' configuration ({error}); set TMPDIR"
        ) from error
    return {"FONTCONFIG_FILE": str(configuration), "FONTCONFIG_PATH": str(folder)}
