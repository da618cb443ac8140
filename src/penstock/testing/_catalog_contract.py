"""Contract of every MetadataStore for experiments, models and the search for them."""

import pytest

from penstock.core import NotFoundError, ParameterError
from penstock.stores import MetadataStore
from penstock.testing._records import a_run, a_version, at


class CatalogContract:
    """Tests about experiments and models; see MetadataStoreContract."""

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
        found = metadata.runs.search_experiments("tags.team = 'rides' or runs > 1", order_by="name")
        assert [(e.name, e.tags) for e in found] == [
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

    def test_models_are_found_by_tag_and_champion(self, metadata: MetadataStore) -> None:
        for model in ("m", "m", "n"):
            metadata.models.create_version(a_version(model), actor="ada")
        metadata.models.set_tags("n", {"team": "risk"})
        metadata.models.update("n", note="for fraud")
        [n] = metadata.models.search("tags.team = 'risk' and champion is null")
        assert (n.model, n.note, n.versions, n.tags) == ("n", "for fraud", 1, {"team": "risk"})
        assert [m.model for m in metadata.models.search("versions >= 2")] == ["m"]

    def test_versions_are_found_by_stage_metric_param_and_tag(
        self, metadata: MetadataStore
    ) -> None:
        run = a_run(params={"lr": 0.1})
        metadata.runs.create(run)
        for auc in (0.7, 0.9):
            metadata.models.create_version(
                a_version("m", run_id=run.run_id, metrics={"auc": auc}, content_digest=str(auc)),
                actor="ada",
            )
        metadata.models.set_version_tags("m", 2, {"for": "eu"})
        found = metadata.models.search_versions("metrics.auc > 0.8 and stage = 'none'")
        assert [(v.version, v.tags) for v in found] == [(2, {"for": "eu"})]
        assert len(metadata.models.search_versions("params.lr = 0.1 and model = 'm'")) == 2
        assert [v.version for v in metadata.models.search_versions("tags.for = 'eu'")] == [2]
        assert metadata.models.get_version("m", 2).tags == {"for": "eu"}

    def test_what_does_not_exist_is_not_tagged(self, metadata: MetadataStore) -> None:
        metadata.runs.create(a_run(experiment="churn"))
        with pytest.raises(NotFoundError, match="Did you mean 'churn'"):
            metadata.runs.set_experiment_tags("chrun", {"a": "b"})
        with pytest.raises(NotFoundError):
            metadata.models.set_version_tags("m", 1, {"a": "b"})
        with pytest.raises(ParameterError, match="cannot be changed"):
            metadata.runs.update_experiment("churn", color="x")
        with pytest.raises(ParameterError, match="No version is ever 'prod'"):
            metadata.models.search_versions("stage = 'prod'")

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
