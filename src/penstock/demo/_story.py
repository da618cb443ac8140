"""The story of `penstock demo`: a payments model, from the first rows to a proven second version.

The demo uses the public API and the real server in a separate process; only the payments are
simulated.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import penstock as ps
from penstock.core import ParameterError, RolloutState, StepError, now, short
from penstock.demo._narrator import Narrator
from penstock.demo._stream import (
    LABEL_DELAY_DAYS,
    LIVE_DAYS,
    SHIFT_DAY,
    START,
    TRAINING_DAYS,
    simulate_day,
    write_days,
)
from penstock.execution import PipelineResult, QuietReporter
from penstock.serving import RolloutRules

MODEL = "payments"
_LIVE_ROWS = 120  # requests per simulated day: a sample of the day's payments
_WINDOW_DAYS = 6  # drift is checked over the last days
_COLLECT_DAYS = 6  # days between the alert and the training that follows it
_READY_S = 30.0
_OK = 200


@dataclass
class _Loop:
    """State of the story.

    Args:
        store: The demo's store.
        client: The HTTP client that plays the payment system.
        say: The printer of the story.
        marks: Start of each simulated day on the real clock.
        waiting: Fraud labels by day that are still delayed, by prediction id.
        sent: Last prediction id.
        new_country: A country that the bank has recently entered.
        known_days: Number of days with known labels.
    """

    store: ps.stores.Store
    client: Any
    say: Narrator
    marks: dict[int, datetime] = field(default_factory=dict)
    waiting: dict[int, dict[str, bool]] = field(default_factory=dict)
    sent: str = ""
    new_country: str | None = None
    known_days: int = TRAINING_DAYS


def run_demo(folder: Path) -> ps.stores.Store:
    """Run the whole loop, and return the store of the records.

    Args:
        folder: Folder of the demo's files; emptied first if made by an earlier demo.

    Raises:
        ParameterError: If the folder contains anything else.
        StepError: If a step of the demo's pipeline fails.
    """
    say = Narrator()
    _prepare(folder)
    store = ps.open_store(f"sqlite:///{folder.resolve() / '.penstock' / 'penstock.db'}")
    with _working_in(folder):
        _play(store, say)
        say.summary()
    return store


def _play(store: ps.stores.Store, say: Narrator) -> None:
    import httpx

    with say.chapter(f"{TRAINING_DAYS} days of payments become version 1"):
        write_days(Path(MODEL), range(TRAINING_DAYS))
        first = _train(store, TRAINING_DAYS, say)
        promoted = ps.promote(
            MODEL, 1, reason="First version; gates and proof passed.", store=store
        )
        for gate in promoted.gates:
            say.fact(f"gate  {gate.gate}: {gate.reason}")
        say.fact(f"approved and promoted: {promoted.ref}, run {first.run_id}")
    with ExitStack() as stack:
        with say.chapter("Version 1 serves predictions over HTTP") as chapter:
            url = stack.enter_context(_serving(store))
            chapter.done(f"ready at {url}")
        client = stack.enter_context(httpx.Client(base_url=url, timeout=10))
        loop = _Loop(store, client, say)
        alarm_day = _live_until_alarm(loop)
        day = _retrain(loop, alarm_day)
        day = _canary(loop, day)
        _broken_version(loop, day)
    with say.chapter("One prediction is traced to its rows"):
        _trace(loop)


def _train(
    store: ps.stores.Store, days_known: int, say: Narrator, *, encoder: str = "robust"
) -> PipelineResult:
    cutoff = (START + timedelta(days=days_known)).date()
    pipeline = ps.execution.load_pipeline("payments.py")
    result = ps.run(pipeline, cutoff=cutoff, encoder=encoder, store=store, reporter=QuietReporter())
    if not result.ok:
        raise StepError(
            what=f"The demo's run {result.run_id} is {result.state.value}: {result.error}",
            fix=f"See it: penstock show {result.run_id}",
        )
    report = _report(result)
    scores = "  ".join(
        f"{name} {report.metrics[name].value:.3f} "
        f"[{report.metrics[name].low:.3f}, {report.metrics[name].high:.3f}]"
        for name in ("roc_auc", "average_precision")
    )
    say.fact(f"rows before {cutoff}: {scores}")
    return result


def _report(result: PipelineResult) -> ps.EvaluationReport:
    report: ps.EvaluationReport = result.output("evaluate")
    return report


def _live_until_alarm(loop: _Loop) -> int:
    """Simulate live days until monitoring raises an alert; return the day."""
    say = loop.say
    monitor = ps.Monitor(MODEL, store=loop.store)
    with say.chapter("Live payments; labels are delayed by two days") as chapter:
        for number in range(TRAINING_DAYS, TRAINING_DAYS + LIVE_DAYS):
            if number == SHIFT_DAY:
                say.fact(
                    f"day {number - TRAINING_DAYS}: fraud changes its pattern (the model is not informed)"
                )
            _live_day(loop, number)
            if number < TRAINING_DAYS + _WINDOW_DAYS:
                continue
            report = monitor.check(since=loop.marks[number - _WINDOW_DAYS + 1])
            if report.drifted:
                alerts = loop.store.metadata.deployments.list_alerts(MODEL, open_only=True)
                for alert in alerts[:4]:
                    day = number - TRAINING_DAYS
                    say.fact(f"ALERT day {day}: {alert.kind} of {alert.subject}: {alert.message}")
                days = number - SHIFT_DAY
                chapter.done(f"alarm {days} day{'s' * (days != 1)} after the change")
                return number
        chapter.done("no alarm")
    return TRAINING_DAYS + LIVE_DAYS - 1


def _live_day(loop: _Loop, number: int) -> None:
    """Send a day's payments singly; post the labels that are due."""
    day = simulate_day(number, new_country=loop.new_country)
    loop.marks[number] = now()
    labels: dict[str, bool] = {}
    for row in day.payments.gather_every(8).head(_LIVE_ROWS).iter_rows(named=True):
        answer = _ask(loop, row)
        if answer is not None:
            labels[answer] = day.fraud[row["payment_id"]]
    loop.waiting[number] = labels
    known = loop.waiting.pop(number - LABEL_DELAY_DAYS, None)
    if known:
        reply = loop.client.post(f"/models/{MODEL}/truth", json={"truth": known})
        reply.raise_for_status()


