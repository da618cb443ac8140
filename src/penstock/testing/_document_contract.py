"""Contract of documents of foreign protocols."""

from dataclasses import replace

import pytest

from penstock.core import ConflictError, DocumentRecord, NotFoundError, now
from penstock.stores import MetadataStore
from penstock.testing._records import an_artifact


def _document(key: str, owner: str = "run-1", **body: object) -> DocumentRecord:
    return DocumentRecord("test.note", key, owner, now(), body)


class DocumentContract:
    """Tests of documents; see MetadataStoreContract."""

    def test_a_document_is_added_once(self, metadata: MetadataStore) -> None:
        first, second = _document("a", rows=3), _document("b", owner="run-2")
        assert metadata.documents.add([second, first]) == [True, True]
        assert metadata.documents.add([_document("a", rows=4)]) == [False]
        assert metadata.documents.get("test.note", "a") == first
        with pytest.raises(NotFoundError, match=r"no test\.note 'c'"):
            metadata.documents.get("test.note", "c")

    def test_a_document_is_replaced_only_as_it_was_read(self, metadata: MetadataStore) -> None:
        metadata.documents.add([_document("a", rows=3)])
        read = metadata.documents.get("test.note", "a")
        saved = metadata.documents.save(replace(read, body={"rows": 4}), expected_revision=1)
        assert (saved.revision, saved.body) == (2, {"rows": 4})
        assert metadata.documents.get("test.note", "a").body == {"rows": 4}
        with pytest.raises(ConflictError, match="revision 2, not 1"):
            metadata.documents.save(replace(read, body={}), expected_revision=1)

    def test_documents_are_listed_by_owner_and_by_key(self, metadata: MetadataStore) -> None:
        documents = [_document(f"k{i:04}", owner=f"run-{i % 2}") for i in range(1200)]
        metadata.documents.add(documents)
        assert [d.key for d in metadata.documents.list("test.note", owners=["run-1"])] == [
            d.key for d in documents if d.owner == "run-1"
        ]
        keys = [d.key for d in documents[:1100]]
        assert [d.key for d in metadata.documents.list("test.note", keys=keys)] == keys
        assert len(metadata.documents.list("test.note")) == 1200
        assert metadata.documents.list("test.other") == []

    def test_files_of_a_document_go_with_it(self, metadata: MetadataStore) -> None:
        file = an_artifact()
        metadata.documents.add([_document("a")])
        metadata.documents.add_files("test.note", "a", {"model/x": file, "notes.txt": file})
        files = metadata.documents.list_files("test.note", "a", under="model/")
        assert {path: artifact.digest for path, artifact in files.items()} == {
            "model/x": file.digest
        }
        metadata.documents.drop_files("test.note", "a", ["model/x"])
        assert list(metadata.documents.list_files("test.note", "a")) == ["notes.txt"]
        metadata.documents.delete("test.note", ["a", "unknown"])
        assert metadata.documents.list_files("test.note", "a") == {}
        assert metadata.documents.list("test.note") == []

    def test_experiments_and_models_exist_without_contents(self, metadata: MetadataStore) -> None:
        metadata.runs.create_experiment("churn", tags={"team": "risk", "old": "yes"})
        metadata.runs.delete_experiment_tags("churn", ["old"])
        metadata.runs.rename_experiment("churn", "churn-2")
        [experiment] = metadata.runs.search_experiments("name like 'churn%'")
        assert (experiment.name, experiment.tags) == ("churn-2", {"team": "risk"})
        metadata.models.create("big-tips", note="taxi", tags={"team": "risk", "old": "yes"})
        metadata.models.delete_tags("big-tips", ["old"])
        [model] = metadata.models.search()
        assert (model.versions, model.note, model.tags) == (0, "taxi", {"team": "risk"})
        with pytest.raises(ConflictError, match="already"):
            metadata.models.create("big-tips")
        with pytest.raises(ConflictError, match="already"):
            metadata.runs.create_experiment("churn-2")
