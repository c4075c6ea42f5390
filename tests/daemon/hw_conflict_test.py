#!/usr/bin/env python3
"""Another writer comes between our look at an object and our change of it, at a real S3 server
(SeaweedFS) and at Azure's emulator (Azurite). A relay stands between forebayd and the server; just
before it passes on a request with a condition (If-Match, If-None-Match), the other writer writes.
The server itself judges the condition.

Each test fails when the condition is not sent: the relay then never sees one.

usage: hw_conflict_test.py BUILD s3|azure [PATTERN of tests' names]...
exit code 77: the server cannot be installed, or there is no io_uring here
"""

import http.client
import http.server
import sys
import threading
import urllib.parse

import hw_origin_test
from hw_origin_test import CONFIG, content_of
from hw_test import Case, Daemon

HELD = (200, 201, 202, 204)
FAILED = (409, 412)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def do_any(self):
        relay = self.server.relay
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        condition = self.headers.get("If-Match") or self.headers.get("If-None-Match")
        if condition:
            relay.between()
        connection = http.client.HTTPConnection(relay.address, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read()
        if condition:
            relay.seen.append((self.command, condition, answer.status))
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(text)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        self.wfile.write(text)
        connection.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any


class Relay:
    """Passes requests on; seen: those with a condition, and what the server said."""

    def __init__(self, case, endpoint):
        parts = urllib.parse.urlsplit(endpoint)
        self.address, self.writers, self.seen = parts.netloc, [], []
        server = hw_origin_test.QuietServer(("127.0.0.1", 0), Handler)
        server.relay = self
        self.endpoint = "http://127.0.0.1:%d%s" % (server.server_address[1], parts.path)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        case.addCleanup(server.server_close)
        case.addCleanup(server.shutdown)

    def between(self):
        if self.writers:
            self.writers.pop(0)()

    def codes(self):
        return [code for _, _, code in self.seen]


class Conflicts(Case):
    SETTINGS = ("core.memory_size=64 MiB", "core.block_size=8 MiB", "client.arena=32 MiB")

    def setUp(self):
        super().setUp()
        self.server = hw_origin_test.SERVER
        self.write("credentials", self.server.credentials().encode())
        self.store = self.write("store.yaml", CONFIG.format(
            folder=self.folder, origin=self.server.origin()).encode())
        self.relay = Relay(self, self.server.endpoint)

    def daemon(self, *assignments):
        daemon = Daemon(self, self.store, *self.SETTINGS,
                        "origin.endpoint=" + self.relay.endpoint, *assignments)
        self.relay.seen.clear()  # of the origin's identity
        return daemon

    def other(self):
        """A daemon of somebody else's, who goes to the server directly."""
        return Daemon(self, self.store, *self.SETTINGS, "client.socket=" + self.path("socket2"),
                      name="other")

    def does(self, daemon, *arguments):
        ended = daemon.forebay(*arguments)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        return ended.stdout

    def put(self, daemon, name, content):
        return self.does(daemon, "put", self.write("source", content), name)

    def foreign(self, name, content):
        """A writer that knows nothing of forebay."""
        return lambda: self.server.put(name, content)

    def saw(self, conditions):
        """Each but the last condition failed at the server; the last held. Azure forgets blocks
        that are in no list when a foreign writer puts the whole blob: they come again (400)."""
        self.relay.seen = [one for one in self.relay.seen if one[2] != 400]
        self.assertEqual([condition == "*" for _, condition, _ in self.relay.seen],
                         [condition == "*" for condition in conditions], self.relay.seen)
        codes = self.relay.codes()
        self.assertTrue(all(code in FAILED for code in codes[:-1]), self.relay.seen)
        self.assertIn(codes[-1], HELD, self.relay.seen)

    def test_created_between_look_and_commit_is_looked_at_again(self):
        daemon, content = self.daemon(), content_of("ours", 9 << 20)
        self.relay.writers = [self.foreign("conflict/created", b"theirs")]
        self.put(daemon, "conflict/created", content)
        self.saw(["*", "its tag"])
        self.assertEqual(self.server.get("conflict/created"), content)

    def test_changed_between_look_and_commit_is_looked_at_again(self):
        daemon, content = self.daemon(), content_of("ours", 300)
        self.server.put("conflict/changed", b"before")
        self.relay.writers = [self.foreign("conflict/changed", b"theirs")]
        self.put(daemon, "conflict/changed", content)
        self.saw(["before's", "theirs'"])
        self.assertNotEqual(self.relay.seen[0][1], self.relay.seen[1][1])
        self.assertEqual(self.server.get("conflict/changed"), content)

    def test_changed_again_and_again_is_committed_when_it_rests(self):
        daemon, content = self.daemon(), content_of("ours", 300)
        self.relay.writers = [self.foreign("conflict/restless", b"theirs %d" % i) for i in range(6)]
        self.put(daemon, "conflict/restless", content)
        self.saw(["*"] + ["theirs'"] * 6)
        self.assertEqual(self.server.get("conflict/restless"), content)

    def test_later_version_that_came_between_stays(self):
        daemon, other = self.daemon(), self.other()
        theirs = content_of("theirs", 1000)
        self.relay.writers = [lambda: self.put(other, "conflict/later", theirs)]
        ended = daemon.forebay("put", self.write("ours", b"ours"), "conflict/later")
        self.assertEqual(ended.returncode, 1, daemon.log())
        self.assertIn("another writer has committed this name", ended.stderr.decode())
        self.assertEqual([code in FAILED for code in self.relay.codes()], [True])
        self.assertEqual(self.server.get("conflict/later"), theirs)

    def test_later_version_that_came_between_is_not_removed(self):
        daemon = self.daemon("metadata.kind=lmdb", "metadata.path=" + self.path("records"))
        other, theirs = self.other(), content_of("theirs", 1000)
        self.put(daemon, "conflict/removed", b"ours")
        daemon.wait_until(lambda: daemon.status()["unfinished_names"] == "0")
        self.relay.seen.clear()
        self.relay.writers = [lambda: self.put(other, "conflict/removed", theirs)]
        self.does(daemon, "rm", "conflict/removed")
        daemon.wait_until(lambda: daemon.status()["unfinished_names"] == "0")
        self.assertEqual([code in FAILED for code in self.relay.codes()], [True], self.relay.seen)
        self.assertEqual(self.server.get("conflict/removed"), theirs)

    def test_changed_between_look_and_removal_is_looked_at_again(self):
        daemon = self.daemon()
        self.server.put("conflict/gone", b"before")
        self.relay.writers = [self.foreign("conflict/gone", b"theirs")]
        self.does(daemon, "rm", "conflict/gone")
        self.saw(["before's", "theirs'"])
        self.assertIn(b"No such file", daemon.forebay("stat", "conflict/gone").stderr)


if __name__ == "__main__":
    sys.exit(hw_origin_test.main({"s3": (hw_origin_test.SeaweedFS, Conflicts),
                                  "azure": (hw_origin_test.Azurite, Conflicts)}, __doc__))
