"""Tables of deployments, events, drift reports and alerts."""

from sqlalchemy import Column, Index, Table

from penstock.stores.metadata.schema._columns import (
    ByteText,
    flag_column,
    id_column,
    integer_column,
    key_column,
    metadata,
    text_column,
)

Table(
    "deployments",
    metadata,
    key_column("name"),
    text_column("model"),
    text_column("state"),
    text_column("weights"),
    integer_column("control"),
    integer_column("updated_at"),
    integer_column("generation"),
    text_column("rollout", null=True),
    text_column("form", null=True),
)
Table(
    "deployment_events",
    metadata,
    id_column(),
    text_column("name"),
    text_column("kind"),
    text_column("message"),
    integer_column("at"),
    text_column("facts"),
    Index("deployment_events_by_name", "name", "id"),
)
Table(
    "reports",
    metadata,
    id_column(),
    Column("report_id", ByteText, nullable=False, unique=True),
    text_column("deployment"),
    text_column("model"),
    integer_column("version"),
    integer_column("at"),
    flag_column("drifted"),
    text_column("artifact"),
    text_column("summary"),
    Index("reports_by_deployment", "deployment", "at"),
)
Table(
    "alerts",
    metadata,
    key_column("alert_id"),
    text_column("deployment"),
    text_column("model"),
    text_column("kind"),
    text_column("subject"),
    text_column("message"),
    integer_column("raised_at"),
    integer_column("last_seen_at"),
    integer_column("count"),
    integer_column("resolved_at", null=True),
    text_column("report", null=True),
    Index("alerts_by_deployment", "deployment", "raised_at"),
)
