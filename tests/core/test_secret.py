"""A Secret is shown nowhere by accident: the same canary is looked for in every way out."""

import copy
import json
import logging
import pickle
import time
import traceback

import pytest

from penstock.core import HIDDEN, Secret, SerializationError, redact, to_json

CANARY = "canary-7f3a9"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        "{}".format,
        "{!r}".format,
        "{:>40}".format,
        "%s".__mod__,
        "%r".__mod__,
        lambda secret: repr([secret]),
        lambda secret: repr({"k": secret}),
        lambda secret: f"{secret}",
        lambda secret: json.dumps(to_json({"k": secret})),
    ],
)
def test_no_way_of_showing_has_the_text(show):
    shown = show(Secret(CANARY))
    assert CANARY not in shown
    assert HIDDEN in shown


def test_a_log_and_a_traceback_do_not_have_it(caplog):
    key = Secret(CANARY)
    logging.getLogger("x").warning("key %s of %r", key, {"key": key})
    with pytest.raises(ValueError) as raised:
        int(f"{key}")
    report = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert CANARY not in caplog.text
    assert CANARY not in "".join(report.format())


@pytest.mark.parametrize("store", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_cannot_be_stored_or_copied(store):
    with pytest.raises(SerializationError, match="cannot be stored"):
        store(Secret(CANARY))


def test_it_is_compared_and_revealed():
    assert Secret(CANARY) == Secret(Secret(CANARY))
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert len({Secret(CANARY), Secret(CANARY)}) == 1
    assert Secret(CANARY).reveal() == CANARY
    assert not Secret("")


@pytest.mark.parametrize(
    "text",
    [
        f"pst_abcdefgh12_{CANARY}{'x' * 40}",
        f"pss_abcdefgh12_{CANARY}{'x' * 40}",
        f"postgresql://ada:{CANARY}@db:5432/ml",
        f"Authorization: Bearer {CANARY}",
        f"authorization: basic {CANARY}=",
        f"$argon2id$v=19$m=65536,t=3,p=4${CANARY}${CANARY}",
        f"whsec_{CANARY.replace('-', '')}",
    ],
)
def test_known_shapes_are_taken_out_of_texts(text):
    told = redact(f"It failed: {text} was refused.")
    assert CANARY not in told
    assert CANARY.replace("-", "") not in told
    assert told.startswith("It failed: ")
    assert told.endswith(" was refused.")


@pytest.mark.parametrize("text", ["https://example.org/a@b", "a pst_ of 3", "run 1 of ada@example"])
def test_other_texts_stay(text):
    assert redact(text) == text


C = "c4n4ryC4N4RY7f3a9b2c5d8e1f6a0b3"
SHAPES = [
    f"pst_16twv5hfgh_{C}", f"pss_16twv5hfgh_{C}", f"whsec_{C}=", f"$argon2id$v=19$m=65536,t=3,p=4${C}",
    f"postgresql://ada:{C}@db/ml", f"postgresql+psycopg://:{C}@db/ml", f"redis://default:{C}@h:6379/0",
    f"https://:{C}@ml.example.org", f"amqp://u:{C}@h", f"mysql://root:{C}@h:3306/x?a=b", f"smtp://u:{C}@mail",
    f"Authorization: Bearer {C}", f"authorization: basic {C}", f"'Authorization': 'Bearer {C}'",
    f"https://hooks.slack.com/services/T0/B0/{C}", f"https://hooks.slack.com/workflows/T0/{C}",
    f"https://x.webhook.office.com/webhookb2/{'a' * 8}@{C}/IncomingWebhook/{C}", f"https://discord.com/api/webhooks/1/{C}",
    f"https://prod.logic.azure.com/workflows/a?api-version=1&sig={C}", f"https://b.blob.core.windows.net/c?sv=1&sig={C}",
    f"https://s3.amazonaws.com/b?X-Amz-Credential={C}&X-Amz-Signature={C}", f"https://x/y?token={C}&z=1",
    f"https://x/y?api_key={C}", f"https://x/y?access_token={C}", f"https://x/y?key={C}", f"https://x/?password={C}",
    f"AWS_SECRET_ACCESS_KEY={C}", f"aws_secret_access_key = {C}", f"export AWS_SESSION_TOKEN={C}", f"PGPASSWORD={C}",
    f"host=db user=ml password={C} dbname=ml", f"{{'password': '{C}'}}", f'{{"api_key": "{C}"}}', f"secret: {C}",
    f"MLFLOW_TRACKING_PASSWORD={C}", f"WANDB_API_KEY={C}", f"PENSTOCK_TOKEN=pst_16twv5hfgh_{C}", f"passwd={C}",
    f"AccountName=a;AccountKey={C};x", f"client_secret={C}", f"Pwd={C};", f"private_key: {C}", "AKIAC4N4RYC4N4RYC4N4",
    f"ghp_{C}", f"github_pat_{C}", f"glpat-{C}", f"hf_{C}", f"sk-proj-{C}", f"sk-{C}", f"xoxb-1-{C}", f"npm_{C}",
    f"pypi-Ag{C}", f"AIza{C}", f"ya29.{C}", f"eyJhbGciOiJIUzI1NiJ9.{C}.{C}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{C}\n{C}\n-----END RSA PRIVATE KEY-----", f"-----BEGIN PRIVATE KEY-----\n{C}",
]  # fmt: skip
INNOCENT = [
    "epoch 3/10 loss=0.123 token_accuracy: 0.98", "max_tokens=1000000", "eos_token: <|endoftext|>", "tokens: 128,000",
    "https://example.org/path?page=2&sort=name", "scikit-learn 1.9", "key: customer_id", "the primary key is id",
    "hf_hub_download of sentence-transformers/all-MiniLM-L6-v2", "sha256:" + "0" * 64, "no secret here", "12:30:45",
    "password: ", "keys=['a', 'b']", "file:///tmp/x@y", "ada@example.org", "basic usage", "task-learning-rate-schedule",
    "risk-adjusted-return-of-the-portfolio", "http://127.0.0.1:4270/runs/abc",
]  # fmt: skip


@pytest.mark.parametrize("text", SHAPES)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(text):
    for shown in (text, f"before {text} after", f"({text})", repr(text)):
        assert "4n4ry" not in redact(shown).lower()


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_is_left_alone(text):
    assert redact(text) == text


def test_a_secret_without_a_form_is_known_while_it_lives():
    key = Secret("nothing special 1")
    assert redact(f"[{key.reveal()}]") == "[***]"
    del key
    assert redact("[nothing special 1]") == "[nothing special 1]"
    short = Secret("churn")  # would be found in half of all texts
    assert redact("churn") == short.reveal()


LONG = 100_000


@pytest.mark.parametrize(
    "piece", ["api-key", "token=", "eyJ-", "sk-", ".webhook.office.com/", "://a:", "?token", "&-"]
)
def test_a_long_text_is_searched_in_linear_time(piece):
    """Where each place is followed to the end of its word, such a text takes minutes."""
    began = time.process_time()
    redact(piece * (LONG // len(piece)) + " key")
    assert time.process_time() - began < 20
