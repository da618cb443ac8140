"""Slack and Teams: limits are kept, nothing acts as markup, and the URL is a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import penstock as ps
from penstock.core import ParameterError, to_json
from penstock.execution import QuietReporter
from penstock.hooks._chat import slack_message, teams_message
from penstock.hooks._notice import Notice, notice_of

TEXTS = st.text(max_size=4000)
NOTICES = st.builds(
    Notice,
    TEXTS,
    TEXTS,
    st.lists(st.tuples(st.text(max_size=30), TEXTS), max_size=20).map(tuple),
    st.sampled_from(["good", "bad", "plain"]),
)


@ps.step
def fails() -> int:
    raise ValueError("<!channel> [click](https://evil.example)")


@ps.pipeline
def job():
    return fails()


@given(NOTICES)
def test_slack_takes_every_notice(notice):
    """The limits of Slack's reference: a longer one is refused whole."""
    message = slack_message(notice)
    header, *sections = message["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert len(message["text"]) <= 40_000
    for section in sections:
        texts = [section["text"]] if "text" in section else section["fields"]
        assert 1 <= len(texts) <= 10
        for text in texts:
            assert text["type"] == "plain_text"
            assert 1 <= len(text["text"]) <= (3000 if "text" in section else 2000)
    assert "<" not in message["text"]


@given(NOTICES)
def test_a_card_of_teams_has_no_markup(notice):
    (attached,) = teams_message(notice)["attachments"]
    body = attached["content"]["body"]
    assert {block["type"] for block in body} == {"RichTextBlock"}
    runs = [run for block in body for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert sum(len(run["text"]) for run in runs) <= 18_000


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_a_chat_gets_failures_and_its_url_stays_secret(hooks, receiver, store, form):
    hook = hooks.add(receiver.url, form=form)
    ps.run(job, store=store, reporter=QuietReporter())
    (got,) = receiver.got
    assert got.path == "/hook"
    assert "job has failed" in str(got.json)
    assert "/hook" not in str(to_json(hook))
    assert hook.url == receiver.url.removesuffix("hook") + "…"
    assert hook.secret == receiver.url
    assert hooks.get(form).delivered == 1


def test_the_form_is_read_off_the_url(hooks):
    urls = {
        "slack": "https://hooks.slack.com/services/T0/B0/secret",
        "teams": "https://prod-1.westeurope.logic.azure.com:443/workflows/a?sig=secret",
        "email": "smtps://mail.example.org?to=ml@example.org",
    }
    for form, url in urls.items():
        hook = hooks.add(url)
        assert (hook.form, hook.name) == (form, form)
        assert "secret" not in hook.url
        assert "alert.*" in hook.events


def test_a_chat_takes_no_secret(hooks):
    with pytest.raises(ParameterError, match="takes no secret"):
        hooks.add("https://hooks.slack.com/services/T0/B0/x", secret="whsec_x")


@pytest.mark.parametrize(
    ("kind", "data", "title", "text"),
    [
        (
            "run.failed",
            {"run_id": "r", "pipeline": "job", "error": "boom"},
            "job has failed",
            "boom",
        ),
        (
            "step.failed",
            {"run_id": "r", "name": "n", "step": {"name": "train", "error": "boom"}},
            "Step train of n has failed",
            "boom",
        ),
        ("step.failed", {"run_id": "r", "step": "train"}, "Step train of r has failed", ""),
        (
            "deployment.rolled_back",
            {"deployment": "tips", "message": "AUC fell."},
            "Deployment tips: rolled back",
            "AUC fell.",
        ),
        (
            "alert.raised",
            {"deployment": "tips", "kind": "feature_drift", "subject": "fare", "message": "0.4"},
            "Alert raised on tips: feature drift of fare",
            "0.4",
        ),
    ],
)
def test_what_people_read(kind, data, title, text):
    notice = notice_of({"type": kind, "data": data})
    assert (notice.title, notice.text) == (title, text)
