"""Messages for Slack and Teams, in which nothing of an event's text acts as markup.

Sources: Slack, Block Kit reference (blocks, text objects, escaping) at
https://docs.slack.dev/reference/block-kit; Microsoft, Adaptive Cards 1.4 (RichTextBlock) at
https://adaptivecards.io/explorer and the envelope of workflows that receive webhook requests.
"""

from collections.abc import Mapping
from typing import Any

from penstock.hooks._notice import Level, Notice

# Slack refuses a message whole whose header, text or field is longer, or that has more fields.
_MOST_HEADER, _MOST_TEXT, _MOST_FIELD, _MOST_FIELDS = 150, 2900, 1900, 10
_MOST_CARD = 6000  # characters of a text on a card: Teams takes 28 KB in all
_EMOJI: Mapping[Level, str] = {"good": "✅", "bad": "🔴", "plain": "•"}
_COLORS: Mapping[Level, str] = {"good": "Good", "bad": "Attention", "plain": "Default"}


def slack_message(notice: Notice) -> dict[str, Any]:
    """Return a notice for an incoming webhook of Slack."""
    title = f"{_EMOJI[notice.level]} {notice.title}"
    header = {"type": "plain_text", "text": _cut(title, _MOST_HEADER), "emoji": True}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    if notice.text:
        blocks.append({"type": "section", "text": _plain(notice.text, _MOST_TEXT)})
    if notice.facts:
        fields = [_plain(f"{name}: {value}", _MOST_FIELD) for name, value in notice.facts]
        blocks.append({"type": "section", "fields": fields[:_MOST_FIELDS]})
    # What a notification on a phone shows; only here is markup read, so it is escaped.
    return {"text": _escaped(_cut(title, _MOST_TEXT)), "blocks": blocks}


def teams_message(notice: Notice) -> dict[str, Any]:
    """Return a notice for a workflow of Teams that posts to a channel: a card without markup."""
    head = {"weight": "Bolder", "size": "Medium", "color": _COLORS[notice.level]}
    lines = [f"{name}: {value}" for name, value in notice.facts]
    body = [_runs(notice.title, **head)]
    body += [_runs(text) for text in (notice.text, "\n".join(lines)) if text]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": _cut(notice.title, _MOST_TEXT),
        "body": body,
    }
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attached]}


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _runs(text: str, **style: str) -> dict[str, Any]:
    """Return a block of text runs: unlike a TextBlock, these have no markup, so no link can hide."""
    lines = _cut(text, _MOST_CARD).split("\n")
    ended = [f"{line}\n" for line in lines[:-1]] + lines[-1:]
    return {
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": line, **style} for line in ended],
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
