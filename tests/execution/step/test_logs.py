"""What a step prints and logs is captured by line and echoed to standard error."""

import logging
import sys

import pytest

from penstock.execution.step._logs import LineLog, captured_output


def told(log):
    return [(line.stream, line.text) for line in log.lines()]


def test_output_is_captured_in_order_and_echoed_to_standard_error(capsys):
    with captured_output() as log:
        print("one")
        print("two", file=sys.stderr)
        sys.stdout.write("three ")
        sys.stdout.writelines(["parts", "\n"])
        sys.stdout.flush()
        print("open", end="")
    assert told(log) == [
        ("stdout", "one"), ("stderr", "two"), ("stdout", "three parts"), ("stdout", "open"),
    ]  # fmt: skip
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "one\ntwo\nthree parts\nopen"


def test_without_echo_nothing_is_printed(capsys):
    with captured_output(echo=False) as log:
        print("one")
        logging.getLogger("x").warning("two")
    assert told(log) == [("stdout", "one"), ("log", "WARNING x: two")]
    assert capsys.readouterr() == ("", "")


def test_the_streams_are_given_back_and_late_writers_do_no_harm(capsys):
    before = sys.stdout
    with captured_output() as log:
        kept = sys.stdout
        assert kept.encoding
        assert kept.isatty() is False
    assert sys.stdout is before
    kept.write("late\n")
    assert told(log) == []
    assert capsys.readouterr().err == "late\n"


@pytest.fixture
def plain_root():
    """The root logger as a program finds it; pytest puts its own handlers there."""

    def clear():
        root = logging.getLogger()
        root.handlers.clear()
        return root

    before = list(logging.getLogger().handlers)
    yield clear
    logging.getLogger().handlers[:] = before


def test_warnings_are_logged_and_printed_once_if_nobody_has_set_up_logging(plain_root, capsys):
    root = plain_root()
    with captured_output() as log:
        logging.getLogger("lib").warning("careful\nnow")
        logging.getLogger("lib").info("not shown by default")
    assert told(log) == [("log", "WARNING lib: careful"), ("log", "now")]
    assert capsys.readouterr().err == "WARNING lib: careful\nnow\n"
    assert root.handlers == []


def test_a_handler_set_up_before_prints_and_we_only_keep(plain_root, capsys):
    root = plain_root()
    root.addHandler(logging.StreamHandler(sys.stderr))
    with captured_output() as log:
        logging.getLogger("lib").error("bad")
    assert told(log) == [("log", "ERROR lib: bad")]
    assert capsys.readouterr().err == "bad\n"


def test_a_handler_set_up_in_the_step_is_not_counted_twice(plain_root, capsys):
    root = plain_root()
    with captured_output() as log:
        root.addHandler(logging.StreamHandler(sys.stderr))
        logging.getLogger("lib").error("bad")
    assert told(log) == [("stderr", "bad")]
    assert capsys.readouterr().err == "bad\n"


def test_a_bad_log_call_does_not_stop_the_step(plain_root, capsys):
    plain_root()
    with captured_output() as log:
        logging.getLogger("lib").error("%d", "no number")
        print("goes on")
    assert ("stdout", "goes on") in told(log)
    assert "Logging error" in capsys.readouterr().err


def test_of_a_progress_bar_only_the_last_state_counts():
    log = LineLog()
    log.feed("stderr", "10%\r50%\r")
    log.feed("stderr", "100%\r\nnext\n")
    assert told(log) == [("stderr", "100%"), ("stderr", "next")]


def test_of_very_many_lines_the_first_and_the_last_are_kept():
    log = LineLog()
    for number in range(12_000):
        log.add("stdout", str(number))
    lines = log.lines()
    assert len(lines) == 5_001
    assert lines[0].text == "0"
    assert lines[2_000].text == "[7,000 lines left out]"
    assert lines[-1].text == "11999"


def test_very_long_lines_are_cut():
    log = LineLog()
    log.feed("stdout", "x" * 10_000 + "\n")
    assert len(log.lines()[0].text) == 4_000


def test_lines_of_a_step_are_kept_with_its_run(project):
    result = project.run("""
    import logging

    @ps.step
    def talk():
        print("hello")
        logging.getLogger("job").warning("hm")
        raise ValueError("bad")

    @ps.pipeline
    def job():
        talk()
    """)
    step = project.steps(result.run_id)["talk"]
    lines = project.store.metadata.steps.list_logs(step.step_run_id)
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "hello"), ("log", "WARNING job: hm"),
    ]  # fmt: skip
