"""`run` and `show` print what was found about the data, the worst first, with counts."""

PIPELINE = """
import penstock as ps

loans = ps.FileSource("loans.csv")


@ps.pipeline
def job():
    return ps.steps.ingest(loans)
"""


def test_run_and_show_print_findings_with_counts(shell):
    lines = [f"{n},{'N.N.' if n == 7 else n / 4},{n % 2}" for n in range(100)]
    (shell.folder / "loans.csv").write_text("\n".join(["id,amount,late", *lines]))
    (shell.folder / "job.py").write_text(PIPELINE)
    told = shell("run", "job.py").err
    assert "data: 1 warning\n" in told
    first = told.partition("data:")[2].splitlines()[1]
    assert "! ingest: Column 'amount': 1 of 100 values are not numbers ('N.N.')" in first
    shown = shell("show", "last").out
    assert "data: 1 warning, 1 remark" in shown
    assert "1 of 100 values are not numbers ('N.N.')" in shown
