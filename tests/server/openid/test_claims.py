"""Forged and misdirected ID tokens: each is refused, whoever made it."""

import time
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jwk, jwt
from tests.server.openid.conftest import KEY, trouble
from tests.server.openid.provider import rsa, symmetric, unsigned

from penstock.core import SignInError
from penstock.server import OpenIdSettings
from penstock.server.openid._claims import read_id_token

ISSUER = "https://sso.example"
SETTINGS = OpenIdSettings(ISSUER, "penstock", "https://ml.example")
NOTHING = object()


@dataclass(frozen=True)
class After:
    """A moment so many seconds after the test's: cases are made minutes before they are tried."""

    seconds: int


def claims(**changes):
    at = int(time.time())
    made = {
        "iss": ISSUER,
        "aud": "penstock",
        "sub": "7",
        "iat": at,
        "exp": at + 300,
        "nonce": "n0nce",
    }
    return {
        name: at + value.seconds if isinstance(value, After) else value
        for name, value in (made | changes).items()
        if value is not NOTHING
    }


def sign(changed, key=KEY, **header):
    head = {"alg": "RS256", "kid": "first", **header}
    head = {name: value for name, value in head.items() if value is not None}
    return jwt.encode(head, changed, key, algorithms=[head["alg"]])


def read(text, keys=(KEY,), offered=None):
    published = [key if isinstance(key, dict) else key.as_dict(private=False) for key in keys]
    return read_id_token(
        text, nonce="n0nce", keys=lambda _: published, settings=SETTINGS, offered=offered
    )


def refusal(text, keys=(KEY,), offered=None):
    with pytest.raises(SignInError) as raised:
        read(text, keys, offered)
    return raised.value.what


def test_a_token_for_this_sign_in_is_read():
    assert read(sign(claims(groups=["ml"])))["groups"] == ["ml"]


@pytest.mark.parametrize("offered", [None, ["RS256"], ["none", "HS256"], []])
def test_an_unsigned_token_is_refused(offered):
    assert "none" in refusal(unsigned(claims()), offered=offered)


@pytest.mark.parametrize("offered", [None, ["RS256", "HS256"]])
@pytest.mark.parametrize("form", ["pem", "der", "modulus"])
def test_the_public_key_as_a_shared_secret_is_refused(form, offered):
    secrets = {
        "pem": KEY.as_pem(private=False),
        "der": KEY.as_der(private=False),
        "modulus": str(KEY.as_dict(private=False)["n"]).encode(),
    }
    assert "'HS256' is not allowed" in refusal(symmetric(secrets[form])(claims()), offered=offered)


def test_a_symmetric_key_among_the_providers_keys_is_no_key():
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "first"}
    assert "no such key" in refusal(symmetric(b"secret")(claims()), [secret])


@pytest.mark.parametrize("kid", ["first", "unknown", None])
def test_a_token_under_another_ones_key_is_refused(kid):
    assert "is refused" in refusal(sign(claims(), rsa("first"), kid=kid))


def test_a_token_that_brings_its_own_key_is_refused():
    foreign = rsa("mine")
    text = jwt.encode(
        {"alg": "RS256", "jwk": foreign.as_dict(private=False), "kid": "mine"}, claims(), foreign
    )
    assert "is refused" in refusal(text)


def test_a_key_for_encryption_signs_nothing():
    assert "no such key" in refusal(sign(claims()), [{**KEY.as_dict(private=False), "use": "enc"}])


def test_a_changed_token_is_refused():
    head, _, seal = sign(claims()).split(".")
    text = ".".join([head, unsigned(claims(sub="1")).split(".")[1], seal])
    assert "bad_signature" in refusal(text)


REFUSED: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://other.example"},
    "the issuer with a slash": {"iss": f"{ISSUER}/"},
    "another client": {"aud": "somebody"},
    "a client that begins so": {"aud": "penstock2"},
    "no client": {"aud": []},
    "several clients, issued to nobody": {"aud": ["penstock", "b"]},
    "several clients, issued to another": {"aud": ["penstock", "b"], "azp": "b"},
    "issued to another": {"azp": "b"},
    "another nonce": {"nonce": "n"},
    "no nonce": {"nonce": NOTHING},
    "expired": {"exp": After(-120)},
    "no end": {"exp": NOTHING},
    "an end in words": {"exp": "tomorrow"},
    "issued tomorrow": {"iat": After(86_400)},
    "no beginning": {"iat": NOTHING},
    "not yet valid": {"nbf": After(6000)},
    "no subject": {"sub": NOTHING},
    "an empty subject": {"sub": ""},
    "a number as subject": {"sub": 7},
    "a long subject": {"sub": "x" * 256},
    "a subject with a line": {"sub": "7\n8"},
    "a subject of somebody else, too": {"sub": ["7", "8"]},
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_claim_that_is_not_for_this_sign_in_is_refused(case):
    assert "is refused" in refusal(sign(claims(**REFUSED[case])))


@pytest.mark.parametrize(
    "allowed",
    [
        {"aud": ["penstock"]},
        {"aud": ["b", "penstock"], "azp": "penstock"},
        {"exp": After(-20)},
        {"iat": After(40)},
    ],
)
def test_what_the_standard_allows_and_small_differences_of_clocks_pass(allowed):
    assert read(sign(claims(**allowed)))["sub"] == "7"


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b.c", "é.é.é", "x" * 200_000, "e30.e30.", "bnVsbA.e30.", "W10.W10.W10"],
)
def test_what_is_no_token_is_refused(text):
    assert "is refused" in refusal(text)


@pytest.mark.filterwarnings("ignore:EdDSA")  # the name that providers still use for Ed25519
@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES256", "Ed25519", "EdDSA"])
def test_the_algorithms_of_the_allow_list_pass(algorithm):
    key: jwk.Key
    if algorithm == "ES256":
        key = jwk.ECKey.generate_key("P-256", {"kid": "k"})
    elif algorithm[:2] == "Ed":
        key = jwk.OKPKey.generate_key("Ed25519", {"kid": "k"})
    else:
        key = jwk.import_key({**KEY.as_dict(private=True), "kid": "k", "alg": algorithm})
    text = sign(claims(), key, alg=algorithm, kid="k")
    assert read(text, [key], [algorithm])["sub"] == "7"
    assert "not allowed" in refusal(text, [key], ["RS256"])


def test_a_key_that_nobody_knows_here_harms_no_other():
    odd = [{"kty": "AKP", "kid": "x"}, {"kty": "RSA", "kid": "first", "n": 7}, {}, {"kty": ["RSA"]}]
    assert read(sign(claims()), [*odd, KEY])["sub"] == "7"
    assert read(sign(claims(), kid=None), [*odd, rsa("other"), KEY])["sub"] == "7"


@pytest.mark.parametrize("forge", [unsigned, symmetric(KEY.as_pem(private=False))])
def test_a_forged_token_begins_no_session(browser, provider, store, forge):
    provider.person["groups"] = ["ml"]
    provider.sign = forge
    assert "is refused" in trouble(browser.sign_in())
    provider.sign = provider.honest
    provider.change = lambda honest: {**honest, "nonce": "of another sign-in"}
    assert "is refused" in trouble(browser.sign_in())
    assert [user.name for user in store.metadata.users.list()] == ["root"]
