"""``penstock users``, ``tokens`` and ``projects``: permissions in a shared store."""

from typing import Any
from urllib.parse import urlsplit

import click

from penstock.cli._help import examples
from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import (
    ANY_PROJECT,
    GrantRecord,
    Role,
    Secret,
    TokenRecord,
    UserRecord,
    now,
    to_json,
)
from penstock.people import Projects, Tokens, Users, create_first_admin

_role_choice = click.Choice([role.value for role in Role])
_project_option = click.option(
    "--project", default=ANY_PROJECT, metavar="NAME", help="Project; default: all projects."
)


@click.group()
def users() -> None:
    """Add and manage the people and services that sign in to the store's server."""


@users.command(
    epilog=examples(
        "penstock users add ada --role trainer --project churn --password",
        "penstock users add ci --role trainer --service",
    )
)
@click.argument("name")
@click.option("--role", type=_role_choice, help="What the user may do; default: nothing yet.")
@_project_option
@click.option("--service", is_flag=True, help="A program: signs in with tokens only.")
@click.option("--full-name", default="", help="Name for readers.")
@click.option("--password", "ask", is_flag=True, help="Ask for a password at the terminal.")
@json_option
@click.pass_context
def add(
    ctx: click.Context,
    name: str,
    role: str | None,
    project: str,
    service: bool,
    full_name: str,
    ask: bool,
    as_json: bool,
) -> None:
    """Add a user NAME, in lower case; an e-mail address will do.

    From the first user on, the store's server answers signed-in users only, and approvals
    count from users only.
    """
    found = Users(store=current_store(ctx, create=True))
    password = _ask_password() if ask else None
    user = found.add(
        name, role=role, project=project, service=service, full_name=full_name, password=password
    )
    if as_json:
        emit(_user_json(user, list(found.grants(name))))
        return
    say(f"[green]✓[/] {plain(name)} is added{f' as {role}' if role else ''}.")
    if password is None:
        say(f"  Create a token with:  penstock tokens create {plain(name)}")


@users.command()
@json_option
@click.pass_context
def first(ctx: click.Context, as_json: bool) -> None:
    """Add the first user: `admin`, with a token for a week that is printed once.

    A server listens on addresses beyond this machine only for a store with users.
    """
    new = create_first_admin(store=current_store(ctx, create=True))
    if new is None:
        if as_json:
            emit({"user": None, "token": None})
        else:
            say("The store has users already: penstock users list")
            say("  A lost token is replaced with:  penstock tokens create NAME")
        return
    if as_json:
        emit({"user": new.record.user, "token": new.secret.reveal()})
        return
    say(f"[green]✓[/] {plain(new.record.user)} is added. Token, shown only now:")
    say(f"  {plain(new.secret.reveal())}")
    say("  Sign in with it within a week, and add users: penstock users add NAME --role ROLE")


@users.command(name="list")
@json_option
@click.pass_context
def list_users(ctx: click.Context, as_json: bool) -> None:
    """List users with their roles."""
    found = Users(store=current_store(ctx))
    grants: dict[str, list[GrantRecord]] = {}
    for grant in found.grants():
        grants.setdefault(grant.user, []).append(grant)
    everyone = found.list()
    if as_json:
        emit([_user_json(user, grants.get(user.name, [])) for user in everyone])
        return
    if not everyone:
        say("No users: whoever can open the store may do everything. penstock users first")
        return
    show_table(
        ["user", "kind", "name", "roles", "signs in", "last sign-in"],
        [
            (
                user.name + (" (disabled)" if user.disabled_at else ""),
                user.kind,
                user.full_name,
                ", ".join(_role_text(grant) for grant in grants.get(user.name, [])),
                _way_in(user),
                ago(user.seen_at),
            )
            for user in everyone
        ],
    )


@users.command(epilog=examples("penstock users grant ada approver --project churn"))
@click.argument("name")
@click.argument("role", type=_role_choice)
@_project_option
@json_option
@click.pass_context
def grant(ctx: click.Context, name: str, role: str, project: str, as_json: bool) -> None:
    """Give user NAME a ROLE: viewer, trainer, approver, operator or admin."""
    given = Users(store=current_store(ctx)).grant(name, role, project=project)
    _report(given, f"{name} is {_role_text(given)}.", as_json=as_json)


