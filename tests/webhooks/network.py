"""A network of its own, for `test_network.py`: a name server, and web servers with certificates, at public addresses.

Run in namespaces for users, mounts and networks of its own, so that nothing of it is seen outside. Prints a JSON
object of what each case was answered, and of what each web server was sent.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from itertools import chain, repeat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from arena.errors import ArenaError
from arena.webhooks.sending import send

PUBLIC, METADATA = "8.8.8.8", "169.254.169.254"
NOW = datetime.now(UTC)
# What the name server says of each name, again and again the last.
NAMES: dict[str, Iterator[str]] = {}
got: dict[str, list[str]] = {}
Key = ec.EllipticCurvePrivateKey


def answer_names() -> None:
    """Answer questions for the IPv4 address of a name; others have no answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 53))
        ready.set()
        while True:
            asked, who = listening.recvfrom(2048)
            end, labels = 12, []
            while asked[end]:
                labels.append(asked[end + 1 : end + 1 + asked[end]].decode())
                end += 1 + asked[end]
            kind = struct.unpack("!H", asked[end + 1 : end + 3])[0]
            question = asked[12 : end + 5]
            found = next(NAMES[".".join(labels)], None) if kind == 1 and ".".join(labels) in NAMES else None
            head = asked[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if found else 0, 0, 0)
            record = b"" if found is None else b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(found)
            listening.sendto(head + question + record, who)


def certificate(
    name: str, issuer: tuple[x509.Certificate, Key] | None, *, days: int = 1
) -> tuple[x509.Certificate, Key]:
    """Return a certificate for a name or address, its own authority where there is no issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=9)).not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )  # fmt: skip
    general = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    made = made.add_extension(x509.SubjectAlternativeName([general]), critical=False)
    return made.sign(key if issuer is None else issuer[1], hashes.SHA256()), key


def serve(
    ip: str,
    shown: Sequence[tuple[x509.Certificate, Key]] = (),
    redirect: str = "",
    port: int = 0,
    folder: Path = Path(),
) -> int:
    """Serve on an address and return the port; `shown` is the certificate with its key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            got.setdefault(ip, []).append(f"{named.pop() if named else ''} {self.headers['host']} {self.path}")
            self.send_response(307 if redirect else 200)
            self.send_header("location", redirect)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that does not like the certificate hangs up: that is what is tested."""

    named: list[str] = []
    server: HTTPServer = Quiet((ip, port), Handler)
    for made, key in shown:
        file = folder / f"{made.serial_number}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(made.public_bytes(Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.sni_callback = lambda _socket, name, _context: named.append(name or "")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def told(url: str) -> str:
    """Send an event; return what came of it."""
    try:
        return send(url, "whsec_QUJD", "msg_1", "trade", {}, at=0.0, private=False)
    except ArenaError as error:
        return str(error)


def main(folder: Path) -> None:
    """Set the network up and send to each receiver."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for ip in (PUBLIC, METADATA):
        subprocess.run(["ip", "address", "add", f"{ip}/32", "dev", "lo"], check=True)
    resolver = folder / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:20 attempts:1\n")
    subprocess.run(["mount", "--bind", str(resolver), "/etc/resolv.conf"], check=True)
    ours = certificate("ours.example", None)
    trusted = folder / "authorities.pem"
    trusted.write_bytes(ours[0].public_bytes(Encoding.PEM))
    NAMES.update(
        (name, repeat(PUBLIC))
        for name in ("good.example", "wrong.example", "old.example", "self.example", "moved.example")
    )
    NAMES["rebind.example"] = chain([PUBLIC], repeat("127.0.0.1"))
    NAMES["inner.example"] = repeat("127.0.0.1")
    NAMES["cloud.example"] = repeat(METADATA)
    threading.Thread(target=answer_names, daemon=True).start()
    ready.wait()
    said = {}
    for name, shown in {
        "good.example": certificate("good.example", ours), "wrong.example": certificate("another.example", ours),
        "old.example": certificate("old.example", ours, days=-1), "self.example": certificate("self.example", None),
        "8.8.8.8": certificate("8.8.8.8", ours),
    }.items():  # fmt: skip
        said[name] = told(f"https://{name}:{serve(PUBLIC, [shown], folder=folder)}/hook")
    port = serve(PUBLIC)
    for ip in ("127.0.0.1", METADATA):
        serve(ip, port=port)
    for name in ("rebind.example", "rebind.example", "inner.example", "cloud.example", "nobody.example"):
        said[f"{name}, again" if name in said else name] = told(f"http://{name}:{port}/hook")
    said["moved.example"] = told(f"http://moved.example:{serve(PUBLIC, redirect=f'http://{METADATA}:{port}/')}/hook")
    print(json.dumps({"said": said, "got": got}))


ready = threading.Event()

if __name__ == "__main__":
    main(Path(sys.argv[1]))
