"""A proxy that decrypts TLS, so that programs that connect to *.googleapis.com reach the stub.

No request leaves the machine: the stub answers for every host. `openssl` creates the CA and the certificate.
"""

import json
import ssl
import subprocess
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOSTS = "DNS:googleapis.com,DNS:*.googleapis.com"


def certificate(folder):
    """Creates a CA and its certificate for Google's hosts, in files of the folder."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=stub", "-days", "2")
    openssl("req", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=googleapis.com")
    (folder / "leaf.ext").write_text(f"subjectAltName={HOSTS}\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "leaf.ext"]
    openssl("x509", "-req", "-in", "leaf.csr", *signed, "-out", "leaf.pem")


class Request(BaseHTTPRequestHandler):
    """A request inside the tunnel."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        host = self.headers["Host"].split(":")[0]
        try:
            status, headers, body = self.server.answer(self.command, host, self.path, self.headers, self.body())
        except Exception:  # The client must see a failure of the stub.
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
        """No log: requests.jsonl has the requests."""


class Tunnel(BaseHTTPRequestHandler):
    """A request to the proxy itself."""

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        with self.server.tls.wrap_socket(self.connection, server_side=True) as inside:
            Request(inside, self.client_address, self.server)
        self.close_connection = True

    def log_message(self, *_):
        """No log."""


class Proxy(ThreadingHTTPServer):
    """Calls `answer(method, host, path, headers, body)` for every request. It returns status, headers and body."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder, answer):
        super().__init__(("127.0.0.1", 0), Tunnel)
        certificate(folder)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
        self.answer = answer

    def handle_error(self, request, client_address):
        """Ignores clients that disconnect."""


def error(status, word, message, *details, reason=None):
    """An error in the form of Google's services."""
    body = {"code": status, "message": message, "status": word, "details": list(details)}
    # Without `errors`, bq crashes.
    body["errors"] = [{"reason": reason or word, "message": message, "domain": "global"}]
    return status, {}, json.dumps({"error": body}).encode()
