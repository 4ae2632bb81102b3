#!/usr/bin/env bash
# tensorboard 2.21.0: its plugin for graphs leaves out nodes and edges of valid graphs, and doesn't open some at all.
#
# - A node whose op has "Const" anywhere in it isn't drawn as a node: the pattern for constants isn't anchored
#   (inEmbeddingTypes: ['Const'] in tf_graph_common/graph.ts). So ConstantPadNd vanishes, with the edges through it.
# - Of two inputs in a row that come from one node, the second is dropped, whatever outputs they are: x[0] * x[1] has one
#   edge.
# - Names and ops are keys of plain JavaScript objects. A node called "constructor", which TensorFlow's rule for names
#   allows, or an op called "toString", ends in a TypeError, and the page stays without a graph.
#
# Needs Chromium on the PATH. Seen with the output below; the script fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorboard==2.21.0 playwright==1.64.0

cat > "$folder/expected" <<'END'
a pad in the middle: nodes x, y; edges x:0 -> y
two outputs of one node: nodes x, y; edges x:0 -> y
a node called constructor: TypeError
an op called toString: TypeError
END
"$folder/venv/bin/python" - > "$folder/seen" <<'END'
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from playwright.sync_api import sync_playwright
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.versions_pb2 import VersionDef
from tensorboard.summary.writer.event_file_writer import EventFileWriter

GRAPHS = {
    "a pad in the middle": [("x", "Split"), ("pad", "ConstantPadNd", "x:0"), ("y", "Add", "pad:0")],
    "two outputs of one node": [("x", "Split"), ("y", "Mul", "x:0", "x:1")],
    "a node called constructor": [("constructor", "Split"), ("y", "Neg", "constructor:0")],
    "an op called toString": [("x", "toString"), ("y", "Neg", "x:0")],
}
FOUND = """() => {
  const under = (root) => [...root.querySelectorAll("*")].flatMap(
    (each) => [each, ...(each.shadowRoot ? under(each.shadowRoot) : [])]);
  const board = under(document).find((each) => each.graphHierarchy && each.graph);
  if (!board) return null;
  const edges = board.graph.edges.map(({ v, outputTensorKey, w }) => `${v}:${outputTensorKey} -> ${w}`);
  return `nodes ${Object.keys(board.graph.nodes).sort().join(", ")}; edges ${edges.sort().join(", ")}`;
}"""


def write(folder, nodes):
    graph = GraphDef(
        node=[NodeDef(name=name, op=op, input=inputs) for name, op, *inputs in nodes],
        versions=VersionDef(producer=22),
    )
    writer = EventFileWriter(folder)
    writer.add_event(Event(wall_time=0, graph_def=graph.SerializeToString()))
    writer.close()


def has_read(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/plugin/graphs/info") as answer:
            return b'"run_graph": true' in answer.read()
    except OSError:
        return False


def shown(page, port):
    errors = []
    page.on("console", lambda said: said.type == "error" and errors.append(said.text))
    page.on("pageerror", lambda error: errors.append(error.name))
    page.goto(f"http://127.0.0.1:{port}/#graphs")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if errors:
            return errors[0].split(":")[0]
        if found := page.evaluate(FOUND):
            return found
        page.wait_for_timeout(200)
    return "nothing"


program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
    for title, nodes in GRAPHS.items():
        with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
            write(folder, nodes)
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            listener.close()
            command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--host", "127.0.0.1"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with subprocess.Popen([*command, "--port", str(port)], **quiet) as server:
                while not has_read(port):
                    time.sleep(0.2)
                print(f"{title}: {shown(browser.new_page(), port)}")
                server.terminate()
    browser.close()
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen"