def _ask(loop: _Loop, row: dict[str, Any]) -> str | None:
    """Request a prediction; None if the server could not predict (a broken canary)."""
    features = {name: value for name, value in row.items() if name not in {"payment_id", "time"}}
    features["time"] = row["time"].isoformat()
    reply = loop.client.post(
        f"/models/{MODEL}/predict", json={"row": features, "unit": row["payment_id"]}
    )
    if reply.status_code != _OK:
        return None
    loop.sent = reply.json()["predictions"][0]["prediction_id"]
    return loop.sent


def _retrain(loop: _Loop, alarm_day: int) -> int:
    """Collect labels of the drifted days, train on newer data and verify; return the next day."""
    say = loop.say
    with say.chapter("The trigger starts a run on newer rows: version 2 is trained and verified"):
        last = alarm_day + _COLLECT_DAYS
        for number in range(alarm_day + 1, last + 1):
            _live_day(loop, number)
        say.fact(f"{_COLLECT_DAYS} more days pass, so that labels of the new pattern are known")
        loop.known_days = last - LABEL_DELAY_DAYS + 1
        write_days(Path(MODEL), range(TRAINING_DAYS, loop.known_days))
        results: list[PipelineResult] = []

        def start(_: datetime) -> str:
            # The stream runs on simulated days: the cutoff is the last day with known labels.
            results.append(_train(loop.store, loop.known_days, say))
            return results[-1].run_id

        report = ps.check_drift(
            MODEL, since=loop.marks[alarm_day - _WINDOW_DAYS + 1], store=loop.store
        )
        decision = ps.monitoring.Trigger(start=start, cool_down="1h", store=loop.store).consider(
            report
        )
        say.fact(decision.reason)
        version = ps.Registry(store=loop.store).get(MODEL, 2)
        for gate in version.gates:
            if "champion" in gate.gate:
                say.fact(f"on the same rows: {gate.reason}")
        answer = ps.verify(results[-1].run_id, store=loop.store)
        say.fact(f"verify {answer.run_id}: {answer.verdict.value} ({answer.seconds:.1f} s)")
        return last + 1


