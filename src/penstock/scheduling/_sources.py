"""Check of a pipeline's sources when a schedule is added, so that a missing file is reported at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from penstock.core import NotFoundError
from penstock.data.sources import StampedSource, resolving_in
from penstock.pipelines import Output, Pipeline


def require_sources(pipeline: Pipeline[..., Any], params: Mapping[str, Any], project: Path) -> None:
    """Check that every source of a pipeline will be found by a scheduled run.

    Args:
        pipeline: The pipeline.
        params: Parameters of the pipeline, typed.
        project: The folder in which the scheduler runs the pipeline.

    Raises:
        NotFoundError: If the data of a source does not exist.
    """
    with resolving_in(project):
        for source in _sources_of(pipeline, params):
            try:
                source.stamp()
            except NotFoundError as error:
                raise NotFoundError(
                    what=f"The schedule's run would not find its source '{source.name}': {error.what}",
                    why=error.why,
                    fix=f"{error.fix} If the file comes later, use new_data=.",
                    source=source.name,
                ) from error


def _sources_of(pipeline: Pipeline[..., Any], params: Mapping[str, Any]) -> Iterator[StampedSource]:
    for node in pipeline.trace(**params).order():
        for value in node.arguments.values():
            # The output of a step has no value yet and refuses to be looked at.
            if not isinstance(value, Output) and isinstance(value, StampedSource):
                yield value
