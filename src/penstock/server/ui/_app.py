"""``create_ui``: the routes of the UI, and the page of each kind of error."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from litestar import Litestar, MediaType, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.response import Stream

from penstock.core import PenstockError, Permission
from penstock.http import LOCAL_HOSTS, HttpError, retry_header, status_of
from penstock.server.openid import OpenId, require_encrypted
from penstock.server.ui._actions import ACTIONS, Access
from penstock.server.ui._artifact import artifact_page
from penstock.server.ui._compare import compare_page
from penstock.server.ui._datasets import dataset_page, datasets_page
from penstock.server.ui._deployments import deployment_page, deployments_page
from penstock.server.ui._download import artifact_download
from penstock.server.ui._evaluation_sets import evaluation_set_page, evaluation_sets_page
from penstock.server.ui._experiments import experiments_page
from penstock.server.ui._exported import export_page
from penstock.server.ui._exported_model import deployment_export_page, model_export_page
from penstock.server.ui._features import feature_page, features_page
from penstock.server.ui._figures import audio_answer, figure_answer, figures_answer, image_answer
from penstock.server.ui._forms import form_routes
from penstock.server.ui._guard import Guard
from penstock.server.ui._items import items_page
from penstock.server.ui._lineage import lineage_page
from penstock.server.ui._models import model_page, models_page
from penstock.server.ui._notebook import notebook_page
from penstock.server.ui._openid import openid_routes
from penstock.server.ui._page import Page, Query
from penstock.server.ui._people import PEOPLE_ACTIONS, history_page, people_page, sign_in_page
from penstock.server.ui._permissions import check_permission, require_declared
from penstock.server.ui._prediction import prediction_page
from penstock.server.ui._render import json_bytes, respond
from penstock.server.ui._run import log_page, run_page
from penstock.server.ui._runs import runs_page
from penstock.server.ui._schedules import partitions_page, schedule_page, schedules_page
from penstock.server.ui._session import Doorkeeper
from penstock.server.ui._site import Site
from penstock.server.ui._static import read_asset
from penstock.server.ui._studies import studies_page, study_page
from penstock.server.ui._traces import trace_page, traces_page
from penstock.server.ui._waiting import waiting_page
from penstock.server.ui._why import why_page
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.server.openid import OpenIdSettings
    from penstock.stores import Store

    Build = Callable[..., Page]

_log = logging.getLogger(__name__)
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}

_PAGES: "dict[str, Build]" = {
    "/": runs_page,
    "/runs": runs_page,
    "/runs/{run_id:str}": run_page,
    "/runs/{run_id:str}/log": log_page,
    "/runs/{run_id:str}/items": items_page,
    "/runs/{run_id:str}/notebook": notebook_page,
    "/runs/{run_id:str}/why": why_page,
    "/runs/{run_id:str}/export": export_page,
    "/compare": compare_page,
    "/experiments": experiments_page,
    "/studies": studies_page,
    "/studies/{study_id:str}": study_page,
    "/traces": traces_page,
    "/traces/{trace_id:str}": trace_page,
    "/evaluation-sets": evaluation_sets_page,
    "/evaluation-sets/{set_id:str}": evaluation_set_page,
    "/artifacts/{digest:str}": artifact_page,
    "/models": models_page,
    "/models/{name:str}": model_page,
    "/models/{name:str}/export": model_export_page,
    "/deployments": deployments_page,
    "/deployments/{name:str}": deployment_page,
    "/deployments/{name:str}/export": deployment_export_page,
    "/schedules": schedules_page,
    "/schedules/{name:str}": schedule_page,
    "/partitions/{pipeline:str}": partitions_page,
    "/data": datasets_page,
    "/data/{name:str}": dataset_page,
    "/features": features_page,
    "/features/{name:str}": feature_page,
    "/lineage": lineage_page,
    "/predictions/{prediction_id:str}": prediction_page,
    "/waiting": waiting_page,
}
_OTHER_PAGES: "dict[str, tuple[Access | Permission, Build]]" = {
    "/sign-in": (Access.ANYONE, sign_in_page),
    "/people": (Access.SIGNED_IN, people_page),
    "/history": (Permission.ADMIN, history_page),
}
_DATA: dict[str, Callable[..., Any]] = {
    "/reports/{digest:str}/figures": figures_answer,
    "/artifacts/{digest:str}/figure": figure_answer,
    "/artifacts/{digest:str}/image": image_answer,
    "/artifacts/{digest:str}/audio": audio_answer,
}


def create_ui(
    *,
    hosts: tuple[str, ...] = LOCAL_HOSTS,
    openid: "OpenIdSettings | None" = None,
    url: str = "",
    store: "Store | str | None" = None,
) -> Litestar:
    """Create the UI's ASGI application.

    Args:
        hosts: Accepted host names, without port; requests for any further host are refused.
        openid: OpenID provider with which people sign in; None for none.
        url: URL under which browsers reach the server, if a proxy speaks TLS for it: then cookies
            of sessions are Secure. By default that of ``openid``.
        store: The open store to show; by default the project's. Forms change the store as whoever
            has signed in, and a run whose process has died is recorded as killed.

    Raises:
        TypeError: If a route declares no permission.
    """
    store = open_store(store)
    if url:
        require_encrypted(url, "URL of this server")
    signs_in = None if openid is None else OpenId(openid, store=store)
    site = Site(store, signs_in, url or (openid.url if openid else ""))
    pages = {path: (Permission.READ, build) for path, build in _PAGES.items()} | _OTHER_PAGES
    handlers = [_page_route(site, path, *page) for path, page in pages.items()]
    handlers += [_data_route(site, path, build) for path, build in _DATA.items()]
    app = Litestar(
        route_handlers=[
            *handlers,
            *form_routes(site, {**ACTIONS, **PEOPLE_ACTIONS}),
            *openid_routes(site),
            _download_route(site),
            _health_route(site),
            _static_file,
        ],
        guards=[check_permission],
        exception_handlers={
            PenstockError: _show_error,
            HTTPException: _show_error,
            Exception: _show_error,
        },
        openapi_config=None,
        logging_config=None,
    )
    # Outermost, so that responses made before routing carry the headers too.
    app.asgi_handler = Guard(app.asgi_handler, hosts, Doorkeeper(store))
    require_declared(app)
    return app


def _page_route(site: Site, path: str, permission: Access | Permission, build: "Build") -> Any:
    def show(request: Request[Any, Any, Any]) -> Response[Any]:
        query = _query(request)
        page = build(site, query, **request.path_params)
        return respond(page, as_json=_wants_json(request), status=page.status)

    return get(path, sync_to_thread=True, permission=permission)(show)


def _data_route(site: Site, path: str, build: Callable[..., Any]) -> Any:
    def show(request: Request[Any, Any, Any]) -> Response[bytes]:
        data, media_type = build(site, **request.path_params)
        # Addressed by digest: the response can never change.
        return Response(data, media_type=media_type, headers=_FOREVER)

    return get(path, sync_to_thread=True, permission=Permission.READ)(show)


def _download_route(site: Site) -> Any:
    def send(request: Request[Any, Any, Any]) -> Stream:
        name = _query(request).params.get("name", [""])[-1]
        download = artifact_download(site, request.path_params["run_id"], name)
        headers = {
            "content-disposition": download.disposition,
            "content-length": str(download.size_bytes),
        }
        # A download is always a file to save, never a page of this site.
        return Stream(download.parts, media_type="application/octet-stream", headers=headers)

    path = "/runs/{run_id:str}/artifact"
    return get(path, sync_to_thread=True, permission=Permission.READ)(send)


def _health_route(site: Site) -> Any:
    def health() -> Response[bytes]:
        answer = {"status": "ok", "changes": site.metadata.settings.change_counter()}
        return Response(json_bytes(answer), media_type=MediaType.JSON)

    return get("/health", sync_to_thread=True, permission=Access.ANYONE)(health)


@get("/static/{stamp:str}/{name:str}", sync_to_thread=True, permission=Access.ANYONE)
def _static_file(request: Request[Any, Any, Any]) -> Response[bytes]:
    asset = read_asset(request.path_params["name"])  # the stamp is for caches
    return Response(asset.data, media_type=asset.media_type, headers=_FOREVER)


def _query(request: Request[Any, Any, Any]) -> Query:
    return Query(request.url.path, dict(request.query_params.dict()))


def _wants_json(request: Request[Any, Any, Any]) -> bool:
    return bool(request.query_params.get("format") == "json")


def _show_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    shown = _explain(error, request.url.path)
    status = status_of(shown)
    page = Page("error.html", shown.what, {"error": shown.to_json()}, view={"status": status})
    answer = respond(page, as_json=_wants_json(request), status=status)
    for name, value in retry_header(shown).items():
        answer.set_header(name, value)
    return answer


def _explain(error: Exception, path: str) -> PenstockError:
    if isinstance(error, PenstockError):
        return error
    if isinstance(error, HTTPException) and error.status_code == 404:  # noqa: PLR2004 - not found
        return HttpError(404, f"There is no page {path}.", fix="Start from the list of runs.")
    if isinstance(error, HTTPException):
        return HttpError(error.status_code, str(error.detail))
    _log.error("The page %s failed.", path, exc_info=error)
    return HttpError(
        500,
        "This page could not be rendered.",
        f"{type(error).__name__}: {error}",
        "The server's log has the traceback; the other pages still work.",
    )
