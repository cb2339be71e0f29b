"""A page as PDF, through a Chromium that is there."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from toolkit.figures.decision import reads_chinese

VARIABLE = "TOOLKIT_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LIMIT_S = 120


def chromium() -> str:
    """Path of a Chromium: that of ``TOOLKIT_CHROMIUM``, else one on the path; "" where there is none."""
    chosen = os.environ.get(VARIABLE)
    return next((found for name in ([chosen] if chosen else _NAMES) if (found := shutil.which(name))), "")


def lacks(language: str) -> str:
    """Why a page of that language could not be read in print, in one line; "" where it could."""
    if language == "zh" and not reads_chinese():
        return "no font for Chinese was found, and all of it would be boxes; install one, such as fonts-noto-cjk"
    return ""


def to_pdf(page: Path, target: Path) -> str:
    """Print an HTML file.

    Returns:
        "" when it is there, else why it is not, in one line; a report never fails for want of a PDF.
    """
    browser = chromium()
    if not browser:
        return f"no Chromium was found on the path or in {VARIABLE}"
    with tempfile.TemporaryDirectory(prefix="toolkit-chromium-") as profile:
        made = Path(profile) / "page.pdf"
        command = [browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={profile}"]
        command += ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []  # it refuses to run as root
        try:
            done = subprocess.run(
                [*command, f"--print-to-pdf={made}", page.resolve().as_uri()], capture_output=True, timeout=_LIMIT_S
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            return f"{browser} failed ({type(err).__name__})"
        if done.returncode or not made.is_file():
            return f"{browser} ended with status {done.returncode} and no page"
        shutil.move(made, target)
    return ""
