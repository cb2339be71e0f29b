"""The explorer as a user has it: a real JupyterLab, a real browser, cells run from the menu, controls moved."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest

from tests.reporting.test_explorer import write_run
from toolkit import paths
from toolkit.evaluation.exploring import ANALYSES

pytestmark = pytest.mark.slow
api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NOTEBOOK = "12_explore_tradeoffs.ipynb"
TOKEN = "of-one-test"
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def run(tmp_path_factory, synthetic):
    return write_run(tmp_path_factory.mktemp("run"), synthetic.sample(400, 0))


@pytest.fixture
def lab(tmp_path, run):
    """Address of a JupyterLab over a folder with a copy of the notebook, whose ``run`` is set; ended with the test."""
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    folder, log = tmp_path / "work", tmp_path / "server.log"
    folder.mkdir()
    notebook = nbformat.read(paths.notebooks_dir() / NOTEBOOK, as_version=4)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert 'run: str = ""' in cell.source
    cell.source = cell.source.replace('run: str = ""', f"run: str = {str(run)!r}")
    nbformat.write(notebook, folder / NOTEBOOK)
    port = _free_port()
    with log.open("w") as sink:
        server = subprocess.Popen(
            _command(port, folder), cwd=folder, env=_environment(tmp_path / "home"), stdout=sink, stderr=sink
        )
    try:
        _await(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", server, log)
        yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK}?token={TOKEN}"
    finally:
        server.terminate()  # it ends its kernels first
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _command(port: int, folder: Path) -> list[str]:
    settings = {
        "ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.port_retries": 0, "ServerApp.root_dir": folder,
        "ServerApp.open_browser": False, "ServerApp.allow_root": True, "IdentityProvider.token": TOKEN,
    }  # fmt: skip
    return [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in settings.items())]


def _environment(home: Path) -> dict[str, str]:
    """Settings of its own, so that neither the user's are read nor written; asking for news is one of them."""
    news = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}', encoding="utf-8")
    own = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    return os.environ | own | {"IPYTHONDIR": str(home / "ipython")}


def _await(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            assert server.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)


@pytest.fixture
def page(lab):
    """The notebook in the browser, every cell run."""
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 1300})
        page.set_default_timeout(PATIENCE_MS)
        api.expect.set_options(timeout=PATIENCE_MS)
        page.goto(lab)
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # earlier, JupyterLab asks which kernel to take
        page.locator(".lm-MenuBar-itemLabel").get_by_text("Run", exact=True).click()
        page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()
        page.locator(".explored tbody tr").first.wait_for()
        page.locator(".jp-OutputArea-output", has_text="scikit-learn").wait_for()  # of the last cell
        page.locator(".explored").scroll_into_view_if_needed()
        yield page
        browser.close()


class Shown:
    """What the explorer shows in the page, to be held against what it shows later."""

    def __init__(self, page: "api.Page"):
        self.table = page.locator(".explored")
        self.curve, self.split = page.locator("img.widget-image").nth(0), page.locator("img.widget-image").nth(1)
        self.rows = [row.split("\t") for row in self.table.locator("tbody").inner_text().splitlines()]
        self.text = self.table.inner_text()
        self.sources = self._sources()

    def _sources(self) -> list[str]:
        return [picture.get_attribute("src") for picture in (self.curve, self.split)]

    def has_changed(self) -> None:
        """Wait until table text, curve and split are others; a picture that was loaded anew has another source."""
        api.expect(self.table).not_to_have_text(self.text, use_inner_text=True)
        for picture, source in zip((self.curve, self.split), self.sources, strict=True):
            api.expect(picture).not_to_have_attribute("src", source)
            assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400


def test_controls_move_what_is_shown(page, run):
    from toolkit.reporting.explorer import Explorer

    here = Explorer(run)
    shown = Shown(page)
    assert [row[0] for row in shown.rows] == list(here.view.table.index)
    assert shown.rows[0][1:] == here.view.table.iloc[0].tolist(), "the page shows what Python has"

    page.locator("select[multiple]").select_option(label="length-rule")
    shown.has_changed()
    here.routers.value = ("length-rule",)
    shown = Shown(page)
    assert shown.rows[0] == ["length-rule", *here.view.table.iloc[0]]

    page.locator("select[multiple]").select_option(label=["knn-lexical", "prompt-length"])
    shown.has_changed()
    shown = Shown(page)
    page.locator("button.widget-toggle-button", has_text="Weight").click()
    shown.has_changed()

    shown = Shown(page)
    handle = page.locator(".widget-hslider:visible .noUi-handle")
    handle.focus()
    for _ in range(20):
        handle.press("ArrowRight")
    shown.has_changed()
    handle.press("End")
    api.expect(page.locator(".explored tbody tr").first.locator("td").last).to_have_text("0.00")
    here.routers.value, here.mode.value = ("knn-lexical", "prompt-length"), "weight"
    here.weight.value = 10**here.weight.max
    assert Shown(page).rows[0] == ["knn-lexical", *here.view.table.iloc[0]], "where only cost counts, the cheapest"

    page.locator(".widget-dropdown select", has_text="dollars").select_option(label=ANALYSES["pair"][0])
    api.expect(page.locator(".explored thead")).to_contain_text("strong calls")
    here.analysis.value = "pair"
    assert Shown(page).rows[0] == [here.routers.value[0], *here.view.table.iloc[0]], "a view starts where Python has it"
    for failed in ("error", "stderr"):
        assert page.locator(f'[data-mime-type="application/vnd.jupyter.{failed}"]').count() == 0
