"""The old way: the metadata proxy as a WSGI application, on the standard library alone. usage: wsgi.py ADDRESS PORT SOCKET [LOG]

It stands for the proxies in Python that OpenStack had before: an application that takes the guest's request apart, adds who
asked, asks the agent over its UNIX socket, and hands the answer back; one thread for each of the guests' connections.
"""
import http.client
import http.server
import socket
import socketserver
import sys
import wsgiref.handlers
import wsgiref.simple_server

NETWORK = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


class Agent(http.client.HTTPConnection):
    """A connection to the agent's UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def application(agent_path, log):
    def respond(environ, start_response):
        headers = {"X-Forwarded-For": environ["REMOTE_ADDR"], "X-Neutron-Network-ID": NETWORK, "Connection": "close",
                   "Host": environ.get("HTTP_HOST", "")}
        agent = Agent(agent_path)
        try:
            agent.request(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers=headers)
            answer = agent.getresponse()
            body = answer.read()
        finally:
            agent.close()
        start_response("%d %s" % (answer.status, answer.reason),
                       [("Content-Type", answer.headers.get("Content-Type", "text/plain")), ("Content-Length", str(len(body)))])
        if log:
            log.send(("<134>python: %s GET %s %d %d" % (
                environ["REMOTE_ADDR"], environ["PATH_INFO"], answer.status, len(body))).encode())
        return [body]
    return respond


class Exchange(wsgiref.handlers.SimpleHandler):
    http_version = "1.1"
    server_software = None
    origin_server = True


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one write

    def handle(self):
        self.close_connection = False
        while not self.close_connection:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            exchange = Exchange(self.rfile, self.wfile, sys.stderr, self.get_environ(), multithread=True)
            exchange.run(self.server.get_app())
            self.wfile.flush()

    def address_string(self):
        return self.client_address[0]


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 4096

    def server_bind(self):
        http.server.HTTPServer.server_bind(self)
        self.setup_environ()


def main():
    address, port, agent_path = sys.argv[1:4]
    log = None
    if len(sys.argv) > 4:
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.connect(sys.argv[4])
    server = Server((address, int(port)), Handler)
    server.set_app(application(agent_path, log))
    server.serve_forever()


if __name__ == "__main__":
    main()
