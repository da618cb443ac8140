"""The page of a deployed model in the form of a serving platform: to look at, and to copy into a file."""

import shlex

from penstock.core import NotFoundError, PenstockError
from penstock.exporters import SERVING_PLATFORMS, export_model
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site

_NAMES = {"bentoml": "BentoML", "kserve": "KServe", "ray-serve": "Ray Serve"}


def model_export_page(site: Site, query: Query, name: str) -> Page:
    """Show a model in production as a file for a serving platform.

    Raises:
        NotFoundError: If there is no such model, or no version is in production.
        ParameterError: If the platform is unknown.
    """
    return _page(site, query, name, "models")


def deployment_export_page(site: Site, query: Query, name: str) -> Page:
    """Show a deployment as a file for a serving platform.

    Raises:
        NotFoundError: If there is no such deployment or model.
        ParameterError: If the platform is unknown.
    """
    return _page(site, query, name, "deployments")


def _page(site: Site, query: Query, name: str, section: str) -> Page:
    to = query.text("to") or SERVING_PLATFORMS[0]
    asked = {"image": query.text("image"), "anonymous": bool(query.text("anonymous"))}
    exported, fault = None, None
    try:
        exported = export_model(
            name,
            to=to,  # type: ignore[arg-type]  # export_model checks the choice
            image=query.text("image") or None,
            anonymous=bool(asked["anonymous"]),
            store=site.store,
        )
    except PenstockError as error:
        if to not in SERVING_PLATFORMS or isinstance(error, NotFoundError):
            raise
        fault = error.to_json()  # of the form's values, or of a name that one platform refuses
    words = ["penstock", "export", name, "--to", to]
    words += ["--image", str(asked["image"])] if asked["image"] and to == "kserve" else []
    words += ["--anonymous"] if asked["anonymous"] else []
    data = {
        "name": name,
        "to": to,
        "file": exported.file if exported else None,
        "text": exported.text if exported else None,
        "notes": list(exported.notes) if exported else [],
        "error": fault,
    }
    view = {
        "section": section,
        "tabs": {_NAMES[each]: (query.link(to=each), each == to) for each in SERVING_PLATFORMS},
        "asked": asked,
        "command_text": shlex.join([*words, "-o", exported.file if exported else "FILE"]),
    }
    return Page("exported_model.html", f"{name} for {_NAMES[to]}", data, view, section=section)
