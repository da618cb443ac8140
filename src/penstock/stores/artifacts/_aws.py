"""Keys, region and endpoint for a bucket, from the same sources as the AWS tools."""

import os
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from penstock.core import SettingsError

# These lead to credentials by themselves, and take precedence over a profile.
_STRONGER = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}
_PLACES = {"region": "region", "endpoint_url": "endpoint"}


def bucket_settings() -> dict[str, str]:
    """Return the settings of the environment's profile that the environment itself lacks.

    Variables such as ``AWS_ACCESS_KEY_ID`` and ``AWS_ENDPOINT_URL`` are read by obstore.

    Raises:
        SettingsError: If AWS_PROFILE names a profile that has no keys.
    """
    name = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or ""
    said = _section(_file("AWS_CONFIG_FILE", "config"), f"profile {name}" if name else "default")
    said |= _section(_file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name or "default")
    settings = {ours: said[theirs] for theirs, ours in _PLACES.items() if theirs in said}
    if any(os.environ.get(variable) for variable in ("AWS_REGION", "AWS_DEFAULT_REGION")):
        settings.pop("region", None)
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        settings["endpoint"] = endpoint
    if any(os.environ.get(variable) for variable in _STRONGER):
        return settings
    keys = {ours: said[theirs] for theirs, ours in _KEYS.items() if theirs in said}
    if name and "access_key_id" not in keys:
        raise SettingsError(
            what=f"The AWS profile {name!r} has no keys that penstock can read.",
            why="It reads aws_access_key_id and aws_secret_access_key; it does not sign in.",
            fix=f'Run: eval "$(aws configure export-credentials --profile {name} --format env)"',
            profile=name,
        )
    return settings | keys


def _file(variable: str, name: str) -> Path:
    chosen = os.environ.get(variable)
    return Path(chosen).expanduser() if chosen else Path("~/.aws").expanduser() / name


def _section(path: Path, name: str) -> dict[str, str]:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (ConfigError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(
            what=f"{path} cannot be read ({type(error).__name__}).",
            why="It may hold the keys for the bucket.",
            fix="Correct it, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            path=path,
        ) from None  # the parser's message quotes lines of the file, and so perhaps a key
    return dict(parser[name]) if parser.has_section(name) else {}
