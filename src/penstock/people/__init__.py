"""People of a store: users, roles in projects, tokens, sessions; who sends a request, what they may do."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.people._access import decide_as as decide_as
    from penstock.people._access import has_users as has_users
    from penstock.people._access import project_named as project_named
    from penstock.people._access import refusal as refusal
    from penstock.people._access import require_permission as require_permission
    from penstock.people._authentication import SESSION_COOKIE as SESSION_COOKIE
    from penstock.people._authentication import TOKEN_VARIABLE as TOKEN_VARIABLE
    from penstock.people._authentication import Authenticator as Authenticator
    from penstock.people._authentication import environment_identity as environment_identity
    from penstock.people._authentication import read_session_key as read_session_key
    from penstock.people._first import FIRST_USER as FIRST_USER
    from penstock.people._first import create_first_admin as create_first_admin
    from penstock.people._projects import Projects as Projects
    from penstock.people._scope import require_scope as require_scope
    from penstock.people._scope import scope_metadata as scope_metadata
    from penstock.people._scope import scope_store as scope_store
    from penstock.people._sign_in import NewSession as NewSession
    from penstock.people._sign_in import SignIns as SignIns
    from penstock.people._sign_in import csrf_token as csrf_token
    from penstock.people._sign_in import is_csrf_token as is_csrf_token
    from penstock.people._subjects import owner_of_setting as owner_of_setting
    from penstock.people._tokens import NewToken as NewToken
    from penstock.people._tokens import Tokens as Tokens
    from penstock.people._users import Users as Users
    from penstock.people._users import subject_text as subject_text

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "FIRST_USER": "_first",
        "SESSION_COOKIE": "_authentication",
        "TOKEN_VARIABLE": "_authentication",
        "Authenticator": "_authentication",
        "NewSession": "_sign_in",
        "NewToken": "_tokens",
        "Projects": "_projects",
        "SignIns": "_sign_in",
        "Tokens": "_tokens",
        "Users": "_users",
        "create_first_admin": "_first",
        "csrf_token": "_sign_in",
        "decide_as": "_access",
        "environment_identity": "_authentication",
        "has_users": "_access",
        "is_csrf_token": "_sign_in",
        "owner_of_setting": "_subjects",
        "project_named": "_access",
        "read_session_key": "_authentication",
        "refusal": "_access",
        "require_scope": "_scope",
        "scope_metadata": "_scope",
        "scope_store": "_scope",
        "subject_text": "_users",
        "require_permission": "_access",
    },
)
