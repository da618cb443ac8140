"""Sessions of browsers: no name is told apart from none, guessing gets slow, tokens' limits hold."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from penstock.core import Permission, RateLimitError, Secret, SignInError, now
from penstock.people import (
    SESSION_COOKIE,
    Authenticator,
    SignIns,
    Tokens,
    Users,
    csrf_token,
    is_csrf_token,
)

PASSWORD = Secret("correct horse battery")
WRONG = Secret("wrong horse battery")


@pytest.fixture
def signs(argon2, team):
    Users(store=team).set_password("ada", PASSWORD)
    return SignIns(store=team)


def test_name_and_password_begin_a_session(team, signs):
    session = signs.with_password(" Ada ", PASSWORD, address="10.0.0.1")
    assert (session.record.user, session.record.address) == ("ada", "10.0.0.1")
    identity = Authenticator(store=team).of_session(session.secret)
    assert identity.may(Permission.WRITE, "churn")
    signs.end(session.secret)
    with pytest.raises(SignInError, match="session is over"):
        Authenticator(store=team).of_session(session.secret)


@pytest.mark.parametrize("name", ["ada", "nobody", "root", "ci", "", "\x00"])
def test_every_wrong_sign_in_sounds_the_same(signs, name):
    with pytest.raises(SignInError) as refused:
        signs.with_password(name, WRONG)
    assert refused.value.what == "The name or the password is wrong."


def test_a_session_ends_after_twelve_hours(team, signs, clock):
    began, session = now(), signs.with_password("ada", PASSWORD)
    clock(lambda: began + timedelta(hours=11.9))
    Authenticator(store=team).of_session(session.secret)
    clock(lambda: began + timedelta(hours=12.1))
    with pytest.raises(SignInError, match="session is over"):
        Authenticator(store=team).of_session(session.secret)


def test_guessing_gets_slow_also_for_the_right_password(signs, clock):
    began = now()
    clock(lambda: began)
    for _ in range(5):
        with pytest.raises(SignInError):
            signs.with_password("ada", WRONG, address="10.0.0.1")
    with pytest.raises(RateLimitError) as refused:
        signs.with_password("ada", PASSWORD, address="10.0.0.1")
    assert 0 < refused.value.retry_after_s <= 1
    assert signs.with_password("ada", PASSWORD, address="10.0.0.2")  # the owner, elsewhere
    clock(lambda: began + timedelta(seconds=1.1))
    assert signs.with_password("ada", PASSWORD, address="10.0.0.1")


def test_an_address_that_tries_many_names_is_slowed(argon2, team, clock):
    began = now()
    clock(lambda: began)
    for _ in range(20):
        with pytest.raises(SignInError):
            SignIns(store=team).with_token(Secret("pst_x"), address="10.0.0.1")
    with pytest.raises(RateLimitError):
        SignIns(store=team).with_token(Secret("pst_x"), address="10.0.0.1")
    with pytest.raises(RateLimitError):
        SignIns(store=team).with_password("ada", PASSWORD, address="10.0.0.1")


def test_a_session_of_a_token_has_the_tokens_limits_and_end(team, key):
    secret = key("ada", role="viewer", expires_after="1h")
    session = SignIns(store=team).with_token(secret)
    identity = Authenticator(store=team).of_session(session.secret)
    assert identity.may(Permission.READ, "churn")
    assert not identity.may(Permission.WRITE, "churn")
    assert session.record.expires_at - session.record.created_at <= timedelta(hours=1)
    Tokens(store=team).revoke(secret.reveal())
    with pytest.raises(SignInError):
        Authenticator(store=team).of_session(session.secret)


def test_a_service_has_no_session(team, key):
    with pytest.raises(SignInError, match="'ci' is a service"):
        SignIns(store=team).with_token(key("ci"))


def test_a_form_belongs_to_its_session(signs, team, key):
    mine, other = signs.with_token(key("ada")).secret, signs.with_token(key("bob")).secret
    text = csrf_token(mine)
    assert is_csrf_token(mine, text)
    assert mine.reveal() not in text
    for wrong in ("", text[:-1], text + "A", csrf_token(other), "\udcff"):
        assert not is_csrf_token(mine, wrong)


def test_a_cookie_is_kept_as_a_digest(team, signs, tmp_path):
    secret = signs.with_password("ada", PASSWORD).secret.reveal()
    team.metadata.database.close()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert secret.split("_", 2)[2].encode() not in held  # it may hold a "_" itself
    assert PASSWORD.reveal().encode() not in held
    assert SESSION_COOKIE.encode() not in held


def test_guesses_sent_all_at_once_are_counted_before_the_next_is_looked_at(signs):
    def guess(_: int) -> type[Exception]:
        try:
            signs.with_password("ada", WRONG, address="203.0.113.7")
        except (SignInError, RateLimitError) as error:
            return type(error)
        raise AssertionError

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(guess, range(32)))
    # Five are free; while they were hashed a second may have passed, which allows one more.
    assert answers.count(SignInError) <= 8
    assert answers.count(RateLimitError) >= 24
