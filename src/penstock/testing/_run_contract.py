"""Contract of runs and experiments."""

import math
from dataclasses import replace
from datetime import datetime

import pytest

from penstock.core import (
    ConflictError,
    MetricPoint,
    MetricSummary,
    NotFoundError,
    ParameterError,
    RunState,
    StepState,
    now,
)
from penstock.stores import MetadataStore, this_process
from penstock.testing._records import START, a_run, a_step, a_version, at


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


class RunContract:
    """Tests of runs and experiments; see MetadataStoreContract."""

    def test_a_run_comes_back_as_it_was_given(self, metadata: MetadataStore) -> None:
        run = a_run(
            pipeline="big_tips",
            seed=2**64 - 1,
            parent_run_id="parent",
            started_at=at(1),
            heartbeat_at=at(2.000001),
            host="h",
            pid=12,
            pid_started=3.25,
            user="ada",
            params={"lr": 0.1, "layers": (1, 2), "start": START, "none": None, "nan": math.inf},
            tags={"team": "risk"},
            metrics={"auc": MetricSummary(0.1, 0.9, 0.1, 0.9, 3, 2.0)},
            graph={"nodes": ["ä"]},
            note="# note",
        )
        metadata.runs.create(run)
        assert metadata.runs.get(run.run_id) == run

    def test_a_run_is_made_once(self, metadata: MetadataStore) -> None:
        run = a_run(params={"lr": 1})
        metadata.runs.create(run)
        with pytest.raises(ConflictError, match="already"):
            metadata.runs.create(replace(run, params={"lr": 2}))
        assert metadata.runs.get(run.run_id).params == {"lr": 1}

    def test_names_notes_and_tags_that_every_list_returns_have_a_longest_length(
        self, metadata: MetadataStore
    ) -> None:
        run = a_run(name="é" * 1000, note="x" * 1_000_000, tags={"t": "x" * 1_000_000})
        metadata.runs.create(run)
        assert metadata.runs.get(run.run_id) == run
        with pytest.raises(ParameterError, match="name of the run has 2,002 bytes"):
            metadata.runs.create(a_run(name="é" * 1001))
        with pytest.raises(ParameterError, match="note of the run has 1,000,001 bytes"):
            metadata.runs.update(run.run_id, note="x" * 1_000_001)
        with pytest.raises(ParameterError, match="tag 'u' has 1,000,001 bytes"):
            metadata.runs.set_tags(run.run_id, {"t": "new", "u": "x" * 1_000_001})
        metadata.models.create_version(a_version(model="m"), actor="ada")
        with pytest.raises(ParameterError, match="tag 'u' has 1,000,001 bytes"):
            metadata.models.set_tags("m", {"u": "x" * 1_000_001})
        assert metadata.runs.get(run.run_id) == run

    def test_a_run_is_found_by_a_unique_beginning_and_as_last(
        self, metadata: MetadataStore
    ) -> None:
        first, second = a_run(run_id="0" * 20), a_run(run_id="0a" + "0" * 18)
        metadata.runs.create(first)
        metadata.runs.create(second)
        assert metadata.runs.get("0a") == second
        assert metadata.runs.get("last") == second
        with pytest.raises(NotFoundError, match="Several runs begin with '0'"):
            metadata.runs.get("0")

    def test_an_unknown_run_is_named_with_what_was_meant(self, metadata: MetadataStore) -> None:
        with pytest.raises(NotFoundError, match="no runs yet"):
            metadata.runs.get("last")
        metadata.runs.create(a_run(run_id="06h0h2qwn395efw9wq3v"))
        with pytest.raises(NotFoundError, match=r"may be a model version.* penstock models churn$"):
            metadata.runs.get("churn@1")
        with pytest.raises(NotFoundError, match="Did you mean '06h0h2qwn395efw9wq3v'"):
            metadata.runs.get("06h0h2qwn395efw9wq3x")

    def test_fields_of_a_run_change_by_name(self, metadata: MetadataStore) -> None:
        run = a_run()
        metadata.runs.create(run)
        changed = metadata.runs.update(run.run_id, error="boom", graph={"a": 1}, ended_at=at(3))
        assert changed == replace(run, error="boom", graph={"a": 1}, ended_at=at(3))
        assert metadata.runs.get(run.run_id) == changed

    def test_a_field_that_does_not_exist_or_is_fixed_is_refused(
        self, metadata: MetadataStore
    ) -> None:
        run = a_run()
        metadata.runs.create(run)
        with pytest.raises(ParameterError, match="Did you mean 'error'"):
            metadata.runs.update(run.run_id, eror="boom")
        with pytest.raises(ParameterError, match="params"):
            metadata.runs.update(run.run_id, params={})

    def test_a_state_that_cannot_follow_is_refused(self, metadata: MetadataStore) -> None:
        run = a_run()
        metadata.runs.create(run)
        metadata.runs.update(run.run_id, state=RunState.FINISHED)
        with pytest.raises(ConflictError, match="is finished and cannot become killed"):
            metadata.runs.update(run.run_id, state=RunState.KILLED)
        assert metadata.runs.get(run.run_id).state is RunState.FINISHED

    def test_a_failed_run_can_run_again(self, metadata: MetadataStore) -> None:
        run = a_run(state=RunState.FAILED)
        metadata.runs.create(run)
        changed = metadata.runs.update(run.run_id, state="running", attempt=2)
        assert (changed.state, changed.attempt) == (RunState.RUNNING, 2)

    def test_params_are_added_but_never_changed(self, metadata: MetadataStore) -> None:
        run = a_run(params={"lr": 0.1})
        metadata.runs.create(run)
        metadata.runs.log_params(run.run_id, {"lr": 0.1, "depth": 3})
        with pytest.raises(ConflictError, match="already 3 and cannot become 4"):
            metadata.runs.log_params(run.run_id, {"new": 1, "depth": 4})
        assert metadata.runs.get(run.run_id).params == {"lr": 0.1, "depth": 3}

    def test_tags_are_replaced(self, metadata: MetadataStore) -> None:
        run = a_run(tags={"a": "1", "b": "2"})
        metadata.runs.create(run)
        metadata.runs.set_tags("last", {"b": "3"})
        assert metadata.runs.get(run.run_id).tags == {"a": "1", "b": "3"}
        metadata.runs.delete_tags(run.run_id, ["a", "never there"])
        assert metadata.runs.get(run.run_id).tags == {"b": "3"}

    def test_logging_to_an_unknown_run_is_refused(self, metadata: MetadataStore) -> None:
        for log in (metadata.runs.log_params, metadata.runs.set_tags):
            with pytest.raises(NotFoundError, match="no run 'nobody'"):
                log("nobody", {"a": "1"})
        with pytest.raises(NotFoundError, match="no run 'nobody'"):
            metadata.metrics.log("nobody", [MetricPoint("a", 1.0, 0, START)])

    def test_metrics_are_summed_up_and_kept_in_order_of_step(self, metadata: MetadataStore) -> None:
        run = a_run()
        metadata.runs.create(run)
        points = [
            MetricPoint("loss", value, step, at(step))
            for step, value in ((0, 0.9), (2, 0.4), (1, 0.95))
        ]
        metadata.metrics.log(run.run_id, points[:2])
        metadata.metrics.log(run.run_id, points[2:])
        summary = metadata.runs.get(run.run_id).metrics["loss"]
        assert summary == MetricSummary(0.9, 0.4, 0.4, 0.95, 3, 2)
        history = metadata.metrics.history(run.run_id, "loss")
        assert history.steps.tolist() == [0, 1, 2]
        assert history.values.tolist() == [0.9, 0.95, 0.4]
        assert history.times.tolist() == [_micros(at(step)) for step in range(3)]

    def test_nan_and_infinity_are_metrics(self, metadata: MetadataStore) -> None:
        run = a_run()
        metadata.runs.create(run)
        values = [math.nan, 1.0, -math.inf, math.nan]
        metadata.metrics.log(
            run.run_id, [MetricPoint("loss", value, i, START) for i, value in enumerate(values)]
        )
        history = metadata.metrics.history(run.run_id, "loss").values.tolist()
        assert [str(value) for value in history] == ["nan", "1.0", "-inf", "nan"]
        summary = metadata.runs.get(run.run_id).metrics["loss"]
        assert math.isnan(summary.first)
        assert math.isnan(summary.last)
        assert (summary.min, summary.max, summary.count) == (-math.inf, 1.0, 4)

    def test_runs_are_found_by_what_was_logged(self, metadata: MetadataStore) -> None:
        for index, name in enumerate(["a", "b", "c"]):
            run = a_run(name=name, params={"lr": index / 10}, created_at=at(index))
            metadata.runs.create(run)
            if name != "c":
                metadata.metrics.log(run.run_id, [MetricPoint("auc", 0.5 + index, 0, START)])
        runs = metadata.runs.search("metrics.auc > 0.5 or params.lr = 0.2")
        assert [run.name for run in runs] == ["c", "b"]
        by_auc = metadata.runs.search(order_by="metrics.auc desc")
        assert [run.name for run in by_auc] == ["b", "a", "c"]
        assert metadata.runs.count("metrics.auc IS NULL") == 1

    def test_pages_of_a_search_do_not_overlap(self, metadata: MetadataStore) -> None:
        runs = [a_run(experiment="even" if i % 2 == 0 else "odd") for i in range(7)]
        for run in runs:
            metadata.runs.create(run)
        pages = [metadata.runs.search(limit=3, offset=start) for start in (0, 3, 6)]
        seen = [run.run_id for page in pages for run in page]
        assert seen == [run.run_id for run in reversed(runs)]
        assert metadata.runs.count(experiment="even") == 4
        assert metadata.runs.count(most=3) == 3
        assert metadata.runs.list_experiments() == ["even", "odd"]

    def test_a_run_whose_process_is_gone_becomes_killed_with_its_steps(
        self, metadata: MetadataStore
    ) -> None:
        host, pid, started = this_process()
        alive = a_run(host=host, pid=pid, pid_started=started)
        dead = a_run(host=host, pid=pid, pid_started=started - 1000, heartbeat_at=at(9))
        for run in (alive, dead):
            metadata.runs.create(run)
        step = a_step(dead.run_id)
        metadata.steps.start(step)
        assert metadata.runs.kill_dead() == [dead.run_id]
        killed = metadata.runs.get(dead.run_id)
        assert (killed.state, killed.ended_at) == (RunState.KILLED, at(9))
        assert metadata.steps.list(dead.run_id)[0].state is StepState.KILLED
        assert metadata.runs.get(alive.run_id).state is RunState.RUNNING
        assert metadata.runs.kill_dead() == []

    def test_a_silent_run_of_another_host_becomes_killed(self, metadata: MetadataStore) -> None:
        silent = a_run(host="elsewhere", pid=1, heartbeat_at=at(0))
        beating = a_run(host="elsewhere", pid=1, heartbeat_at=at(0))
        metadata.runs.create(silent)
        metadata.runs.create(beating)
        metadata.runs.beat(beating.run_id, now())
        assert metadata.runs.kill_dead() == [silent.run_id]

    @pytest.mark.parametrize("name", ["", " ", "n" * 5000])
    def test_names_that_no_index_takes_are_refused_everywhere(
        self, metadata: MetadataStore, name: str
    ) -> None:
        metadata.runs.create(a_run(run_id="r1", experiment="e"))
        runs, models, point = metadata.runs, metadata.models, MetricPoint(name, 1.0, 1.0, START)
        for call in (
            lambda: runs.create(a_run(run_id="r2", experiment=name)),
            lambda: runs.create(a_run(run_id=name)),
            lambda: runs.create_experiment(name),
            lambda: runs.rename_experiment("e", name),
            lambda: runs.set_experiment_tags("e", {name: "v"}),
            lambda: runs.set_tags("r1", {name: "v"}),
            lambda: runs.log_params("r1", {name: 1}),
            lambda: metadata.metrics.log("r1", [point]),
            lambda: models.create(name),
            lambda: models.create("m", tags={name: "v"}),
            lambda: models.create_version(a_version(model=name), actor="ada"),
        ):
            with pytest.raises(ParameterError):
                call()
        assert runs.list_experiments() == ["e"]
        assert models.list() == []

    def test_an_experiment_comes_into_being_with_its_first_run(
        self, metadata: MetadataStore
    ) -> None:
        for index, name in enumerate(["churn", "churn", "fraud"]):
            metadata.runs.create(a_run(experiment=name, created_at=at(index)))
        churn, fraud = metadata.runs.search_experiments(order_by="name")
        assert (churn.name, churn.runs, churn.created_at) == ("churn", 2, at(0))
        assert (churn.last_run_at, fraud.runs) == (at(1), 1)
        assert metadata.runs.list_experiments() == ["churn", "fraud"]

    def test_experiments_are_found_by_note_tag_and_number_of_runs(
        self, metadata: MetadataStore
    ) -> None:
        for name in ("a", "b", "b", "c"):
            metadata.runs.create(a_run(experiment=name))
        metadata.runs.set_experiment_tags("a", {"team": "risk"})
        metadata.runs.set_experiment_tags("a", {"team": "rides", "owner": "ada"})
        metadata.runs.update_experiment("c", note="# About c", archived_at=at(1))
        experiments = metadata.runs.search_experiments(
            "tags.team = 'rides' or runs > 1", order_by="name"
        )
        assert [(e.name, e.tags) for e in experiments] == [
            ("a", {"owner": "ada", "team": "rides"}),
            ("b", {}),
        ]
        assert [e.note for e in metadata.runs.search_experiments("archived_at is not null")] == [
            "# About c"
        ]
        after = metadata.runs.search_experiments(order_by="name", limit=1)[0].name
        assert [e.name for e in metadata.runs.search_experiments(order_by="name", after=after)] == [
            "b"
        ]

    def test_archived_and_deleted_runs_are_found_only_by_name(
        self, metadata: MetadataStore
    ) -> None:
        names = ["shown", "archived", "deleted"]
        ids = {}
        for name in names:
            run = a_run(name=name)
            metadata.runs.create(run)
            ids[name] = run.run_id
        metadata.runs.update(ids["archived"], archived_at=at(1))
        metadata.runs.update(ids["deleted"], deleted_at=at(1))
        assert [run.name for run in metadata.runs.search()] == ["shown"]
        assert metadata.runs.count() == 1
        assert [r.name for r in metadata.runs.search("deleted_at is not null")] == ["deleted"]
        everything = "archived_at is null or archived_at is not null or deleted_at is not null"
        assert metadata.runs.count(everything) == 3
