"""What runs in a process of its own, so that C and Rust code can't take the user's Python down with it.

Not a module of the package but a script: ``isolated.call`` starts it by its path, so that neither the package nor
torch is imported. It reads one line of JSON (the job) and then the job's body from standard input, and writes the
result to standard output. Whatever the C code prints goes to standard error.

Relies on ``pygraphviz.graphviz``, the thin layer over Graphviz's own functions, as of pygraphviz 2.0;
``graphviz.pipe`` and ``graphviz.version``; ``fast_sugiyama.from_edges``. Promises exit code 0 and a whole
result, or another code and the reason on standard error (`MISSING`: a package can't be imported). It ends when the
process that asked does, however that ends, and in any case soon after the job's limit: see Note [Two processes].

Note [Two processes]
C code may hold the interpreter's lock for hours, and then no thread of its process can look at the clock or at the
parent. So the script forks. The *worker* does the job. The *supervisor* does nothing but wait for it, and kills the
whole process group, the ``dot`` that the worker may have started included, when the parent is gone or the limit is
over. Should somebody kill the supervisor too, the limit on processor time ends what is left. Windows has no fork; there
a thread in C (faulthandler's) ends the process at the limit.
"""

import faulthandler
import json
import os
import select
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

if sys.platform != "win32":
    import resource

MISSING = 3
"""The exit code that says: a package can't be imported, and standard error names it."""

STACKS = (512 << 20, 64 << 20, 8 << 20)
"""Stack sizes to try, in bytes: the layout recurses once for each layer of the graph."""

LOOKS_EVERY = 0.25
"""Seconds between two looks at whether the parent is still there."""

GRACE = 5.0
"""Seconds after its limit at which a job is ended here, should the parent not have done so."""

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
    parent = os.getppid()
    header, _, body = sys.stdin.buffer.read().partition(b"\n")
    job = json.loads(header) if header else {}
    if len(body) != job.get("length"):
        sys.exit("the job wasn't handed over whole")  # the parent ended, or was interrupted, while it wrote
    if sys.platform != "win32":
        supervised(job, parent)
    else:
        faulthandler.dump_traceback_later(job["limit"] + GRACE, exit=True)
    do(job, body)


def do(job: Job, body: bytes) -> None:
    """Does the job and writes the result."""
    # The C code may print on standard output, where only the result belongs.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.path += [folder for folder in job["path"] if folder not in sys.path]
    try:
        result = on_a_big_stack(JOBS[job["job"]], job, body)
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(MISSING)
    with results:
        results.write(result)


if sys.platform != "win32":

    def supervised(job: Job, parent: int) -> None:
        """Forks: returns in the worker only. The supervisor ends as the worker does."""
        ended, held_by_the_worker = os.pipe()
        worker = os.fork()
        if not worker:
            os.close(ended)
            limit_processor_time(job["limit"] + 2 * GRACE)
            return
        os.close(held_by_the_worker)
        until = time.monotonic() + job["limit"] + GRACE
        while not select.select([ended], [], [], LOOKS_EVERY)[0]:
            if time.monotonic() > until or not asked_by(parent, job["parent"]):
                os.killpg(os.getpgrp(), signal.SIGKILL)  # this process too
        _, status = os.waitpid(worker, 0)
        if os.WIFSIGNALED(status):
            end_by(os.WTERMSIG(status))
        sys.exit(os.waitstatus_to_exitcode(status))

    def asked_by(parent: int, asking: int) -> bool:
        """Returns whether the parent is the one there was at first, and the process that asked is still there.

        The two are one, except where Python is started by a program of its own.
        """
        if os.getppid() != parent:
            return False
        try:
            os.kill(asking, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def limit_processor_time(seconds: float) -> None:
        """Has the system end this process, and what it starts, when all processors together worked for so long."""
        most = int(seconds * (os.cpu_count() or 1)) + 1
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(
            resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
        )

    def end_by(number: int) -> None:
        """Ends the process group by a signal, so that the parent sees which."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.killpg(os.getpgrp(), number)


if __name__ == "__main__":
    main()