def _canary(loop: _Loop, day: int) -> int:
    """Roll version 2 out automatically: 25, 100 percent."""
    say = loop.say
    with say.chapter("Canary 25 → 100 %") as chapter:
        ps.deploy(
            MODEL,
            version=2,
            canary=(25, 100),
            # A hundred requests a day cannot exclude half a percent; an owner with such traffic
            # allows more.
            rules=RolloutRules(step_requests=25, max_error_rate_increase=0.1),
            actor="demo",
            store=loop.store,
        )
        began = day
        day, outcome = _live_until_settled(loop, day)
        report = ps.Monitor(MODEL, store=loop.store).check(since=loop.marks[began])
        still = len(loop.store.metadata.deployments.list_alerts(MODEL, open_only=True))
        say.fact(f"monitoring checks again: {report.headline} Open alerts: {still}.")
        chapter.done(
            f"{outcome}; production is v{ps.Registry(store=loop.store).get(MODEL, 'champion').version}"
        )
    return day


def _broken_version(loop: _Loop, day: int) -> None:
    """Deploy version 3, which raises on an unseen country; the rollout notices and rolls back."""
    say = loop.say
    with say.chapter("A broken version 3 is rolled back automatically") as chapter:
        _train(loop.store, loop.known_days, say, encoder="strict")
        loop.new_country = "SE"
        say.fact("meanwhile the bank opens in Sweden, a country that no version has seen")
        ps.deploy(
            MODEL,
            version=3,
            canary=(25, 100),
            rules=RolloutRules(step_requests=60, max_error_rate_increase=0.02),
            # penstock detects that version 3 no longer accepts missing values, and would refuse.
            accept_changes="all callers of the demo send every column",
            actor="demo",
            store=loop.store,
        )
        _, outcome = _live_until_settled(loop, day)
        events = loop.store.metadata.deployments.list_events(MODEL)
        for event in events:
            if "back" in event.kind:
                say.fact(event.message)
        chapter.done(
            f"{outcome}; production is v{ps.Registry(store=loop.store).get(MODEL, 'champion').version}"
        )


def _live_until_settled(loop: _Loop, day: int) -> tuple[int, str]:
    """Simulate live days until the running rollout is promoted or rolled back."""
    for number in range(day, day + LIVE_DAYS):
        _live_day(loop, number)
        rollout = loop.store.metadata.deployments.get(MODEL).rollout
        state = rollout.state if rollout else RolloutState.PROMOTED
        if state is not RolloutState.RUNNING:
            return number + 1, state.replace("_", " ")
    return day + LIVE_DAYS, "still running"


def _trace(loop: _Loop) -> None:
    for line in ps.lineage.get_lineage(loop.sent, store=loop.store).lines():
        loop.say.fact(line)
    digest = ps.Registry(store=loop.store).get(MODEL, 2).content_digest
    loop.say.fact(f"model digest {short(digest)}")


def _prepare(folder: Path) -> None:
    source = (files("penstock.demo") / "payments_pipeline.py").read_text(encoding="utf-8")
    mark = folder / "payments.py"
    if not _may_empty(folder, mark, source):
        raise ParameterError(
            what=f"{folder} is not empty and not an earlier demo's folder.",
            why="The demo empties its folder first.",
            fix="Name another one: penstock demo --folder NAME",
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".penstock").mkdir()
    mark.write_text(source, encoding="utf-8")


def _may_empty(folder: Path, mark: Path, source: str) -> bool:
    """Check whether a folder is new, empty, or made by an earlier demo."""
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    if mark.is_file():  # a user's own payments.py begins differently
        title = source.partition("\n")[0]
        return mark.read_text(encoding="utf-8", errors="replace").startswith(title)
    return not any(folder.iterdir())


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _serving(store: ps.stores.Store) -> Iterator[str]:
    """Start the model server in a separate process and wait until the server is ready."""
    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = Path(".penstock") / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - this package, no shell
            [sys.executable, "-m", "penstock.cli", "--store", store.url, "serve", MODEL,
             "--port", str(port)],
            stdout=output, stderr=output,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_ready(server, url, log, httpx)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=10)


def _wait_ready(server: "subprocess.Popen[bytes]", url: str, log: Path, httpx: Any) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{url}/v2/health/ready").status_code == _OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise ps.PenstockError(
        what="The model server did not become ready.",
        why=log.read_text(encoding="utf-8", errors="replace")[-300:],
        fix=f"Read {log.resolve()}, then run the demo again.",
    )
