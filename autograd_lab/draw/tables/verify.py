"""What ``verify`` found, for a terminal: a row for each check, and below it what is wrong."""

from __future__ import annotations

from autograd_lab.draw.digits import count
from autograd_lab.draw.tables.folding import together
from autograd_lab.draw.tables.grid import WIDTH, Column, around, table, terminal_width
from autograd_lab.records import Check, Mismatch, VerifyReport
from autograd_lab.records.display import as_text

_MARKS = {True: "ok", False: "WRONG", None: "–"}
SKIPPED = "skipped"
_COLUMNS = (Column("check", 0, "name"), Column("", 0), Column("samples", 1, "number"), Column("found", 0))


def verify_table(report: VerifyReport, *, width: int = WIDTH) -> str:
    """Writes a report as a table.

    Args:
        report: What ``verify`` returned.
        width: Characters in a line.

    Returns:
        The table.

    Example:
        >>> print(verify_table(VerifyReport("Square", (Check("gradients", True, 8),))))
        Square: right in 1 check
         check          samples  found
         ─────────────────────────────
         gradients  ok        8
        <BLANKLINE>
    """
    rows = [
        [check.name, SKIPPED if check.skipped else _MARKS[check.ok], str(check.samples or ""), _found(check)]
        for check in report.checks
    ]
    tail = [
        f"{what}: {', '.join(together([name, '×', str(count)]) for name, count in counted)}"
        for what, counted in (("swapped", report.swapped), ("native", report.native))
        if counted
    ]
    return around(_summary(report), table(_COLUMNS, rows, width), tail, width)


def verify_faults(report: VerifyReport) -> str:
    """Writes what is wrong, a line for each check that failed, however long.

    Args:
        report: What ``verify`` returned.

    Returns:
        The summary and the lines.

    Example:
        >>> print(verify_faults(VerifyReport("Square", (Check("vmap", False, 8, "it has the wrong sign"),))))
        Square: wrong in 1 of 1 check (seed 0)
        vmap: it has the wrong sign
    """
    return "\n".join([_summary(report), *(f"{check.name}: {_found(check)}" for check in report.failed)])


@as_text.register(VerifyReport)
def _(report: VerifyReport) -> str:
    return verify_table(report, width=terminal_width()).rstrip("\n")


def _summary(report: VerifyReport) -> str:
    made = sum(check.ok is not None for check in report.checks)
    skipped = f", {len(report.skipped)} skipped" if report.skipped else ""
    if report.failed:
        wrong = f"wrong in {len(report.failed)} of {count(made, 'check')}"
        return f"{report.target}: {wrong}{skipped} (seed {report.seed})"
    right = f"right in {count(made, 'check')}" if made else "nothing was checked"
    return f"{report.target}: {right}{skipped}"


def _found(check: Check) -> str:
    parts = [check.message]
    if check.mismatch is not None:
        parts.append(_numbers(check.mismatch))
    elif check.ulps is not None:
        share = "relative" if check.scale is None else "of these terms"
        relative = "" if check.relative is None else f", {check.relative:.1e} {share}"
        unit = "ulp" if check.ulps == 1 else "ulps"
        parts.append(f"within {check.ulps:.3g} {unit}{relative}" if check.ulps else "equal")
    if check.sample is not None:
        parts.append(f"sample: {check.sample}")
    return "; ".join(part for part in parts if part)


def _numbers(part: Mismatch) -> str:
    where = f"[{', '.join(map(str, part.element))}]" if part.element else ""
    apart = "" if part.ulps is None else f" ({part.ulps:.3g} ulps)"
    return f"{part.what}{where}: expected {part.expected}, found {part.found}{apart}"
