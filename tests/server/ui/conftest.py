"""A store filled as a busy team would: runs in every state, a model's life, a rollout, drift."""

import itertools
import math
import os
import platform
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from litestar.testing import TestClient

from penstock.core import (
    AlertRecord,
    ApprovalRecord,
    DeploymentEvent,
    DeploymentRecord,
    DeploymentState,
    Edge,
    GateResult,
    GateState,
    LogLine,
    MetricPoint,
    PassedStep,
    PredictionRecord,
    ProofRecord,
    RolloutRecord,
    RolloutRules,
    RolloutState,
    RunRecord,
    RunState,
    SnapshotRecord,
    Stage,
    StageEvent,
    StepRunRecord,
    StepState,
    Verdict,
    new_id,
    now,
)
from penstock.monitoring import Monitor
from penstock.registry import Registry
from penstock.server import create_ui
from penstock.stores import Store, open_store

STEPS = ("ingest", "label", "split", "train", "evaluate", "register")
SPEC = {
    "name": "big_tips",
    "parameters": {"cutoff": "2016-06-30"},
    "nodes": [{"name": name} for name in STEPS],
    "edges": [
        {"from": "ingest", "to": "label", "output": "result", "argument": "rides"},
        {"from": "label", "to": "split", "output": "result", "argument": "table"},
        {"from": "split", "to": "train", "output": "result", "argument": "split"},
        {"from": "train", "to": "evaluate", "output": "model", "argument": "model"},
        {"from": "split", "to": "evaluate", "output": "result", "argument": "split"},
        {"from": "train", "to": "register", "output": "model", "argument": "model"},
        {"from": "evaluate", "to": "register", "output": "report", "argument": "report"},
    ],
}
SECONDS = dict(zip(STEPS, (1.9, 0.31, 0.42, 6.8, 2.7, 0.35), strict=True))
TRACEBACK = """Traceback (most recent call last):
  File "big_tips.py", line 21, in train
    model.fit(split.train.X, split.train.y)
  File "big_tips.py", line 34, in fit
    raise ValueError(f"learning_rate is {rate}")
ValueError: learning_rate is -0.1: it must be above 0"""
LEFT = [StepState.FINISHED] * 6


