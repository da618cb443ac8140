"""Contract of users, grants, tokens, sessions, projects and the audit trail."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from penstock.core import (
    AuditRecord,
    ConflictError,
    GrantRecord,
    Identity,
    NotFoundError,
    ProjectRecord,
    Role,
    Secret,
    SessionRecord,
    TokenRecord,
    UserRecord,
    hash_password,
    use_actor,
    use_identity,
)
from penstock.stores import MetadataStore
from penstock.testing._records import START

Record = TypeVar("Record", UserRecord, TokenRecord, SessionRecord)
_HASH = "$argon2id$canary"
ADA = UserRecord("ada", START, full_name="Ada Łovelace", password_hash=_HASH)
_HOUR = timedelta(hours=1)


def a_grant(**changes: Any) -> GrantRecord:
    """Return a grant of ada."""
    return replace(GrantRecord("ada", "churn", Role.TRAINER, "root", START), **changes)


def a_token(**changes: Any) -> TokenRecord:
    """Return a token of ada."""
    token = TokenRecord("pst_1", "ada", "d1", START, "laptop", Role.TRAINER, "churn", START + _HOUR)
    return replace(token, **changes)


def a_session(**changes: Any) -> SessionRecord:
    """Return a session of ada."""
    session = SessionRecord("s1", "ada", "c1", START, START + _HOUR, START, "10.0.0.1", "pst_1")
    return replace(session, **changes)


class PeopleContract:
    """Tests of people and the audit trail; see MetadataStoreContract."""

    def shown(self, record: Record) -> Record:
        """Return a record as the store shows it; a store over HTTP withholds secrets at rest."""
        return record

    def test_a_user_comes_back_as_added(self, metadata: MetadataStore) -> None:
        grants = [a_grant(), a_grant(role=Role.APPROVER), a_grant(project="*", role=Role.VIEWER)]
        metadata.users.add(ADA, grants=grants)
        assert metadata.users.list() == [metadata.users.get("ada")] == [self.shown(ADA)]
        assert list(metadata.users.list_grants("ada")) == [grants[2], grants[1], grants[0]]
        with pytest.raises(ConflictError, match="a user 'ada' already"):
            metadata.users.add(ADA)
        with pytest.raises(NotFoundError, match="Did you mean 'ada'"):
            metadata.users.get("adaa")

    def test_a_user_that_is_refused_gets_no_grants(self, metadata: MetadataStore) -> None:
        metadata.users.add(ADA)
        with pytest.raises(ConflictError):
            metadata.users.add(ADA, grants=[a_grant()])
        assert list(metadata.users.list_grants()) == []

    def test_of_many_first_users_there_is_one(self, metadata: MetadataStore) -> None:
        start = threading.Barrier(8)

        def add(number: int) -> bool:
            start.wait()
            user = replace(ADA, name=f"admin{number}")
            grant = a_grant(user=user.name, project="*", role=Role.ADMIN)
            return metadata.users.add_first(user, grants=[grant])

        with ThreadPoolExecutor(8) as pool:
            added = list(pool.map(add, range(8)))
        assert sum(added) == metadata.users.count() == len(metadata.users.list_grants()) == 1

    def test_a_user_is_changed_and_found_by_subject(self, metadata: MetadataStore) -> None:
        metadata.users.add(ADA)
        changed = metadata.users.update("ada", subject="https://sso 7", disabled_at=START)
        disabled = replace(ADA, subject="https://sso 7", disabled_at=START)
        assert changed == self.shown(disabled)
        assert metadata.users.find_subject("https://sso 7") == changed
        assert metadata.users.find_subject("https://sso 8") is None
        assert metadata.users.update("ada") == changed
        metadata.users.note_seen("ada", START + _HOUR)
        assert metadata.users.get("ada").seen_at == START + _HOUR

    def test_a_password_is_compared_where_its_hash_is(self, metadata: MetadataStore) -> None:
        pytest.importorskip("argon2", reason="pip install penstock[people]")
        right = Secret("correct horse battery")
        metadata.users.add(replace(ADA, password_hash=hash_password(right)))
        metadata.users.add(UserRecord("ci", START, "service"))
        assert metadata.users.is_password("ada", right)
        assert not metadata.users.is_password("ada", Secret("wrong horse battery"))
        assert not metadata.users.is_password("ci", right)
        assert not metadata.users.is_password("no\x00body", right)
        metadata.users.update("ada", disabled_at=START)
        assert not metadata.users.is_password("ada", right)

    def test_grants_are_given_once_and_taken_away(self, metadata: MetadataStore) -> None:
        metadata.users.add(ADA)
        for role in (Role.TRAINER, Role.TRAINER, Role.APPROVER):
            metadata.users.grant(a_grant(role=role))
        assert [grant.role for grant in metadata.users.list_grants("ada")] == [
            Role.APPROVER,
            Role.TRAINER,
        ]
        metadata.users.revoke("ada", "churn", Role.TRAINER)
        metadata.users.revoke("ada", "churn")
        with pytest.raises(NotFoundError, match="no role in project 'churn'"):
            metadata.users.revoke("ada", "churn")
        with pytest.raises(NotFoundError, match="no user 'bob'"):
            metadata.users.grant(a_grant(user="bob"))

    def test_claims_give_and_take_their_own_roles_only(self, metadata: MetadataStore) -> None:
        metadata.users.add(ADA, grants=[a_grant(role=Role.VIEWER), a_grant(role=Role.OPERATOR)])

        def claimed(role: Role, hours: int = 1, source: str = "https://sso") -> GrantRecord:
            return a_grant(role=role, source=source, expires_at=START + hours * _HOUR)

        three = [claimed(Role.VIEWER), claimed(Role.TRAINER), claimed(Role.APPROVER)]
        metadata.users.replace_grants("ada", "https://sso", three)
        held = {grant.role: grant for grant in metadata.users.list_grants("ada")}
        assert set(held) == {Role.VIEWER, Role.OPERATOR, Role.TRAINER, Role.APPROVER}
        assert held[Role.VIEWER] == a_grant(role=Role.VIEWER)
        assert held[Role.TRAINER] == claimed(Role.TRAINER)
        metadata.users.grant(a_grant(role=Role.APPROVER))
        metadata.users.replace_grants("ada", "https://sso", [claimed(Role.TRAINER, hours=9)])
        held = {grant.role: grant for grant in metadata.users.list_grants("ada")}
        assert held[Role.TRAINER].expires_at == START + 9 * _HOUR
        assert held[Role.APPROVER] == a_grant(role=Role.APPROVER)  # the admin's from then on
        metadata.users.replace_grants("ada", "https://other", [])
        roles = [grant.role for grant in metadata.users.list_grants("ada")]
        assert roles == [Role.APPROVER, Role.OPERATOR, Role.VIEWER]
        with pytest.raises(NotFoundError, match="no user 'bob'"):
            metadata.users.replace_grants("bob", "https://sso", [])

    def test_a_token_is_found_by_digest_with_its_user(self, metadata: MetadataStore) -> None:
        with pytest.raises(NotFoundError):
            metadata.tokens.add(a_token())  # of nobody
        metadata.users.add(ADA, grants=[a_grant()])
        metadata.tokens.add(a_token())
        by_digest = metadata.tokens.find("d1")
        assert by_digest is not None
        token, (user, grants) = by_digest
        shown = (self.shown(a_token()), self.shown(ADA), [a_grant()])
        assert (token, user, list(grants)) == shown
        assert metadata.tokens.find("d2") is None
        metadata.tokens.note_used("pst_1", START + _HOUR)
        assert metadata.tokens.get("pst_1").used_at == START + _HOUR
        assert [token.token_id for token in metadata.tokens.list("ada")] == ["pst_1"]
        assert metadata.tokens.list("bob") == []

    def test_a_revoked_token_ends_its_sessions(self, metadata: MetadataStore) -> None:
        metadata.users.add(ADA)
        metadata.tokens.add(a_token())
        metadata.tokens.add_session(a_session())
        other = a_session(session_id="s2", digest="c2", token_id=None)
        metadata.tokens.add_session(other)
        assert metadata.tokens.revoke("pst_1", START).revoked_at == START
        assert metadata.tokens.revoke("pst_1", START + _HOUR).revoked_at == START
        assert metadata.tokens.find_session("c1") is None
        session = metadata.tokens.find_session("c2")
        assert session is not None
        assert session[0] == self.shown(other)
        with pytest.raises(NotFoundError, match="no token 'pst_9'"):
            metadata.tokens.revoke("pst_9", START)

    def test_sessions_end_alone_or_all(self, metadata: MetadataStore) -> None:
        metadata.users.add(ADA)
        for number in "123":
            metadata.tokens.add_session(a_session(session_id=f"s{number}", digest=f"c{number}"))
        metadata.tokens.note_session("s1", START + _HOUR)
        session = metadata.tokens.find_session("c1")
        assert session is not None
        assert session[0].seen_at == START + _HOUR
        assert metadata.tokens.end_sessions("ada", session_id="s1") == 1
        assert metadata.tokens.end_sessions("ada") == 2
        late = a_session(created_at=START + 2 * _HOUR, expires_at=START + 3 * _HOUR)
        theirs = replace(a_session(session_id="s7", digest="c7"), provider_session="https://id 1")
        metadata.tokens.add_session(theirs)
        metadata.tokens.add_session(a_session(session_id="s6", digest="c6"))
        assert metadata.tokens.end_provider_sessions("https://id 2") == []
        assert metadata.tokens.end_provider_sessions("https://id 1") == ["ada"]
        assert metadata.tokens.find_session("c7") is None
        assert metadata.tokens.end_sessions("ada") == 1  # another session stayed
        metadata.tokens.add_session(replace(late, session_id="s8", digest="c8", expires_at=START))
        metadata.tokens.add_session(late)  # and those that expired are gone
        assert metadata.tokens.find_session("c8") is None

    def test_failed_sign_ins_are_counted_at_once(self, metadata: MetadataStore) -> None:
        ago = START - _HOUR

        def fail(_: int) -> None:
            metadata.tokens.note_failure("ada", START, forget_before=ago)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(fail, range(20)))
        failed = metadata.tokens.get_failures("ada")
        assert failed is not None
        assert failed.count == 20
        later = metadata.tokens.note_failure("ada", START + _HOUR, forget_before=START + _HOUR)
        assert later.count == 1
        metadata.tokens.clear_failures("ada")
        assert metadata.tokens.get_failures("ada") is None

    def test_a_name_belongs_to_one_project(self, metadata: MetadataStore) -> None:
        churn = ProjectRecord("churn", ("churn", "churn-*"), START, "the churn team")
        metadata.projects.save(churn)
        assert metadata.projects.list() == [metadata.projects.get("churn")] == [churn]
        with pytest.raises(ConflictError, match="'churn' belongs to project 'churn' already"):
            metadata.projects.save(ProjectRecord("big", ("churn",), START))
        metadata.projects.save(replace(churn, names=("churn",), created_at=START + _HOUR))
        assert metadata.projects.get("churn") == replace(churn, names=("churn",))
        metadata.users.add(ADA, grants=[a_grant()])
        metadata.projects.delete("churn")
        assert list(metadata.users.list_grants()) == []
        assert metadata.projects.list() == []

    def test_every_change_of_people_has_its_actor(self, metadata: MetadataStore) -> None:
        identity = Identity("root", {}, attested="token pst_0")
        with use_identity(identity):
            metadata.users.add(ADA, grants=[a_grant()])
            metadata.users.update("ada", password_hash=_HASH)
            metadata.tokens.add(a_token())
            metadata.tokens.revoke("pst_1", START)
            metadata.users.revoke("ada", "churn")
            metadata.projects.save(ProjectRecord("churn", ("churn",), START))
        records = list(metadata.audit.list())
        assert [record.action for record in reversed(records)] == [
            "user.create",
            "user.grant",
            "user.change",
            "token.create",
            "token.revoke",
            "user.revoke",
            "project.save",
        ]
        assert {(record.actor, record.attested) for record in records} == {("root", "token pst_0")}
        assert "canary" not in repr(records)
        assert [record.action for record in metadata.audit.list(subject="pst_1", limit=1)] == [
            "token.revoke"
        ]

    def test_the_audit_trail_shows_what_was_changed_in_it(self, metadata: MetadataStore) -> None:
        with use_actor("ada"):
            for number in range(5):
                facts = {"number": number, "url": "https://a:hunter2@b/"}
                metadata.audit.add(AuditRecord(START, "ada", "x.y", str(number), facts))
        assert metadata.audit.verify() is None
        assert "hunter2" not in repr(metadata.audit.list())
        with metadata.database.write() as transaction:
            transaction.execute("UPDATE audit SET actor = 'bob' WHERE subject = '2'")
        assert metadata.audit.verify() == 2

    def test_no_text_makes_the_audit_trail_look_changed(self, metadata: MetadataStore) -> None:
        facts = {"reason": "\0 and \ud800", "\0": ["\udfff"]}
        metadata.audit.add(AuditRecord(START, "a\0da", "x.\ud800", "\0", facts, "token \0"))
        metadata.audit.add(AuditRecord(START, "ada", "x.y", "1"))
        assert metadata.audit.verify() is None

    def test_a_removed_audit_record_is_noticed(self, metadata: MetadataStore) -> None:
        for number in range(5):
            metadata.audit.add(AuditRecord(START, "ada", "x.y", str(number)))
        with metadata.database.write() as transaction:
            transaction.execute("DELETE FROM audit WHERE subject = '2'")
        assert metadata.audit.verify() == 2

    def test_writers_at_once_make_one_chain(self, metadata: MetadataStore) -> None:
        def add(number: int) -> None:
            metadata.audit.add(AuditRecord(START, "ada", "x.y", str(number)))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(40)))
        assert len(metadata.audit.list()) == 40
        assert metadata.audit.verify() is None
