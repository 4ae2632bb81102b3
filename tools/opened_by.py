"""Opens what the lab writes for Model Explorer and TensorBoard in these tools, in a browser, and takes their pictures.

Outside CI: it needs the tools, Playwright and a Chromium. Run it after a change of these writers, where the lab is
installed:

    pip install ai-edge-model-explorer==0.1.34 tensorboard==2.21.0 playwright
    python tools/opened_by.py

Each tool opens a training's backwards and a graph full of names that are hostile to it. The script fails if one of them
says an error or shows another number of nodes than the graph has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import autograd_lab as lab

PICTURES = Path(__file__).parent.parent / "docs" / "_static"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SIZE = {"width": 1200, "height": 720}
SECONDS = 60

META = lab.TensorMeta((2, 3), "float32", "cpu")
HOSTILE = (
    "a/b", "a／b", "a;b", "a\\", "a:1", "^a", "", " ", '"', "'", "}", "{", "<b>", "&amp;", "#", "[0]", "漢字",
    "constructor", "__proto__", "toString", "const", "Const", "length", "___group___", "section_1_of_2", "\u202e",
    "a" * 300,
)  # fmt: skip


class Block(torch.nn.Module):
    """A residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up, self.down = torch.nn.Linear(width, 2 * width), torch.nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns what the next block gets."""
        return x + self.down(torch.tanh(self.up(x)))


def training(steps: int = 40) -> Sequence[lab.Trace]:
    """Returns the backwards of a small training."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), Block(8), Block(8), torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x = torch.randn(32, 4)
    with lab.watch(model, keep="all") as watcher:
        for _ in range(steps):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True)).backward()
            optimizer.step()
    return [without_folders(trace) for trace in watcher.traces]


def without_folders(trace: lab.Trace) -> lab.Trace:
    """Returns a trace as of a script in the folder at hand: pictures of it are published."""

    def moved(source: lab.Source | None) -> lab.Source | None:
        return None if source is None else source._replace(file="train.py")

    nodes = tuple(node._replace(source=moved(node.source)) for node in trace.graph.nodes)
    graph = dataclasses.replace(trace.graph, nodes=nodes)
    return dataclasses.replace(trace, graph=graph, started=moved(trace.started))


def hostile() -> lab.Graph:
    """Returns a graph in which modules, operations and leaves have each of the hostile names."""
    count = len(HOSTILE)
    nodes = [
        lab.Node(
            index, "ConstantPadNdBackward0" if index % 5 == 0 else name or "X", "op", 99 - index, (META,),
            (lab.Edge(index + 1, 0), lab.Edge(count + index, 0)), (lab.Saved(name, META),), module=f"net.{name}",
        )
        for index, name in enumerate(HOSTILE)
    ]  # fmt: skip
    nodes[-1] = nodes[-1]._replace(next=(lab.Edge(2 * count - 1, 0),))
    leaves = [
        lab.Node(
            count + index, "AccumulateGrad", "accumulate", 2**64 - 1, (META,), variable=f"net.{name}.{name}"
        )
        for index, name in enumerate(HOSTILE)
    ]
    return lab.Graph((*nodes, *leaves), (lab.Edge(0, 0),))


# --- a browser and a server ----------------------------------------------------------


@contextlib.contextmanager
def served(*command: str, port: int, folder: Path, path: str = "", says: str = "") -> Iterator[None]:
    """Runs a tool's server in a folder; begins once what it answers at a path says something."""
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            until = time.monotonic() + SECONDS
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
                        if says in answer.read().decode():
                            break
                except OSError:
                    if running.poll() is not None:
                        raise
                if time.monotonic() > until:
                    raise TimeoutError(f"{command[0]} never said {says!r}")
                time.sleep(0.2)
            yield
        finally:
            running.terminate()


def free_port() -> int:
    """Returns a port on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def page_of(address: str) -> Iterator[Any]:
    """Opens a page; fails at its end if it said an error."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)))
    errors: list[str] = []
    with sync_playwright() as playwright:
        # Model Explorer draws by WebGL, here without a graphics card
        args = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--ignore-gpu-blocklist"]
        browser = playwright.chromium.launch(executable_path=program, args=args)
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(SECONDS * 1000)
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        yield page
        browser.close()
    found = [
        error for error in errors if "Failed to load resource" not in error
    ]  # its fonts and news, from outside
    assert not found, found