class Filler:
    """Writes one believable history into a store."""

    def __init__(self, store: Store) -> None:
        self.store, self.metadata = store, store.metadata
        self.random = random.Random(7)
        self.now = now().replace(microsecond=0)
        self.values: dict[str, Any] = {}

    def fill(self, runs: int = 30) -> None:
        self._values()
        for index in range(runs):
            self._run(index, runs)
        self._live_runs()
        self._wide_run()
        self._dataset()
        self._model()
        self._deployment()

    def _dataset(self) -> None:
        snapshot = self.values["ingest"]
        readings = (
            (self.failed, snapshot.keep(snapshot.table.head(900), "test")),
            (self.last, snapshot),
        )
        for run_id, read in readings:
            self.metadata.artifacts.add_snapshot(
                SnapshotRecord(
                    "rides", run_id, self.now, read.schema.to_json(), read.ordered_digest,
                    read.order_free_digest, read.rows, {"cutoff": "2016-06-30T00:00:00+00:00"},
                )
            )  # fmt: skip

    def _values(self) -> None:
        """Make real values by the packages that own them, so that pages show the real thing."""
        import polars as pl
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.pipeline import make_pipeline

        from penstock.data import FileSource, ingest, split_table
        from penstock.evaluation import evaluate, judge
        from penstock.features import table_transformer

        folder = Path(self.store.artifacts.url.removeprefix("file://")).parent
        draw = self.random
        rows = 1500
        times = [datetime(2016, 1, 1, tzinfo=UTC) + timedelta(minutes=40 * i) for i in range(rows)]
        company = [
            draw.choice(["Flash Cab", "Taxi Affiliation", "Dispatch", "KOAM"]) for _ in times
        ]
        payment = [draw.choice(["Cash", "Credit Card", "Credit Card"]) for _ in times]
        miles = [round(draw.lognormvariate(1, 0.8), 1) for _ in times]
        tipped = [
            draw.random() < (0.08 if p == "Cash" else 0.35 + 0.2 * math.tanh(m - 3))
            for p, m in zip(payment, miles, strict=True)
        ]
        table = pl.DataFrame(
            {
                "trip_start": [t.strftime("%Y-%m-%d %H:%M:%S") for t in times],
                "company": company,
                "payment_type": payment,
                "miles": miles,
                "big_tip": tipped,
            }
        )
        path = folder / "rides.csv"
        table.write_csv(path)
        snapshot = ingest(FileSource(path, name="rides", time="trip_start"))
        split = split_table(snapshot, target="big_tip", by_time="trip_start", test=0.3)
        model = make_pipeline(
            table_transformer(split.schema),
            HistGradientBoostingClassifier(max_iter=15, random_state=0),
        ).fit(split.train.X, split.train.y)
        report = evaluate(model, split, slices=["company", "payment_type"], resamples=50)
        gates = judge(
            ["roc_auc >= 0.60", "roc_auc >= champion.roc_auc - 0.005", "gap(recall, company) <= 0.05",
             "leakage == none", "verified"],
            report,
        )  # fmt: skip
        self.values = {
            "ingest": snapshot, "label": snapshot.table, "split": split, "train": model,
            "evaluate": report, "register": {"model": "big-tips"},
        }  # fmt: skip
        self.gates = gates
        self.records = {name: self.store.put(value) for name, value in self.values.items()}
        manifest = {
            "code": {
                "commit": "9f2c41d07ab34e5d9c1b7f3e2a6d8c4b1e0f9a7d", "branch": "main", "dirty": True,
                "diff": "diff --git a/big_tips.py b/big_tips.py\n--- a/big_tips.py\n+++ b/big_tips.py\n"
                "@@ -18,7 +18,7 @@ def train(split, learning_rate):\n     columns = ps.table_transformer(split.schema)\n"
                "-    model = make_pipeline(columns, LogisticRegression())\n"
                "+    model = make_pipeline(columns, HistGradientBoostingClassifier())\n     return model",
                "files": {f"src/{n}.py": f"sha256:{i:064x}" for i, n in enumerate(("big_tips", "labels", "report"))},
                "left_out": [],
            },
            "environment": {
                "python": "3.11.7", "implementation": "CPython", "platform": "Linux-6.8-x86_64",
                "packages": {"numpy": "2.4.1", "polars": "1.38.0", "scikit-learn": "1.8.0", "penstock": "0.1.0",
                             **{f"package-{i}": f"1.{i}.0" for i in range(40)}},
                "blas": ["openblas 0.3.29"], "variables": {"PYTHONHASHSEED": "0"},
            },
            "hardware": {"machine": "x86_64", "processor": "AMD EPYC 7763", "cores": 8, "memory_bytes": 33_554_432_000, "gpus": []},
            "hash_seed": "0", "argv": ["penstock", "run", "big_tips.py", "--cutoff", "2016-06-30"], "warnings": [],
        }  # fmt: skip
        self.manifest = self.store.put(manifest)

    def _run(self, index: int, of: int) -> None:
        rate = [0.03, 0.05, 0.1, 0.2][index % 4]
        start = self.now - timedelta(hours=5 * (of - index)) + timedelta(minutes=index * 7 % 50)
        failed, killed = index % 9 == 4, index % 13 == 7
        states = list(LEFT)
        if index % 3 == 2:
            states[:3] = [StepState.CACHED] * 3
        if failed:
            states[3:] = [StepState.FAILED, StepState.SKIPPED, StepState.SKIPPED]
        if killed:
            states[3:] = [StepState.KILLED, StepState.SKIPPED, StepState.SKIPPED]
        state = RunState.FAILED if failed else RunState.KILLED if killed else RunState.FINISHED
        run_id = self._create(
            f"big-tips lr {rate}",
            start,
            {"cutoff": "2016-06-30", "learning_rate": rate, "since": "2016-01-01"},
            index,
        )
        end = self._steps(run_id, start, states)
        if state is RunState.FINISHED:
            self._metrics(run_id, start, 0.70 + 0.05 * self.random.random() - abs(rate - 0.1) * 0.3)
        error = (
            "step train: ValueError: learning_rate is -0.1: it must be above 0" if failed else None
        )
        self.metadata.runs.update(run_id, state=state, ended_at=end, error=error)
        self.last = run_id if state is RunState.FINISHED else self.__dict__.get("last", run_id)
        if failed:
            self.failed = run_id

    def _create(
        self, name: str, start: datetime, params: dict[str, Any], index: int, **more: Any
    ) -> str:
        run = RunRecord(
            run_id=new_id(), name=name, experiment=("taxi", "taxi", "baseline")[index % 3],
            pipeline="big_tips", entry="big_tips.py:big_tips", state=RunState.RUNNING, seed=0,
            created_at=start, started_at=start, heartbeat_at=self.now, host="workbench",
            pid=os.getpid(), user=("mara", "jonas")[index % 2], params=params,
            tags={"team": "pricing"} if index % 2 else {}, provenance=self.manifest.digest, graph=SPEC,
        )  # fmt: skip
        self.metadata.runs.create(replace(run, **more))
        if more.get("state", run.state) is RunState.RUNNING:
            self.metadata.runs.beat(run.run_id, self.now)
        return run.run_id

    def _steps(self, run_id: str, start: datetime, states: list[StepState]) -> datetime:
        at, source = start, None
        inputs = {"label": ("ingest",), "split": ("label",), "train": ("split",), "evaluate": ("train", "split"), "register": ("train", "evaluate")}  # fmt: skip
        self.metadata.artifacts.add_edges(
            [Edge("source:rides", f"artifact:{self.records['ingest'].content_digest}", "read")]
        )
        for position, (name, state) in enumerate(zip(STEPS, states, strict=True)):
            took = timedelta(seconds=SECONDS[name] * (0.8 + 0.4 * self.random.random()))
            ran = state in {
                StepState.FINISHED,
                StepState.FAILED,
                StepState.KILLED,
                StepState.RUNNING,
            }
            step_run_id = new_id()
            made = state in {StepState.FINISHED, StepState.CACHED}
            given = {n: self.records[n] for n in inputs.get(name, ())}
            out = {"result": self.records[name].content_digest} if made else {}
            record = StepRunRecord(
                step_run_id, run_id, name, position, state, key=f"sha256:{position:064x}",
                seed=self.random.getrandbits(31), started_at=at if ran else None,
                ended_at=at + took if ran and state is not StepState.RUNNING else None,
                inputs={n: r.content_digest for n, r in given.items()}, outputs=out,
                addresses={r.content_digest: r.digest for r in (*given.values(), self.records[name])},
                error="ValueError: learning_rate is -0.1: it must be above 0" if state is StepState.FAILED else None,
                traceback=TRACEBACK if state is StepState.FAILED else None,
                facts={"threads": 2},
            )  # fmt: skip
            node = f"step:{step_run_id}"
            edges = [Edge(f"artifact:{d}", node, n) for n, d in record.inputs.items()]
            edges += [Edge(node, f"artifact:{d}", n) for n, d in out.items()]
            edges.append(Edge(f"run:{run_id}", node, "step"))
            if ran and state is not StepState.RUNNING:
                self.metadata.steps.start(
                    replace(record, state=StepState.RUNNING, ended_at=None, outputs={})
                )
            lines = (
                [f"fold {i}: loss {0.6 - i * 0.05:.4f}" for i in range(6)]
                if name == "train"
                else [f"{name}: 1,500 rows"]
            )
            logs = [
                LogLine(at + took * i / 8, "stderr" if "fold 3" in t else "stdout", t)
                for i, t in enumerate(lines)
            ]
            if state is StepState.RUNNING:
                self.metadata.steps.start(record)
            elif state is not StepState.QUEUED:
                self.metadata.steps.finish(
                    record,
                    outputs=[self.records[name]] if made else [],
                    edges=edges,
                    logs=logs if ran else [],
                )
            source = name
            at += took if ran else timedelta()
        assert source
        return at

    def _metrics(self, run_id: str, start: datetime, score: float, epochs: int = 40) -> None:
        points = [
            MetricPoint("roc_auc", score, 0, start),
            MetricPoint("average_precision", score - 0.12, 0, start),
            MetricPoint("log_loss", 1.2 - score, 0, start),
        ]
        for step in range(epochs):
            at = start + timedelta(seconds=0.1 * step)
            fall = math.exp(-step / 12)
            points.append(
                MetricPoint(
                    "train_loss", 0.35 + 0.4 * fall + 0.012 * self.random.random(), step, at
                )
            )
            points.append(
                MetricPoint(
                    "validation_loss", 0.41 + 0.33 * fall + 0.02 * self.random.random(), step, at
                )
            )
        self.metadata.metrics.log(run_id, points)

    def _live_runs(self) -> None:
        start = self.now - timedelta(seconds=6)
        self.running = self._create("big-tips lr 0.15", start, {"cutoff": "2016-07-31", "learning_rate": 0.15, "since": "2016-01-01"}, 1,
                                    host=platform.node(), pid_started=psutil.Process().create_time())  # fmt: skip
        states = [StepState.FINISHED] * 3 + [StepState.RUNNING] + [StepState.QUEUED] * 2
        self._steps(self.running, start, states)
        self._metrics(self.running, start, 0.7, epochs=14)
        self.metadata.artifacts.add_proof(ProofRecord(self.last, "verified", Verdict.BITWISE, self.now - timedelta(hours=1), {
            "verdict": "bitwise", "first_difference": None,
            "steps": [{"step": n, "verdict": "bitwise", "how": "replayed" if n == "ingest" else "executed", "reason": "Every output has the recorded digest.", "cause": ""} for n in STEPS],
        }))  # fmt: skip

    def _wide_run(self) -> None:
        """A pipeline of 40 steps: five stores, seven steps each, joined at the end."""
        names = [
            "read",
            *(
                f"{part}_{shop}"
                for shop in "abcde"
                for part in ("clean", "join", "encode", "tune", "fit", "score", "check")
            ),
            "collect",
            "compare",
            "choose",
            "publish",
        ]
        edges = []
        for shop in "abcde":
            chain = [
                "read",
                *(
                    f"{part}_{shop}"
                    for part in ("clean", "join", "encode", "tune", "fit", "score", "check")
                ),
                "collect",
            ]
            edges += [
                {"from": a, "to": b, "output": "result"} for a, b in itertools.pairwise(chain)
            ]
            edges.append({"from": f"encode_{shop}", "to": f"score_{shop}", "output": "matrix"})
        edges += [
            {"from": a, "to": b, "output": "result"}
            for a, b in (
                ("collect", "compare"),
                ("compare", "choose"),
                ("choose", "publish"),
                ("read", "compare"),
            )
        ]
        spec = {"name": "shops", "nodes": [{"name": n} for n in names], "edges": edges}
        start = self.now - timedelta(days=2)
        self.wide = self._create(
            "forty shops", start, {}, 2, pipeline="shops", graph=spec, entry="shops.py:shops"
        )
        for position, name in enumerate(names):
            at = start + timedelta(seconds=position * 1.5)
            self.metadata.steps.finish(
                StepRunRecord(
                    new_id(),
                    self.wide,
                    name,
                    position,
                    StepState.FINISHED,
                    started_at=at,
                    ended_at=at + timedelta(seconds=1.2),
                )
            )
        self.metadata.runs.update(
            self.wide, state=RunState.FINISHED, ended_at=start + timedelta(seconds=60)
        )

    def _model(self) -> None:
        from penstock.data import profile_table
        from penstock.models import Model, infer_signature

        split, model, report = self.values["split"], self.values["train"], self.values["evaluate"]
        signature = infer_signature(
            model,
            split.train.X,
            split.train.y,
            columns=profile_table(split.train.X).describe(split.schema),
            target="big_tip",
        )
        registry = Registry(store=self.store)
        finished = list(self.metadata.runs.search("state = 'finished' and pipeline = 'big_tips'"))[
            :3
        ][::-1]
        passed = tuple(
            replace(
                g,
                state=GateState.PASSED,
                reason=g.reason
                if g.state is GateState.PASSED
                else "verified bit for bit"
                if "verified" in g.gate
                else "the largest gap is 0.0312, between Flash Cab and KOAM",
            )
            for g in self.gates
        )
        for index, run in enumerate(finished):
            metrics = {
                n: e.value + (index - 1) * 0.011 for n, e in list(report.metrics.items())[:6]
            }
            registry.register("big-tips", Model(model, signature), report=report, profile=report.profile, metrics=metrics,
                              gates=passed if index < 2 else self.gates, run_id=run.run_id, trained_by=run.user, actor=run.user,
                              note="Only for rides paid by card." if index == 1 else "")  # fmt: skip
        self._put_into_production(1, "mara", "First version; beats the constant model clearly.")
        registry.approve(
            "big-tips", 2, actor="lena", reason="Looked at the slices: no company lost recall."
        )
        self._put_into_production(2, "lena", "Better on the same rows by 0.011 roc_auc.")
        registry.promote(
            "big-tips", 3, to=Stage.STAGING, actor="jonas", reason="To be compared in a canary."
        )
        registry.register(
            "churn",
            Model(model, signature),
            metrics={"roc_auc": 0.66},
            gates=(GateResult("roc_auc >= 0.70", GateState.FAILED, "0.66 is below 0.70"),),
            actor="jonas",
        )

    def _put_into_production(self, version: int, actor: str, reason: str) -> None:
        """Write the moves of a promotion, whose gates a story like this cannot really pass."""
        versions = self.metadata.models.list_versions("big-tips")
        moves = [
            StageEvent("big-tips", old.version, old.stage, Stage.ARCHIVED, actor, f"Replaced by big-tips@{version}.", now())
            for old in versions if old.stage is Stage.PRODUCTION
        ]  # fmt: skip
        moves.append(
            StageEvent("big-tips", version, Stage.NONE, Stage.PRODUCTION, actor, reason, now())
        )
        approved = self.metadata.models.list_approvals("big-tips", version)
        yes = ApprovalRecord("big-tips", version, actor, approved=True, reason=reason, at=now())
        self.metadata.models.move_stages(
            moves,
            expected={v.version: v.revision for v in versions},
            approvals=[] if approved else [yes],
        )

    def _deployment(self) -> None:
        began = self.now - timedelta(hours=30)
        rollout = RolloutRecord(
            RolloutState.RUNNING,
            version=3,
            control=2,
            steps=(5, 25, 100),
            rules=RolloutRules(),
            started_at=began,
            step_started_at=began,
            position=1,
            passed=(PassedStep(5, 400, 2, 21600.0),),
        )
        first = DeploymentRecord("big-tips", "big-tips", DeploymentState.LIVE, {2: 1.0}, 2, began)
        saved = self.metadata.deployments.save(
            first,
            expected_generation=None,
            event=DeploymentEvent(
                "big-tips",
                "deployed",
                "Version 2 answers all requests.",
                began - timedelta(hours=1),
            ),
        )
        self.metadata.deployments.save(
            replace(first, weights={2: 0.75, 3: 0.25}, rollout=rollout, updated_at=self.now),
            expected_generation=saved.generation,
            event=DeploymentEvent(
                "big-tips", "rollout_started", "Version 3 gets 5 % beside version 2.", began
            ),
        )
        self.metadata.deployments.add_event(
            DeploymentEvent(
                "big-tips",
                "rollout_step",
                "400 requests without a higher error rate. Version 3 now gets 25 %.",
                began + timedelta(hours=6),
            )
        )
        inputs = {
            "company": "Flash Cab",
            "payment_type": "Credit Card",
            "miles": 2.4,
            "trip_start": "2016-06-01 08:00:00",
        }
        rows = []
        for index in range(900):
            at = self.now - timedelta(minutes=900 - index, seconds=50)
            bad = index % 211 == 7
            answer = self.random.random() < 0.3
            rows.append(PredictionRecord(new_id(), "big-tips", "big-tips", 3 if index % 4 == 0 else 2, at, {**inputs, "miles": round(self.random.lognormvariate(1.4, 0.7), 1)},
                                         answer and not bad, f"rider-{index}", None if bad else round(self.random.random(), 4), 0.002 + 0.004 * self.random.random(),
                                         ("payment_type: 'Mobile' was not seen in training",) if index % 60 == 0 else (), error="ValueError: miles is text" if bad else None))  # fmt: skip
        self.metadata.predictions.add(rows)
        self.metadata.predictions.add_truth(
            {r.prediction_id: self.random.random() < 0.3 for r in rows[:500]}, self.now
        )
        self.prediction = rows[-1].prediction_id
        self._drift()

    def _drift(self) -> None:
        monitor = Monitor("big-tips", store=self.store)
        for hours in (8, 0):
            monitor.check(until=self.now - timedelta(hours=hours))
        resolved = AlertRecord(
            new_id(),
            "big-tips",
            "big-tips",
            "errors",
            "error rate",
            "2.1 % of the requests failed; 0.5 % is allowed.",
            self.now - timedelta(days=2),
            self.now - timedelta(days=1),
            3,
            self.now - timedelta(days=1),
        )
        self.metadata.deployments.save_alert(resolved)


