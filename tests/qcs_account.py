"""An account at Rigetti's cloud, as its own files have it, for a server on loopback."""

import base64
import json
import time
from pathlib import Path

SETTINGS = """
default_profile_name = "default"
[profiles.default]
api_url = "URL"
auth_server_name = "default"
credentials_name = "default"
[auth_servers.default]
client_id = "loopback"
issuer = "https://127.0.0.1:9/oauth2/default"
"""
SECRETS = """
[credentials.default.token_payload]
access_token = "TOKEN"
refresh_token = "none"
"""


def account(folder: Path, url: str) -> dict[str, str]:
    """Write the two files of an account for the server at an address; the variables that name
    them."""
    named = {}
    for name, content in (("SETTINGS", SETTINGS), ("SECRETS", SECRETS)):
        file = folder / f"{name}.toml"
        file.write_text(content.replace("URL", url).replace("TOKEN", _token()))
        named[f"QCS_{name}_FILE_PATH"] = str(file)
    return named


def _token() -> str:
    """A token that looks like one, and is good for an hour."""

    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims: dict[str, object] = {"iat": int(time.time()), "exp": int(time.time()) + 3600}
    return ".".join(map(part, ({"alg": "RS256", "typ": "JWT"}, claims, {})))