@users.command()
@click.argument("name")
@click.argument("role", type=_role_choice, required=False)
@_project_option
@json_option
@click.pass_context
def revoke(ctx: click.Context, name: str, role: str | None, project: str, as_json: bool) -> None:
    """Take a ROLE away from user NAME; without ROLE all roles in the project."""
    Users(store=current_store(ctx)).revoke(name, project=project, role=role)
    gone = {"user": name, "role": role, "project": project}
    _report(gone, f"{name} is no {role or 'member'} any more.", as_json=as_json)


@users.command()
@click.argument("name")
@json_option
@click.pass_context
def password(ctx: click.Context, name: str, as_json: bool) -> None:
    """Set the password of NAME, asked for at the terminal; all sessions of NAME end."""
    found = Users(store=current_store(ctx))
    found.get(name)
    found.set_password(name, _ask_password())
    _report({"user": name}, f"The password of {name} is set.", as_json=as_json)


@users.command(
    epilog=examples(
        "penstock users link ada --issuer https://sso.example.org --subject 248289761001"
    )
)
@click.argument("name")
@click.option("--issuer", required=True, metavar="URL", help="Issuer of the OpenID provider.")
@click.option("--subject", required=True, help="The person's subject there (the claim `sub`).")
@json_option
@click.pass_context
def link(ctx: click.Context, name: str, issuer: str, subject: str, as_json: bool) -> None:
    """Let user NAME sign in with an OpenID provider.

    The page that refuses a person who is not linked yet shows issuer and subject.
    """
    user = Users(store=current_store(ctx)).link(name, issuer=issuer, subject=subject)
    _report(user, f"{name} signs in as {user.subject}.", as_json=as_json)


@users.command()
@click.argument("name")
@json_option
@click.pass_context
def unlink(ctx: click.Context, name: str, as_json: bool) -> None:
    """Let user NAME not sign in with an OpenID provider any more; roles by group go."""
    user = Users(store=current_store(ctx)).unlink(name)
    _report(user, f"{name} is linked no more.", as_json=as_json)


@users.command()
@click.argument("name")
@json_option
@click.pass_context
def disable(ctx: click.Context, name: str, as_json: bool) -> None:
    """Refuse user NAME from now on; the records of NAME stay."""
    user = Users(store=current_store(ctx)).disable(name)
    _report(user, f"{name} is disabled.", as_json=as_json)


@users.command()
@click.argument("name")
@json_option
@click.pass_context
def enable(ctx: click.Context, name: str, as_json: bool) -> None:
    """Let a disabled user NAME sign in again."""
    user = Users(store=current_store(ctx)).enable(name)
    _report(user, f"{name} may sign in again.", as_json=as_json)


@click.group()
def tokens() -> None:
    """Create, list and revoke tokens, which programs sign in with."""


@tokens.command(
    epilog=examples(
        "penstock tokens create ada --label laptop",
        "penstock tokens create ci --role trainer --project churn --expires 30d",
    )
)
@click.argument("user")
@click.option("--label", default="", help="What the token is for.")
@click.option("--role", type=_role_choice, help="The most it may do; default: what USER may.")
@_project_option
@click.option("--expires", default="90d", show_default=True, help="Lifetime, or `never`.")
@json_option
@click.pass_context
def create(
    ctx: click.Context,
    user: str,
    label: str,
    role: str | None,
    project: str,
    expires: str,
    as_json: bool,
) -> None:
    """Create a token of USER and print the secret, which is never shown again.

    Programs send it as `Authorization: Bearer TOKEN`; penstock reads the token from PENSTOCK_TOKEN.
    """
    new = Tokens(store=current_store(ctx)).create(
        user,
        label=label,
        role=role,
        project=project,
        expires_after=None if expires == "never" else expires,
    )
    if as_json:
        emit({**to_json(new.record), "token": new.secret.reveal()})
        return
    say(f"[green]✓[/] Token of {plain(user)}, shown only now:")
    say(f"  {plain(new.secret.reveal())}")
    say(f"  Use it with:  export PENSTOCK_TOKEN={plain(new.record.token_id)}_…")


