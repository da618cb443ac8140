"""Canaille, an identity server, with one client, three people and a group; in an interpreter of its own.

Run as: python canaille_server.py PORT URL. It prints `ready` once it listens.
"""

import os
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # this machine only

from canaille import create_app
from canaille.app import models
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

PORT, URL = int(sys.argv[1]), sys.argv[2]
KEY = RSAKey.generate_key(2048, {"kid": "canaille", "use": "sig", "alg": "RS256"})

app = create_app({
    "SECRET_KEY": "of the tests",
    "SERVER_NAME": f"localhost:{PORT}",
    "PREFERRED_URL_SCHEME": "http",
    "CANAILLE": {"DATABASE": "memory"},
    "CANAILLE_OIDC": {
        "ACTIVE_JWKS": [KEY.as_dict(private=True)],
        "TRUSTED_DOMAINS": ["127.0.0.1", "localhost"],
    },
})  # fmt: skip
with app.app_context():
    backend = app.backend

    def save(kind, **fields):
        made = kind(**fields)
        backend.save(made)
        return made

    people = [
        save(
            models.User,
            user_name=name,
            display_name=name,
            formatted_name=name.title(),
            family_name=name.title(),
            emails=[f"{name}@example.org"],
            password="correct horse battery",
        )
        for name in ("ada", "eve")
    ]
    save(models.Group, display_name="ml", members=people[:1])
    client = save(
        models.Client,
        client_id="penstock",
        client_secret="client secret / with % signs",
        client_name="penstock",
        client_uri=URL,
        redirect_uris=[f"{URL}/sign-in/openid/callback"],
        post_logout_redirect_uris=[f"{URL}/sign-in"],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "email", "groups"],
        token_endpoint_auth_method="client_secret_basic",
        id_token_signed_response_alg="RS256",
    )
    client.audience = [client]
    backend.save(client)
server = make_server("127.0.0.1", PORT, app, threaded=True)
print("ready", flush=True)
server.serve_forever()