@pytest.fixture(scope="session")
def fill_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Filler]:
    """Fill a new store each time; for tests that write into theirs."""

    def fill() -> Filler:
        folder = tmp_path_factory.mktemp("ui")
        filler = Filler(open_store(f"sqlite:///{folder}/penstock.db"))
        filler.fill()
        return filler

    return fill


@pytest.fixture(scope="session")
def filled(fill_store: Callable[[], Filler]) -> Filler:
    """Give a filled store, the same one to every test: they read it only."""
    return fill_store()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/penstock.db")


@pytest.fixture
def client(store: Store) -> TestClient:
    return TestClient(create_ui(store=store), base_url="http://127.0.0.1")


@pytest.fixture(scope="session")
def _filled_ui(filled: Filler) -> Any:
    return create_ui(store=filled.store)


@pytest.fixture
def site(_filled_ui: Any) -> TestClient:
    return TestClient(_filled_ui, base_url="http://127.0.0.1")


@pytest.fixture
def fill_runs():
    """Write plain runs into a store; gives back their ids."""

    def fill(store: Store, count: int, *, host_here: bool = False, **fields: Any) -> list[str]:
        made = []
        for index in range(count):
            at = now() - timedelta(minutes=count - index)
            run = RunRecord(
                run_id=new_id(), name=f"run {index}", experiment="default", pipeline="p", entry=None, state=RunState.FINISHED, seed=0,
                created_at=at, started_at=at, ended_at=at + timedelta(seconds=3), params={"lr": index / 10, "kind": "a"}, user="mara",
                host=platform.node() if host_here else "",
            )  # fmt: skip
            store.metadata.runs.create(replace(run, **fields))
            store.metadata.metrics.log(
                run.run_id,
                [MetricPoint(name, index / (index + 2), 0, at) for name in ("auc", "f1", "loss")],
            )
            made.append(run.run_id)
        return made

    return fill