@tokens.command(name="list")
@click.argument("user", required=False)
@json_option
@click.pass_context
def list_tokens(ctx: click.Context, user: str | None, as_json: bool) -> None:
    """List the tokens of USER, or all: limits, expiry and last use."""
    found = Tokens(store=current_store(ctx)).list(user)
    if as_json:
        emit(found)
        return
    if not found:
        say("No tokens. Create one: penstock tokens create USER")
        return
    show_table(
        ["token", "user", "label", "role", "project", "expires", "last used", "state"],
        [
            (
                token.token_id,
                token.user,
                token.label,
                token.role,
                token.project,
                token.expires_at or "never",
                ago(token.used_at) or "never",
                _state(token),
            )
            for token in found
        ],
    )


@tokens.command(name="revoke")
@click.argument("token")
@json_option
@click.pass_context
def revoke_token(ctx: click.Context, token: str, as_json: bool) -> None:
    """Refuse TOKEN, named by its beginning `pst_…`, from the next request on."""
    gone = Tokens(store=current_store(ctx)).revoke(token)
    _report(gone, f"{gone.token_id} of {gone.user} is revoked.", as_json=as_json)


@click.group()
def projects() -> None:
    """Separate teams in a store: which names belong to which project."""


@projects.command(
    name="add",
    epilog=examples(
        "penstock projects add churn", 'penstock projects add churn --names "churn-*" --names eu'
    ),
)
@click.argument("name")
@click.option(
    "--names",
    multiple=True,
    metavar="PATTERN",
    help="Names that belong to it, e.g. `churn-*`; repeatable; default: NAME and NAME-*.",
)
@click.option("--note", default="", help="Markdown.")
@json_option
@click.pass_context
def add_project(
    ctx: click.Context, name: str, names: tuple[str, ...], note: str, as_json: bool
) -> None:
    """Create a project NAME, or change the names in the project.

    Experiments, models, deployments, schedules and data sets of these names are the project's; runs
    are their experiment's.
    """
    made = Projects(store=current_store(ctx, create=True)).add(name, names=names, note=note)
    _report(made, f"{name}: {' '.join(made.names)}", as_json=as_json)


@projects.command(name="list")
@json_option
@click.pass_context
def list_projects(ctx: click.Context, as_json: bool) -> None:
    """List projects with their names."""
    found = Projects(store=current_store(ctx)).list()
    if as_json:
        emit(found)
    elif found:
        show_table(
            ["project", "names", "note"], [(p.name, " ".join(p.names), p.note) for p in found]
        )
    else:
        say("No projects: every role holds in the whole store. penstock projects add NAME")


@projects.command(name="remove")
@click.argument("name")
@json_option
@click.pass_context
def remove_project(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove project NAME with all roles in the project; runs and models stay."""
    Projects(store=current_store(ctx)).remove(name)
    _report({"removed": name}, f"{name} is removed.", as_json=as_json)


def _ask_password() -> Secret:
    """Ask twice, unseen; never an option, which the machine's list of processes would show."""
    return Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _report(document: Any, sentence: str, *, as_json: bool) -> None:
    if as_json:
        emit(document)
    else:
        say(f"[green]✓[/] {plain(sentence)}")


def _user_json(user: UserRecord, grants: list[GrantRecord]) -> dict[str, Any]:
    return {
        **to_json(user),
        "has_password": user.password_hash is not None,
        "roles": to_json(grants),
    }


def _role_text(grant: GrantRecord) -> str:
    where = "" if grant.project == ANY_PROJECT else f" in {grant.project}"
    by = "" if not grant.source else " by group" if grant.is_valid(now()) else " by group, ended"
    return f"{grant.role.value}{where}{by}"


def _way_in(user: UserRecord) -> str:
    host = urlsplit((user.subject or "").partition(" ")[0]).netloc
    ways = {"password": user.password_hash, f"OpenID ({host})": user.subject}
    return ", ".join([*(name for name, way in ways.items() if way), "token"])


def _state(token: TokenRecord) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.is_valid(now()) else "expired"
