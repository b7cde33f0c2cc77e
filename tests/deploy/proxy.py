"""A proxy that ends TLS itself, so that programs which speak to *.googleapis.com reach the stub beside it.

Nothing leaves the machine: every host that is asked for is the stub. `openssl` makes the CA and the certificate.
"""

import json
import ssl
import subprocess
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOSTS = "DNS:googleapis.com,DNS:*.googleapis.com"


def certificate(folder):
    """Makes a CA and a certificate of it for Google's hosts, in files of the folder."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=stub", "-days", "2")
    openssl("req", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=googleapis.com")
    (folder / "leaf.ext").write_text(f"subjectAltName={HOSTS}\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "leaf.ext"]
    openssl("x509", "-req", "-in", "leaf.csr", *signed, "-out", "leaf.pem")


class Request(BaseHTTPRequestHandler):
    """A request inside of the tunnel."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        host = self.headers["Host"].split(":")[0]
        try:
            status, headers, body = self.server.answer(self.command, host, self.path, self.headers, self.body())
        except Exception:  # A fault of the stub must be seen, by whoever asked.
            status, headers, body = error(501, "UNIMPLEMENTED", f"the stub failed: {traceback.format_exc()}")
        self.send_response(status)
        headers = {"Content-Type": "application/json", **headers, "Content-Length": len(body)}
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        """What is asked is in requests.jsonl."""


class Tunnel(BaseHTTPRequestHandler):
    """What speaks to the proxy itself."""

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        with self.server.tls.wrap_socket(self.connection, server_side=True) as inside:
            Request(inside, self.client_address, self.server)
        self.close_connection = True

    def log_message(self, *_):
        """Nothing."""


class Proxy(ThreadingHTTPServer):
    """Gives every request to `answer(method, host, path, headers, body)`, which gives status, headers and body."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder, answer):
        super().__init__(("127.0.0.1", 0), Tunnel)
        certificate(folder)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
        self.answer = answer

    def handle_error(self, request, client_address):
        """A client that went away is no fault."""


def error(status, word, message, *details, reason=None):
    """A body as Google's services give it."""
    body = {"code": status, "message": message, "status": word, "details": list(details)}
    # bq reports a crash of its own without.
    body["errors"] = [{"reason": reason or word, "message": message, "domain": "global"}]
    return status, {}, json.dumps({"error": body}).encode()