def picture(page: Any, name: str) -> None:
    """Keeps what is seen, in few colours."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(64)
    image.save(PICTURES / name, optimize=True)
    print(f"wrote {name}: {(PICTURES / name).stat().st_size // 1024} KiB")


# --- Model Explorer ------------------------------------------------------------------


def model_explorer(folder: Path) -> None:
    """Opens graphs in Model Explorer."""
    traces = training()
    node_data = [lab.render(traces[::10], folder / f"{heat}.nd.json", heat=heat) for heat in ("time", "norm")]
    count = len(traces[0].graph)
    open_in_model_explorer(
        lab.render(traces[::10], folder / "training.me.json"), node_data, count, "model-explorer.png"
    )
    graph = hostile()
    open_in_model_explorer(lab.render(graph, folder / "hostile.me.json"), [], len(graph), None)


def open_in_model_explorer(path: Any, node_data: Sequence[Any], count: int, name: str | None) -> None:
    """Opens one collection."""
    from model_explorer.config import ModelExplorerConfig

    config = ModelExplorerConfig().add_model_from_path(str(path))
    for each in node_data:
        config.add_node_data_from_path(str(each))
    port = free_port()
    program = str(Path(sys.executable).parent / "model-explorer")
    with (
        served(
            program,
            "--no_open_in_browser",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            port=port,
            folder=Path(path).parent,
        ),
        page_of(f"http://127.0.0.1:{port}/?data={config.to_url_param_value()}") as page,
    ):
        page.wait_for_function("() => document.body.innerText.includes('op node count')")
        found = page.inner_text("body").split("op node count")[1].split()[0]
        assert found == str(count), f"Model Explorer shows {found} nodes of {count}"
        page.wait_for_timeout(1500)
        print(f"Model Explorer: {count} nodes of {Path(path).name}")
        if name is None:
            page.click("mat-icon:has-text('unfold_more_double')")  # every layer, so that each name is drawn
            page.wait_for_timeout(4000)
            return
        page.get_by_text("2.down.weight", exact=True).click()  # in the list of nodes
        page.wait_for_timeout(4000)
        picture(page, name)


# --- TensorBoard ---------------------------------------------------------------------

NAMES = """() => {
  const under = (root) => [...root.querySelectorAll("*")].flatMap(
    (each) => [each, ...(each.shadowRoot ? under(each.shadowRoot) : [])]);
  const found = under(document).find((each) => each.graphHierarchy);
  if (!found) return null;
  const nodes = Object.values(found.graphHierarchy.getNodeMap());
  return nodes.filter((each) => !each.isGroupNode).map((each) => each.name);
}"""
"""The operations that the plugin for graphs knows."""


def tensorboard(folder: Path) -> None:
    """Opens graphs and curves in TensorBoard."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    traces, graph = training(), hostile()
    for run, record in (("training", traces), ("hostile", graph)):
        with SummaryWriter(str(folder / "runs" / run)) as writer:
            lab.to_tensorboard(record, writer)
    written = EventAccumulator(str(folder / "runs" / "training"))
    written.Reload()
    assert len(written.Graph().node) == len(traces[0].graph)
    assert [event.step for event in written.Scalars("backward norm/all")] == list(range(len(traces)))
    assert "backward gradient/1.up.weight" in written.Tags()["histograms"]
    for run, count, name in (
        ("training", len(traces[0].graph), "tensorboard-graph.png"),
        ("hostile", len(graph), None),
    ):
        port = free_port()
        with (
            served(
                *(sys.executable, "-m", "tensorboard.main", "--logdir", f"runs/{run}", "--port", str(port)),
                port=port,
                folder=folder,
                path="data/plugin/graphs/info",
                says='"run_graph": true',
            ),
            page_of(f"http://127.0.0.1:{port}/#graphs") as page,
        ):
            page.wait_for_function(NAMES)
            page.wait_for_timeout(2000)
            found = page.evaluate(NAMES)
            assert len(set(found)) == count, f"TensorBoard shows {len(set(found))} nodes of {count}"
            print(f"TensorBoard: {count} nodes of {run}")
            if name is not None:
                page.locator("text.nodelabel", has_text="2").first.dblclick(force=True)  # opens that module
                page.wait_for_timeout(3000)
                picture(page, name)
                page.goto(f"http://127.0.0.1:{port}/?darkMode=false#scalars")
                page.reload()
                page.wait_for_timeout(6000)
                picture(page, "tensorboard-norms.png")


def main() -> None:
    """Opens each."""
    with tempfile.TemporaryDirectory() as folder:
        for tool in (model_explorer, tensorboard):
            if len(sys.argv) < 2 or tool.__name__ in sys.argv[1:]:
                tool(Path(folder))


if __name__ == "__main__":
    main()
