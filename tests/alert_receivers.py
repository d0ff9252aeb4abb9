"""A webhook and a mail server on loopback that keep what they are told, refuse it, or never answer."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast


@dataclass
class Webhook:
    """Its address, what it was told, and with which status it answers; `hangs` is set while it is to answer nothing,
    `is_asked` once it was asked at all."""

    address: str
    status: int = 200
    told: list[str] = field(default_factory=list)
    hangs: threading.Event = field(default_factory=threading.Event)
    is_asked: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """As Slack's: a JSON body with a text, or attachments with title and text, answered with `ok`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.is_asked.set()
            if received.hangs.is_set():
                received.released.wait()
                return
            if received.status == 200:
                attached = [f"{each['title']}\n{each['text']}" for each in body.get("attachments", ())]
                received.told.append(body["text"] if not attached else "\n".join(attached))
            answer = b"ok" if received.status == 200 else b"no_service"
            self.send_response(received.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            """Tests read the pytest report, not access lines."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Webhook(f"http://127.0.0.1:{server.server_address[1]}/services/T0/B0/s3cret")
    with _served(server):
        yield received
        received.released.set()


@dataclass
class MailServer:
    """Where it listens, and the mails it took: recipients and content."""

    port: int
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Takes every mail (RFC 5321, without extensions)."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            recipients: list[str] = []
            self._say("220 ready")
            while line := self.rfile.readline().decode().rstrip("\r\n"):
                command = line.split()[0].upper()
                if command == "QUIT":
                    self._say("221 bye")
                    return
                if command == "RCPT":
                    recipients.append(line.partition("<")[2].rstrip(">"))
                if command == "DATA":
                    self._say("354 go on")
                    taken.mails.append((recipients, self._content()))
                self._say("250 ok")

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def _content(self) -> EmailMessage:
            lines = iter(self.rfile.readline, b".\r\n")
            return cast(
                "EmailMessage", email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            )

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    taken = MailServer(server.server_address[1])
    with _served(server):
        yield taken


@contextmanager
def _served(server: socketserver.TCPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
