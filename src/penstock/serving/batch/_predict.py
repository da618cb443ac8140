"""predict: a model version over all rows of a source, into a file; recorded as a run."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.core import (
    DataError,
    Edge,
    ModelVersionRecord,
    NotFoundError,
    ParameterError,
    RunState,
    did_you_mean,
    digest_json,
)
from penstock.data import DataSource
from penstock.data.sources import (
    Reading,
    Scan,
    StampedSource,
    read_batches,
)
from penstock.execution import RunnerName, map_in_order
from penstock.models import Form, Signature
from penstock.registry import Registry, parse_ref
from penstock.serving._forms import find_batch_form
from penstock.serving.batch._options import PART_ROWS, BatchOptions, Refused, output_names
from penstock.serving.batch._part import kept_columns
from penstock.serving.batch._records import EXPERIMENT, MANIFEST
from penstock.serving.batch._source import rules_of, source_of
from penstock.serving.batch._staging import BatchStaging, StagedPart
from penstock.serving.batch._table_target import TableTarget, table_target
from penstock.serving.batch._target import BatchTarget
from penstock.serving.batch._worker import PartWork, digest_part, work_on
from penstock.stores import Store, open_store
from penstock.tracking import ActiveRun, active_run, start_run

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class BatchPrediction:
    """A batch of predictions.

    Args:
        batch_id: The run of the batch; a prediction's id is this and the number of the row.
        version: The version that answered, ``model@version``.
        out: Path or URL of the predictions.
        rows: Rows of the source.
        predicted: Rows predicted.
        refused: Rows that the server would refuse; they are in ``refused_out``.
        warned: Predicted rows with warnings.
        resumed: Parts that an earlier, killed attempt had finished.
        answers: Evidence that the answers are those of single requests.
        refused_out: Path or URL of the refused rows; None if there are none.
        notes: Remarks on the columns.
        form: The form that answered, ``native`` or ``onnx``.
    """

    batch_id: str
    version: str
    out: str
    rows: int
    predicted: int
    refused: int
    warned: int
    resumed: int = 0
    answers: str = ""
    refused_out: str | None = None
    notes: tuple[str, ...] = ()
    form: Form = "native"


def predict(
    model: str,
    *,
    data: object,
    out: object,
    runner: RunnerName = "local",
    workers: int | None = None,
    keep: Sequence[str] | None = None,
    probabilities: bool = False,
    refused: Refused = "report",
    format: str | None = None,  # noqa: A002 - the same name as of FileSource
    part_rows: int = PART_ROWS,
    form: Form | None = None,
    progress: Callable[[str], None] | None = None,
    store: Store | str | None = None,
) -> BatchPrediction:
    """Predict all rows of a source with a model version, and write the predictions.

    Each row is checked and answered as the model server answers a request with that row. The file
    appears whole: a killed batch leaves none, and the same call predicts only what is missing. A
    model of several targets has a column for each, ``prediction_height``, ``prediction_weight``.

    >>> import tempfile
    >>> import polars as pl
    >>> from sklearn.dummy import DummyRegressor
    >>> from penstock.models import Model
    >>> rides = pl.DataFrame({"ride": ["a", "b"], "miles": [1.5, 3.0]})
    >>> folder = tempfile.mkdtemp()
    >>> place = f"sqlite:///{folder}/penstock.db"
    >>> estimator = DummyRegressor().fit(rides.select("miles"), [2.0, 4.0])
    >>> registry = Registry(store=place)
    >>> _ = registry.register("tips", Model.of(estimator, rides.select("miles")))
    >>> batch = predict("tips@1", data=rides, out=f"{folder}/tips.csv", store=place)
    >>> batch.predicted, pl.read_csv(batch.out)["prediction"].to_list()
    (2, [3.0, 3.0])

    Args:
        model: ``model`` for the version in production, ``model@3``, or ``model@staging``.
        data: A source, a frame, or the text of a source: a file, folder or glob, a URL.
        out: File (``.parquet``, ``.csv``, ``.jsonl``, ``.arrow``) or folder (``scores/``, a file
            per part), local or in a bucket; or the table of a database
            (``postgresql://host/shop?table=scores``), written in one transaction. Must not exist;
            with ``&mode=append`` the table may.
        runner: Where parts are predicted: ``local``, ``processes`` or ``ray``.
        workers: Number of workers; by default as many as cores.
        keep: Columns of the source that stand beside the predictions; by default all that are no
            inputs of the model.
        probabilities: Whether each class's probability is written too.
        refused: Treatment of rows that the server would refuse: ``report`` them in
            ``OUT.refused.jsonl``, or ``stop``.
        format: ``parquet``, ``csv``, ``json``, ``arrow``, or ``delta`` for a folder with a Delta
            table of a single version; by default from the ending.
        part_rows: Rows of a part, which a worker predicts at once.
        form: The form that answers, ``native`` or ``onnx``; by default that of the model's deployment,
            so that the answers are those of the server, or by the version's check.
        progress: Called with a line after each part.
        store: The store of the model; by default the project's.

    Raises:
        NotFoundError: If there is no such model, version, or source.
        ParameterError: If an option or the target cannot be used.
        ConflictError: If the target exists, or a second process is at work on this batch.
        DataError: If an input is missing in the source; or, with ``refused="stop"``, if a row is
            refused; or if the ONNX form is asked for, and did not agree or was not tried.
        SerializationError: If the ONNX form computes otherwise here than at registration.
        MissingPackageError: If the ONNX form answers, and onnxruntime is not installed.
    """
    opened = open_store(store)
    if part_rows < 1:
        raise ParameterError(
            what=f"part_rows={part_rows!r}.", fix="Give a number of rows, 1 or more."
        )
    if refused not in {"report", "stop"}:
        raise ParameterError(
            what=f"refused={refused!r} is not known.", fix=did_you_mean(refused, ["report", "stop"])
        )
    target = table_target(out, format) or BatchTarget.of(out, format)
    version = _find_version(model, opened)
    signature = Signature.from_json(version.signature)
    source = source_of(data, signature)
    options = BatchOptions(None if keep is None else tuple(keep), probabilities, refused, part_rows)
    batch = _Batch(opened, version, source, target, options, find_batch_form(opened, version, form))
    return batch.run(runner, workers, progress)


@dataclass
class _Batch:
    """A batch under way: source, and place of the parts."""

    store: Store
    version: ModelVersionRecord
    source: DataSource
    target: BatchTarget | TableTarget
    options: BatchOptions
    form: Form
    reading: Reading = field(default_factory=Reading)
    notes: list[str] = field(default_factory=list)

    def run(
        self, runner: RunnerName, workers: int | None, progress: Callable[[str], None] | None
    ) -> BatchPrediction:
        stamp = self.source.stamp() if isinstance(self.source, StampedSource) else None
        plan = {
            "model": self.version.ref,
            "content_digest": self.version.content_digest,
            "source": self.source.describe(),
            "state": stamp,
            "options": self.options.to_json(),
            "form": self.form,
            "out": self.target.url,
        }
        staging = BatchStaging(self.target.staging(digest_json(plan).removeprefix("sha256:")[:12]))
        earlier = staging.batch_id
        if earlier is None or not self._is_open(earlier):
            staging.remove()  # of a batch that has ended, or whose run was deleted
            earlier = None
        if not staging.is_written:
            self.target.require_absent()
        signature = Signature.from_json(self.version.signature)
        with self._run(earlier) as run:
            staging.begin(run.run_id, plan)
            parts = list(
                self._finish_parts(
                    run, staging, signature, stamp is not None, runner, workers, progress
                )
            )
            result = self._result(run, [part for part, _ in parts], sum(old for _, old in parts))
            self._write(staging, result, [part for part, _ in parts])
            self._record(run, result, [part for part, _ in parts])
        staging.remove()
        return result

    def _run(self, earlier: str | None) -> ActiveRun:
        options: dict[str, Any] = {
            "console": False,
            "system_metrics": False,
            "provenance": False,
            "store": self.store,
        }
        if earlier is not None:
            return start_run(resume=earlier, nested=active_run() is not None, **options)
        run = start_run(
            f"predict {self.version.ref}",
            experiment=EXPERIMENT,
            tags={"model": self.version.model, "version": self.version.version, "batch": "predict"},
            nested=active_run() is not None,
            **options,
        )
        run.log_params(
            {"model": self.version.ref, "data": self.source.name, "out": self.target.url}
        )
        return run

    def _is_open(self, run_id: str) -> bool:
        try:
            run = self.store.metadata.runs.get(run_id)
        except NotFoundError:
            return False
        return run.state is not RunState.FINISHED and run.deleted_at is None

    def _finish_parts(
        self,
        run: ActiveRun,
        staging: BatchStaging,
        signature: Signature,
        is_stamped: bool,
        runner: RunnerName,
        workers: int | None,
        progress: Callable[[str], None] | None,
    ) -> Iterator[tuple[StagedPart, bool]]:
        started, rows, new = time.perf_counter(), 0, 0
        for done, predictions in map_in_order(
            work_on,
            self._works(run.run_id, staging, signature, is_stamped),
            on=runner,
            workers=workers,
        ):
            rows += done.rows
            if predictions is None:
                known = staging.find(done.number)
                assert known is not None
                yield known, True
                continue
            if predictions.refused and self.options.refused == "stop":
                raise _stopped(predictions.refused, done)
            part = StagedPart(
                done.number,
                done.rows,
                predictions.table.height,
                len(predictions.refused),
                predictions.warned,
                predictions.answers,
                done.digest,
            )
            staging.add(part, predictions.table, predictions.refused)
            new += done.rows
            run.log_metric("rows", rows, step=done.number)
            if progress is not None:
                speed = new / max(time.perf_counter() - started, 1e-9)
                progress(f"{rows:,} rows, {speed:,.0f} rows/s")
            yield part, False

    def _works(
        self, batch_id: str, staging: BatchStaging, signature: Signature, is_stamped: bool
    ) -> Iterator[PartWork]:
        scan = self.source.scan()
        written = scan.reading.rules if isinstance(scan, Scan) else {}
        first_row = 0
        for number, table in enumerate(
            cut(read_batches(scan, self.source.name), self.options.part_rows)
        ):
            if number == 0:
                self._check_columns(table.columns, signature)
            digest = "" if is_stamped else digest_part(table)
            known = staging.find(number)
            is_done = known is not None and (known.rows, known.digest) == (table.height, digest)
            yield PartWork(
                self.store.url,
                self.version.model,
                self.version.version,
                batch_id,
                number,
                first_row,
                table.height,
                digest,
                self.options,
                self.form,
                None if is_done else table,
                rules_of(table, signature, written),
            )
            first_row += table.height
        if isinstance(scan, Scan):
            self.reading = scan.reading
        if not first_row:
            raise DataError(
                what=f"Source '{self.source.name}' has no rows.", fix="Check the source."
            )

    def _check_columns(self, columns: Sequence[str], signature: Signature) -> None:
        """Check the table's columns: those that the model needs, and those that are kept."""
        looked_up = {} if signature.features is None else signature.features.columns
        others = [name for name in columns if name not in set(signature.names)]
        for column in signature.inputs:
            if column.name in columns or column.name in looked_up:
                continue
            hint = did_you_mean(column.name, others)
            if column.is_required or hint.startswith("Did"):
                raise DataError(
                    what=f"Source '{self.source.name}' has no column {column.name!r}.",
                    why="It is an input of the model.",
                    fix=hint if hint.startswith("Did") else f"It has: {', '.join(columns)[:300]}.",
                    column=column.name,
                )
            self.notes.append(f"{column.name} is absent, and a missing value in every row.")
        kept = kept_columns(columns, signature, self.options)
        for name in kept:
            if name not in columns:
                raise DataError(
                    what=f"keep names {name!r}, which is no column of '{self.source.name}'.",
                    fix=did_you_mean(name, columns),
                    column=name,
                )
        own = output_names(signature, probabilities=self.options.probabilities)
        clash = sorted({*kept} & {*own, "row", "reason"})
        if clash:
            raise DataError(
                what=f"The source has a column {clash[0]!r}, a name that the predictions use.",
                fix=f"Name the columns to keep: keep={[n for n in kept if n not in clash][:5]}, or"
                " rename it.",
                column=clash[0],
            )

    def _result(self, run: ActiveRun, parts: list[StagedPart], resumed: int) -> BatchPrediction:
        refused = sum(part.refused for part in parts)
        ways = sorted({part.answers for part in parts})
        return BatchPrediction(
            run.run_id,
            self.version.ref,
            self.target.url,
            sum(part.rows for part in parts),
            sum(part.predicted for part in parts),
            refused,
            sum(part.warned for part in parts),
            resumed,
            ", ".join(ways),
            self.target.refused_place(run.run_id) if refused else None,
            tuple(self.notes),
            self.form,
        )

    def _write(
        self, staging: BatchStaging, result: BatchPrediction, parts: list[StagedPart]
    ) -> None:
        if staging.is_written and self.target.is_published(result.batch_id):
            return  # killed between the last two steps
        refused = staging.join_refused(len(parts)) if result.refused else None
        made = self.target.make([staging.table(part.number) for part in parts], staging.folder)
        staging.note_written()
        self.target.publish(made, refused)

    def _record(self, run: ActiveRun, result: BatchPrediction, parts: list[StagedPart]) -> None:
        counts = {"predicted": result.predicted, "refused": result.refused, "warned": result.warned}
        run.log_metrics({name: float(count) for name, count in counts.items()})
        targets = [each.name for each in Signature.from_json(self.version.signature).targets]
        manifest = {
            "model": self.version.model,
            "version": self.version.version,
            "content_digest": self.version.content_digest,
            "source": self.source.describe(),
            "read": dict(self.reading.facts),
            **({"targets": targets} if targets else {}),
            "out": str(self.target.path) + ("/" if self.target.is_folder else "")
            if not self.target.is_remote
            else self.target.url,
            "format": self.target.format,
            "options": self.options.to_json(),
            "answers": result.answers,
            "form": self.form,
            "rows": result.rows,
            **counts,
            "refused_out": result.refused_out,
            "notes": list(self.notes),
            "parts": [part.to_json() for part in parts],
        }
        run.log_dict(MANIFEST, json.loads(json.dumps(manifest, default=str)))
        node = f"run:{run.run_id}"
        self.store.metadata.artifacts.add_edges(
            [
                Edge(f"version:{self.version.ref}", node, "predicted"),
                Edge(f"source:{self.source.name}", node, "read"),
            ]
        )


def cut(frames: "Iterator[pl.DataFrame]", rows: int) -> "Iterator[pl.DataFrame]":
    """Cut a stream of frames into frames of equally many rows; the last may have fewer.

    >>> import polars as pl
    >>> [each.height for each in cut(iter([pl.DataFrame({"a": range(5)})] * 2), 4)]
    [4, 4, 2]
    """
    import polars as pl

    waiting: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        place = 0
        while frame.height - place >= rows - size:
            waiting.append(frame[place : place + rows - size])
            place += rows - size
            yield pl.concat(waiting).rechunk()
            waiting, size = [], 0
        if place < frame.height:
            waiting.append(frame[place:])
            size += frame.height - place
    if size:
        yield pl.concat(waiting).rechunk()


def _find_version(model: str, store: Store) -> ModelVersionRecord:
    name, number = parse_ref(model)
    return Registry(store=store).get(name, "production" if number is None else number)


def _stopped(refused: Sequence[dict[str, Any]], part: PartWork) -> DataError:
    first = refused[0]
    return DataError(
        what=f"Row {first['row']:,} is refused: {first['reason']}"
        + (f" In its part of {part.rows:,} rows {len(refused):,} are." if len(refused) > 1 else ""),
        why='The batch stops at such rows (refused="stop"); nothing was written.',
        fix='Correct the rows, or write them apart: refused="report".',
        row=first["row"],
    )
