"""What runs in a process of its own, so that C and Rust code can't take the user's Python down with it.

Not a module of the package but a script: ``isolated.call`` starts it by its path, so that neither the package nor
torch is imported. It reads one line of JSON (the job) and then the job's body from standard input, and writes the
result to standard output. Whatever the C code prints goes to standard error.

What it relies on: ``pygraphviz.graphviz``, the thin layer over Graphviz's own functions, as of pygraphviz 2.0;
``graphviz.pipe`` and ``graphviz.version``; ``fast_sugiyama.from_edges``. What it promises: exit code 0 and a whole
result, or another code and the reason on standard error (`MISSING`: a package can't be imported).
"""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

MISSING = 3
"""The exit code that says: a package can't be imported, and standard error names it."""

STACKS = (512 << 20, 64 << 20, 8 << 20)
"""Stack sizes to try, in bytes: the layout recurses once for each layer of the graph."""

Job: TypeAlias = dict[str, Any]


def draw_with_program(job: Job, body: bytes) -> bytes:
    """Draws with the ``dot`` on the PATH; ``job``: engine, format."""
    import graphviz

    # ``neato -n2`` takes positions and edges as they stand in the text.
    pinned = job["engine"] == "nop2"
    try:
        engine = "neato" if pinned else job["engine"]
        return bytes(graphviz.pipe(engine, job["format"], body, neato_no_op=2 if pinned else None))
    except graphviz.CalledProcessError as error:
        if error.returncode < 0:  # a signal: end in the same way, so that the caller sees a crash
            os.kill(os.getpid(), -error.returncode)
        sys.exit(1)


def draw_with_wheel(job: Job, body: bytes) -> bytes:
    """Draws with the Graphviz that pygraphviz's wheel carries; ``job``: engine, format."""
    from pygraphviz import graphviz as gv

    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.seek(0)
        try:
            graph = gv.agread(file, None)
        except ValueError:
            sys.exit(1)  # Graphviz has said why on standard error
    context = gv.gvContextWithBuiltins()
    if gv.gvLayout(context, graph, job["engine"].encode()):
        sys.exit(1)
    answer = gv.gvRenderData(context, graph, job["format"].encode())
    if answer == 0 or answer[0]:  # without a result, or with an error's number beside it
        sys.exit(1)
    return bytes(answer[1])


def version_of_program(_job: Job, _body: bytes) -> bytes:
    """Says which version the ``dot`` on the PATH has."""
    import graphviz

    return ".".join(map(str, graphviz.version())).encode()


def version_of_wheel(_job: Job, _body: bytes) -> bytes:
    """Says which Graphviz pygraphviz's wheel carries, and where the package lies: two lines."""
    import pygraphviz

    return f"{pygraphviz.__graphviz_version__}\n{os.path.dirname(pygraphviz.__file__)}".encode()


def order(_job: Job, body: bytes) -> bytes:
    """Orders the vertices of layered graphs so that few edges cross; the body: each graph's edges and ``transpose``."""
    from fast_sugiyama import from_edges

    # "up" puts a vertex one layer below the lowest of those above it. Every edge here spans one layer, so that's the
    # layer it has already, and the costly search for shorter edges is left out.
    found = []
    for graph in json.loads(body):
        edges = [(a, b) for a, b in graph["edges"]]
        layouts = from_edges(edges, ranking_type="up", vertex_spacing=2, transpose=graph["transpose"])
        found.append([(vertex, x) for positions, *_ in layouts for vertex, (x, _) in positions])
    return json.dumps(found).encode()


JOBS: dict[str, Callable[[Job, bytes], bytes]] = {
    "draw with program": draw_with_program,
    "draw with wheel": draw_with_wheel,
    "version of program": version_of_program,
    "version of wheel": version_of_wheel,
    "order": order,
}


def on_a_big_stack(work: Callable[[Job, bytes], bytes], job: Job, body: bytes) -> bytes:
    """Runs ``work(job, body)`` in a thread with the biggest stack of `STACKS` that the machine grants."""
    for size in STACKS:
        threading.stack_size(size)
        with ThreadPoolExecutor(max_workers=1) as pool:
            try:
                waiting = pool.submit(work, job, body)
            except RuntimeError:  # "can't start new thread": less memory may be addressed than that
                continue
            return waiting.result()
    return work(job, body)


def main() -> None:
    """Does the one job that standard input asks for."""
    # The C code may print on standard output, where only the result belongs.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    header, _, body = sys.stdin.buffer.read().partition(b"\n")
    job = json.loads(header)
    sys.path += [folder for folder in job["path"] if folder not in sys.path]
    try:
        result = on_a_big_stack(JOBS[job["job"]], job, body)
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(MISSING)
    with results:
        results.write(result)


if __name__ == "__main__":
    main()
