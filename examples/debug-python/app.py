from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/healthz":
            self.send_response(200)
            self.end_headers()
            return
        name = parse_qs(urlparse(self.path).query).get("name", ["devloop"])[0]
        greeting = f"Hello, {name}\n"
        self.send_response(200)  # a line for a breakpoint
        self.end_headers()
        self.wfile.write(greeting.encode())

    def log_message(self, *arguments):
        """Says nothing: the readiness probe asks each second."""


if __name__ == "__main__":
    print("listening on :8080", flush=True)
    ThreadingHTTPServer(("", 8080), Greeter).serve_forever()
