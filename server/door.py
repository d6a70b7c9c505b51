"""The mediator's door: nginx before a SuperLink on loopback, which lets only the parties' side of Flower's API in.

Flower serves three APIs on one port: the Fleet's, for parties, which asks for a registered key; and Control's and the
Runtime's, which ask for nothing, so that whoever reaches them can submit a run, register a key or take over the
mediator's app.

What the door can't tell by itself is whether a signature is right. It knows the parties' public keys, though, which
Flower sends with each request, and gives those that name none of them little time and room.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

from server.certificates import Certificate, CertificateError
from wire.environment import AS_SHELL
from wire.files import make_folder, write_whole

if TYPE_CHECKING:
    from wire.signing import PublicKey

__all__ = ["CONNECTION", "Door", "DoorError"]

CONNECTION = "mediator"
"""The name by which ``flwr`` knows the SuperLink."""

NEEDED = ("ca.crt", "server.pem", "server.key")

TEMPLATE = """\
# Written by `python -m server door`. Start it with: nginx -e stderr -p {folder} -c nginx.conf
daemon off;
pid door.pid;
error_log stderr warn;
worker_processes 1;  # one count of connections and limits
worker_rlimit_nofile 16500;

events {{
    worker_connections 8192;
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

    # Whoever is slow loses its connection, and holds no more than its own share meanwhile.
    client_header_timeout 10s;  # for the TLS handshake, and for all headers together
    client_body_timeout 60s;  # between two reads, not for the whole
    send_timeout 60s;
    keepalive_timeout 20s;  # parties ask for work every 3 s on a connection that they keep
    lingering_time 5s;
    lingering_timeout 2s;
    reset_timedout_connection on;
    client_header_buffer_size 4k;
    large_client_header_buffers 4 8k;

    # The parties, by the public key that Flower sends with each request. Who names none of them is a stranger, whose
    # signature the SuperLink would refuse: it gets small bodies and little time for them.
    map_hash_bucket_size 1024;
    map $http_flwr_public_key $party {{
        default "";
{parties}    }}
    map $party $stranger {{
        default "";
        "" $binary_remote_addr;
    }}
    map $http_transfer_encoding$content_length $slow_stranger {{
        default $stranger;
        "" "";
        0 "";
    }}
    map $slow_stranger $any_stranger {{
        default all;
        "" "";
    }}
    limit_conn_zone $party zone=parties:1m;
    limit_conn_zone $slow_stranger zone=strangers:4m;
    limit_conn_zone $any_stranger zone=all_strangers:1m;
    limit_conn_log_level info;

    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    ssl_session_tickets off;

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
            if ($party = "") {{
                rewrite ^/v1/fleet/(.*)$ /strangers/$1 last;
            }}
            limit_conn parties 64;

            # With a path here, nginx passes on the path that it checked, not the one that came (`..`, `%2e`, `//`).
            proxy_pass https://superlink/v1/fleet/;
        }}

        location /strangers/ {{
            internal;
            limit_except POST {{ deny all; }}
            limit_conn strangers 16;
            limit_conn all_strangers 512;
            client_max_body_size 8k;
            client_body_timeout 5s;
            send_timeout 5s;
            keepalive_timeout 0;
            proxy_request_buffering on;
            proxy_pass https://superlink/v1/fleet/;
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
    names : by which parties reach it, which the certificate has to hold; the address of ``listen`` where there are none
    """

    folder: Path
    listen: str = "9443"
    superlink_port: int = 9400
    certificate: Path | None = None
    key: Path | None = None
    names: Sequence[str] = ()

    def write(self) -> list[Path]:
        """Write ``nginx.conf``, ``flower/config.toml``, the connection for ``flwr`` on this machine, and
        ``environment``, what a shell on this machine needs for it.

        Raises
        ------
        DoorError
            A certificate or key is missing or no good, or something can't stand in nginx's config.
        """
        self.check()
        folder = self.folder.resolve()
        config = TEMPLATE.format(
            folder=shlex.quote(str(folder)),
            listen=self.listen,
            superlink_port=self.superlink_port,
            certificate=_quoted(self._shown[0]),
            key=_quoted(self._shown[1]),
            ca=_quoted(folder / "ca.crt"),
            parties="".join(f'        "{_header(key)}" p{k};\n' for k, key in enumerate(self.parties().values(), 1)),
        )
        make_folder(folder / "tmp")
        nginx, environment = folder / "nginx.conf", folder / "environment"
        flower = make_folder(folder / "flower") / "config.toml"
        write_whole(nginx, config.encode())
        write_whole(flower, self._connection(folder).encode())
        write_whole(environment, f"export FLWR_HOME={shlex.quote(str(folder / 'flower'))}\n{AS_SHELL}\n".encode())
        return [nginx, flower, environment]

    def check(self) -> list[str]:
        """Look at everything before it is written; returns what is to be minded all the same.

        Raises
        ------
        DoorError
        """
        folder = self.folder.resolve()
        missing = [name for name in NEEDED if not (folder / name).is_file()]
        if missing:
            raise DoorError(
                f"{folder} lacks {', '.join(missing)}: `python -m server credentials` makes them for trying out"
            )
        listen = re.fullmatch(r"(?:([\w.-]+|\[[0-9a-fA-F:]+\]):)?([0-9]{1,5})", self.listen)
        if listen is None or not 1 <= int(listen[2]) <= 65535:
            raise DoorError(f"--listen takes a port from 1 to 65535, or address:port, got {self.listen!r}")
        for path in (*self._shown, folder / "ca.crt"):
            _quoted(path)
        try:
            return [*self._check_certificates(folder, (listen[1] or "").strip("[]")), *self._check_parties()]
        except CertificateError as error:
            raise DoorError(str(error)) from error

    @property
    def _shown(self) -> tuple[Path, Path]:
        """The files of the certificate that parties see, and of its key."""
        folder = self.folder.resolve()
        return self.certificate or folder / "server.pem", self.key or folder / "server.key"

    def _check_certificates(self, folder: Path, address: str) -> list[str]:
        authority, inner = Certificate.read(folder / "ca.crt"), Certificate.read(folder / "server.pem")
        shown = Certificate.read(self._shown[0])
        inner.check_key(folder / "server.key")
        shown.check_key(self._shown[1])
        warnings = [one.check_days() for one in (authority, inner, *([shown] if self.certificate else []))]
        inner.check_authority(authority)
        inner.check_names(["localhost", "127.0.0.1"], "by which nginx and `flwr` reach the SuperLink")
        if self.names:
            shown.check_names(self.names, "by which parties are to reach it (--name)")
        elif address and not _any_address(address):
            shown.check_names([address], "where the door listens: where parties reach it by another name, give --name")
        elif all(_local(name) for name in shown.names):
            warnings.append(
                f"{shown.path} is good for {', '.join(shown.names) or 'no name'} only, by which nobody on another "
                "machine reaches it: `python -m server credentials` with --name, or --certificate"
            )
        return [warning for warning in warnings if warning]

    def _check_parties(self) -> list[str]:
        if self.parties():
            return []
        return [
            f"{self.folder / 'parties'} holds no party's NAME.pub: until they are there, and this was run again, only "
            "small messages pass the door"
        ]

    def parties(self) -> dict[str, PublicKey]:
        """The keys that may send what is large: those of ``parties`` in the folder.

        Raises
        ------
        DoorError
            A file there is no key.
        """
        from wire.signing import KeyFileError, read_party_keys  # which loads Flower

        folder = self.folder / "parties"
        try:
            return read_party_keys(folder) if folder.is_dir() and any(folder.glob("*.pub")) else {}
        except KeyFileError as error:
            raise DoorError(str(error)) from error

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


def _header(key: PublicKey) -> str:
    """A public key as Flower's requests carry it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_bytes(serialization.Encoding.PEM, form)).decode()


def _any_address(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False


def _local(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _quoted(path: Path) -> str:
    """A file's absolute path as nginx's config takes it."""
    path = path.resolve()
    if not path.is_file():
        raise DoorError(f"{path} does not exist")
    if any(letter in str(path) for letter in "\"'\\;{}$\n"):
        raise DoorError(f"nginx's config can't hold this path, move the file: {path}")
    return f'"{path}"'
