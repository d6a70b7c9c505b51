"""The mediator's door: nginx before a SuperLink on loopback, which lets only the parties' side of Flower's API in.

Flower serves three APIs on one port: the Fleet's, for parties, which asks for a registered key; and Control's and the
Runtime's, which ask for nothing, so that whoever reaches them can submit a run, register a key or take over the
mediator's app.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from wire.files import make_folder, write_whole

__all__ = ["CONNECTION", "Door", "DoorError"]

CONNECTION = "mediator"
"""The name by which ``flwr`` knows the SuperLink."""

NEEDED = ("ca.crt", "server.pem", "server.key")

TEMPLATE = """\
# Written by `python -m server door`. Start it with: nginx -e stderr -p {folder} -c nginx.conf
daemon off;
pid door.pid;
error_log stderr warn;
worker_processes 2;

events {{
    worker_connections 1024;
}}

http {{
    server_tokens off;
    access_log access.log;

    # Nothing that passes is written to the disk: contributions are streamed through.
    proxy_request_buffering off;
    proxy_buffering off;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;

    # Flower cuts arrays into pieces of 5 MB, one a request; an app's bundle has 10 MB at most.
    client_max_body_size 64m;
    client_header_timeout 20s;
    client_body_timeout 60s;  # between two reads, not for the whole
    send_timeout 60s;
    keepalive_timeout 75s;  # parties ask for work every 3 s on a connection that they keep

    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    ssl_session_tickets off;

    upstream superlink {{
        server 127.0.0.1:{superlink_port};
        keepalive 32;
    }}

    server {{
        listen {listen} ssl;

        # The SuperLink refuses these too, while --enable-supernode-auth is on: keys come in on its own machine only.
        location = /v1/fleet/register-node {{ return 405; }}
        location = /v1/fleet/unregister-node {{ return 405; }}

        location /v1/fleet/ {{
            limit_except POST {{ deny all; }}

            # With a path here, nginx passes on the path that it checked, not the one that came (`..`, `%2e`, `//`).
            proxy_pass https://superlink/v1/fleet/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_next_upstream off;
            proxy_connect_timeout 10s;
            proxy_send_timeout 60s;
            proxy_read_timeout 300s;

            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {ca};
            proxy_ssl_name localhost;
            proxy_ssl_server_name on;
            proxy_ssl_protocols TLSv1.3;
        }}

        location = /v1/fleet {{ return 403; }}  # nginx would redirect it
        location / {{ return 403; }}
    }}
}}
"""


class DoorError(ValueError):
    """The door can't be set up; the text says why and how to mend it."""


@dataclass(frozen=True)
class Door:
    """Where the mediator's files are and which ports it uses.

    Parameters
    ----------
    folder : holds ca.crt, server.pem and server.key; the door's own files go there too
    listen : nginx's ``listen``: the port that parties connect to, or address:port
    superlink_port : of the SuperLink on 127.0.0.1, which nobody outside this machine reaches
    certificate, key : what parties see, the folder's server.pem and server.key where they are None; between nginx and
        the SuperLink those are used in any case
    """

    folder: Path
    listen: str = "9443"
    superlink_port: int = 9400
    certificate: Path | None = None
    key: Path | None = None

    def write(self) -> list[Path]:
        """Write ``nginx.conf`` and ``flower/config.toml``, the connection for ``flwr`` on this machine.

        Raises
        ------
        DoorError
            A certificate or key is missing, or something can't stand in nginx's config.
        """
        folder = self.folder.resolve()
        missing = [name for name in NEEDED if not (folder / name).is_file()]
        if missing:
            raise DoorError(
                f"{folder} lacks {', '.join(missing)}: `python -m server credentials` makes them for trying out"
            )
        listen = re.fullmatch(r"(?:[\w.-]+:|\[[0-9a-fA-F:]+\]:)?([0-9]{1,5})", self.listen)
        if listen is None or not 1 <= int(listen[1]) <= 65535:
            raise DoorError(f"--listen takes a port from 1 to 65535, or address:port, got {self.listen!r}")
        config = TEMPLATE.format(
            folder=shlex.quote(str(folder)),
            listen=self.listen,
            superlink_port=self.superlink_port,
            certificate=_quoted(self.certificate or folder / "server.pem"),
            key=_quoted(self.key or folder / "server.key"),
            ca=_quoted(folder / "ca.crt"),
        )
        make_folder(folder / "tmp")
        nginx, flower = folder / "nginx.conf", make_folder(folder / "flower") / "config.toml"
        write_whole(nginx, config.encode())
        write_whole(flower, self._connection(folder).encode())
        return [nginx, flower]

    def _connection(self, folder: Path) -> str:
        return (
            f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
            f'address = "127.0.0.1:{self.superlink_port}"\nroot-certificates = {json.dumps(str(folder / "ca.crt"))}\n'
        )

    @property
    def superlink(self) -> list[str]:
        """The command that starts the SuperLink."""
        folder = self.folder.resolve()
        argv = ["flower-superlink", "--host", "127.0.0.1", "--port", str(self.superlink_port)]
        argv += ["--ssl-ca-certfile", str(folder / "ca.crt"), "--ssl-certfile", str(folder / "server.pem")]
        argv += ["--ssl-keyfile", str(folder / "server.key"), "--enable-supernode-auth"]
        return [*argv, "--disable-runtime-dependency-installation"]

    @property
    def nginx(self) -> list[str]:
        """The command that starts the door."""
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or "nginx"
        return [program, "-e", "stderr", "-p", str(self.folder.resolve()), "-c", "nginx.conf"]


def _quoted(path: Path) -> str:
    """A file's absolute path as nginx's config takes it."""
    path = path.resolve()
    if not path.is_file():
        raise DoorError(f"{path} does not exist")
    if any(letter in str(path) for letter in "\"'\\;{}$\n"):
        raise DoorError(f"nginx's config can't hold this path, move the file: {path}")
    return f'"{path}"'
