#!/usr/bin/env python3
"""Goes to the daemon's limits of docs/limits.md and one beyond each: what is refused is refused by
name, what waits comes to its turn, and others are served meanwhile.

usage: hw_limits_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import base64
import http.server
import json
import os
import socket
import threading
import time

import hw_test
import stranger
from hw_test import Case, Daemon, free_ports, program, run

BLOCK = 256 << 10
REQUESTS_MAX, LEASES_MAX, OPENS_MAX, WRITES_MAX = 16, 256, 16384, 256
RING_ENTRIES, READS_OTHERS, REQUEST_BYTES, MEMBERS_MAX = 256, 1024, 8192, 4096
PULLS_MAX, LOOKUPS_MAX, BODY_MAX, RUNS_MAX = 64, 16, 16 << 20, 4096
NAME_TASKS_MAX, NAME_LIST_MAX, PENDING_MAX, ALIEN_PAGES, AZURE_BLOCKS = 256, 256, 4096, 64, 50000
NAME_BLOCKS = 1 << 26


class Sessions(Case):
    def setUp(self):
        super().setUp()
        self.content = self.object("data", 700001)

    def client(self, daemon):
        client = stranger.Client(daemon.socket)
        self.addCleanup(client.close)
        return client

    def reads(self, daemon):
        self.assertTrue(daemon.forebay("get", "data").stdout == self.content)

    def test_requests_over_the_socket(self):
        """Replies that nobody takes are requests, too: beyond REQUESTS_MAX the session ends."""
        daemon = Daemon(self, self.config)
        client = self.client(daemon)
        for _ in range(REQUESTS_MAX):
            client.send(stranger.STAT, name=b"data")
        for _ in range(REQUESTS_MAX):
            self.assertEqual(client.reply()["status"], stranger.OK)
        sent = 0
        try:
            client.socket.settimeout(2)
            while sent < 5000:
                client.send(stranger.STAT, name=b"data")
                sent += 1
        except OSError:
            pass
        self.assertIn(sent, range(REQUESTS_MAX, 5000))
        daemon.says("more requests at once than agreed")
        self.reads(daemon)

    def test_leases(self):
        daemon = Daemon(self, self.config)
        client = self.client(daemon)
        self.reads(daemon)
        handle = client.call(stranger.OPEN, name=b"data")["object"]
        answers = [client.asked(stranger.GET, object=handle, index=0)
                   for _ in range(LEASES_MAX + 1)]
        statuses = [answer["status"] for answer in answers]
        self.assertEqual(statuses, [stranger.OK] * LEASES_MAX + [stranger.BUSY])
        client.ask(stranger.RELEASE, object=answers[0]["lease"])
        self.assertEqual(client.asked(stranger.GET, object=handle, index=0)["status"], stranger.OK)
        self.reads(daemon)

    def test_opens(self):
        daemon = Daemon(self, self.config)
        client = self.client(daemon)
        for _ in range(OPENS_MAX):
            self.assertEqual(client.call(stranger.OPEN, name=b"data")["status"], stranger.OK)
        reply = client.call(stranger.OPEN, name=b"data")
        self.assertEqual(reply["status"], stranger.BUSY)
        handle = client.call(stranger.STAT, name=b"data")["object"]
        client.send(stranger.CLOSE, object=handle)
        self.assertEqual(client.call(stranger.OPEN, name=b"data")["status"], stranger.OK)
        self.reads(daemon)

    def test_files_being_written(self):
        daemon = Daemon(self, self.config)
        client = self.client(daemon)
        statuses = [client.call(stranger.CREATE, name=b"w%d" % i)["status"]
                    for i in range(WRITES_MAX + 1)]
        self.assertEqual(statuses, [stranger.OK] * WRITES_MAX + [stranger.BUSY])
        self.reads(daemon)

    def test_ring(self):
        """It is full while nobody takes replies; whoever says that it holds more has broken it."""
        daemon = Daemon(self, self.config)
        client = self.client(daemon)
        handle = client.call(stranger.OPEN, name=b"data")["object"]
        for _ in range(RING_ENTRIES):
            client.ask(stranger.FORGET, object=handle, index=9)  # answered at once: INVALID
        daemon.wait_until(lambda: client.word(stranger.REPLY_TAIL) == RING_ENTRIES)
        client.ask(stranger.FORGET, object=handle, index=9)
        time.sleep(0.2)
        self.assertEqual(client.word(stranger.REPLY_TAIL), RING_ENTRIES)  # it waits
        self.assertEqual(len(client.answers()), RING_ENTRIES)
        self.assertEqual(client.answer()["status"], stranger.INVALID)
        client.word(stranger.REQUEST_TAIL, client.tail + RING_ENTRIES + 1)
        os.write(client.doorbell, b"\1\0\0\0\0\0\0\0")
        daemon.wait_until(lambda: "the client broke its ring" in daemon.log())
        self.reads(daemon)

    def test_reads_that_are_remembered(self):
        for i in range(READS_OTHERS + 20):
            self.write("origin/r%d" % i, b"%d" % i)
        daemon = Daemon(self, self.config)
        client = self.client(daemon)
        for i in range(READS_OTHERS + 20):  # none is in memory
            handle = client.call(stranger.OPEN, name=b"r%d" % i)["object"]
            answer = client.asked(stranger.GET, object=handle, index=0)
            self.assertEqual(answer["status"], stranger.OK)
            client.ask(stranger.RELEASE, object=answer["lease"])
            client.send(stranger.CLOSE, object=handle)
        self.assertIn(b"not read of late 1", daemon.forebay("explain", "r0").stdout)
        last = daemon.forebay("explain", "r%d" % (READS_OTHERS + 19)).stdout
        self.assertIn(b"not read of late 0", last)

    def test_parts_of_a_file_that_are_apart(self):
        """Blocks in any order: more parts than RUNS_MAX are FULL, and the file is not committed."""
        daemon = Daemon(self, self.config, "core.block_size=4 KiB", "core.memory_size=128 MiB")
        client = self.client(daemon)
        handle = client.call(stranger.CREATE, name=b"apart")["object"]
        client.put_arena(bytes(4096))
        end, statuses = time.monotonic() + 60, []
        for i in range(RUNS_MAX + 1):
            status = stranger.BUSY
            while status == stranger.BUSY and time.monotonic() < end:
                status = client.asked(stranger.WRITE, object=handle, index=2 * i,
                                      size=4096)["status"]
            statuses.append(status)
        self.assertEqual(statuses, [stranger.OK] * RUNS_MAX + [stranger.FULL])
        reply = client.call(stranger.COMMIT, object=handle, index=2 * RUNS_MAX * 4096)
        self.assertEqual(reply["status"], stranger.INVALID)


class Http(Case):
    def test_request_of_many_bytes(self):
        port = free_ports(1)[0]
        daemon = Daemon(self, self.config, "http=127.0.0.1:%d" % port)
        head = b"GET /health HTTP/1.1\r\nX: "
        for size, code in ((REQUEST_BYTES, b"200 OK"), (REQUEST_BYTES + 1, b"400 Bad Request"),
                           (10 * REQUEST_BYTES, b"400 Bad Request")):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as asker:
                asker.sendall(head + b"x" * (size - len(head) - 4) + b"\r\n\r\n")
                self.assertIn(code, asker.recv(100), size)
        self.assertEqual(hw_test.page(port, "/health"), (200, "alive\n"))
        self.assertEqual(daemon.process.poll(), None)


class Peers(Case):
    def test_more_blocks_than_a_connection_pulls_at_once(self):
        config, _ = self.pair()
        content = self.object("large", 3 * PULLS_MAX * BLOCK)
        sizes = ("core.memory_size=64 MiB", "pull_connections=1")
        first = Daemon(self, config, *sizes)
        second = Daemon(self, config, *sizes, "node=1", "client.socket=" + self.path("second"),
                        name="second")
        for daemon in (first, second, first):
            self.assertTrue(daemon.forebay("get", "large").stdout == content)

    def test_more_names_than_are_looked_up_at_once(self):
        ports = free_ports(LOOKUPS_MAX + 4)
        members = "members:\n" + "".join(
            '  - {id: %d, address: "localhost:%d"}\n' % pair for pair in enumerate(ports))
        config = self.write("many.yaml",
                            (hw_test.CONFIG.format(folder=self.folder) + members).encode())
        first = Daemon(self, config)
        last = len(ports) - 1
        Daemon(self, config, "node=%d" % last, "client.socket=" + self.path("last"), name="last")

        def is_connected():
            name = "n%d" % time.monotonic_ns()
            self.object(name, 10 * BLOCK)
            first.forebay("get", name)
            return first.status()["peers_connected"] == "1"

        first.wait_until(is_connected)


class Config(Case):
    def check(self, text, *assignments):
        arguments = [program("forebayd"), "--check", "--config", self.write("c.yaml", text)]
        for assignment in assignments:
            arguments += ["--set", assignment]
        return run(*arguments)

    def refuses(self, ended, text):
        self.assertEqual(ended.returncode, 2)
        self.assertIn(text, ended.stderr)

    def test_members(self):
        text = hw_test.CONFIG.format(folder=self.folder).encode() + b"members:\n"
        for count in (MEMBERS_MAX, MEMBERS_MAX + 1):
            members = b"".join(b'  - {id: %d, address: "10.%d.%d.1:7700"}\n' % (
                i, i >> 8, i & 255) for i in range(count))
            ended = self.check(text + members)
            if count == MEMBERS_MAX:
                self.assertEqual(ended.returncode, 0, ended.stderr)
            else:
                self.refuses(ended, b"are more than %d" % MEMBERS_MAX)

    def test_texts(self):
        """Each text of the config that has a longest length: that, and one byte more."""
        text = hw_test.CONFIG.format(folder=self.folder).encode()
        for key, longest in (("cluster", 63), ("client.socket", 103), ("device.path", 1023),
                             ("client.token", 1023), ("record", 1023), ("origin.path", 1023)):
            for length in (longest, longest + 1, 100000):
                settings = [key + "=/" + "x" * (length - 1)]
                if key == "device.path":
                    settings.append("core.device_size=64 MiB")
                ended = self.check(text, *settings)
                if length == longest:
                    self.assertEqual(ended.returncode, 0, (key, ended.stderr))
                else:
                    self.refuses(ended, b"is longer than %d bytes" % longest)

    def test_pull_connections(self):
        text = hw_test.CONFIG.format(folder=self.folder).encode()
        self.assertEqual(self.check(text, "pull_connections=16").returncode, 0)
        self.refuses(self.check(text, "pull_connections=17"), b"is too large: write at most 16")

    def test_token(self):
        for length in (256, 257):
            token = self.write("token%d" % length, b"t" * length)
            ended = run(program("forebayd"), "--config", self.config, "--set",
                        "client.token=" + token, "--set", "client.socket=/nowhere/socket")
            self.assertEqual(ended.returncode, 1)  # it is read before the socket is bound
            self.assertEqual(b"client.token" in ended.stderr, length == 257, ended.stderr)
            self.assertEqual(b"give a file of 16 to 256 bytes" in ended.stderr, length == 257)

    def test_address(self):
        text = hw_test.CONFIG.format(folder=self.folder).encode()
        fine = "x" * 122 + ":7700"
        self.assertEqual(self.check(text, "http=" + fine).returncode, 0)
        self.refuses(self.check(text, "http=x" + fine), b"is longer than 127 bytes")

    def test_settings_of_the_command_line(self):
        text = hw_test.CONFIG.format(folder=self.folder).encode()
        self.assertEqual(self.check(text, *["workers=1"] * 64).returncode, 0)
        self.refuses(self.check(text, *["workers=1"] * 65), b"at most 64 settings")
        doctor = [program("forebay"), "doctor", "--config", self.config]
        ended = run(*doctor, *["--set", "workers=1"] * 65)
        self.assertEqual(ended.returncode, 2)
        self.assertIn(b"64", ended.stderr)
        self.assertNotIn(b"64", run(*doctor, *["--set", "workers=1"] * 64).stderr)


class Store(http.server.BaseHTTPRequestHandler):
    """An etcd that answers with more than anybody asked for."""
    size = 0

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        is_own = base64.b64encode(b"FBIDENT1")[:10] in text  # what a store keeps of itself
        answer = b'{"succeeded": true}' if is_own else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(self.size))
        self.end_headers()
        try:
            self.wfile.write(b" " * (self.size - len(answer)) + answer)
        except OSError:
            pass


class Records(http.server.BaseHTTPRequestHandler):
    """An etcd of which a test says what it lists as unfinished: whole, or page by page."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    disable_nagle_algorithm = True
    keys, aliens, asked = [], 0, []
    may_answer = threading.Event()

    def log_message(self, *arguments):
        pass

    def listed(self, question):
        """Names whose records are not understood, behind pages of one key that is no name's."""
        first = base64.b64decode(question["key"]).decode()
        prefix = first[:first.index("pending/") + 8]
        self.asked.append(first[len(prefix):])
        if len(self.asked) <= self.aliens:
            return [prefix + "alien"], True
        found = [prefix + key for key in self.keys if prefix + key >= first]
        return found[:int(question["limit"])], len(found) > int(question["limit"])

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        question = json.loads(text)
        answer = {"succeeded": base64.b64encode(b"FBIDENT1")[:10] in text}
        if self.path == "/v3/kv/range":
            keys, has_more = self.listed(question)
            answer = {"kvs": [{"key": base64.b64encode(key.encode()).decode(), "value": "eA=="}
                              for key in keys], "more": has_more}
        else:
            self.may_answer.wait(20)
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def serve(case, handler):
    """A server of its own until the test's end; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.addCleanup(server.server_close)
    case.addCleanup(server.shutdown)
    return server.server_address[1]


class Unfinished(Case):
    """Names whose records are unfinished, as the store tells of them."""

    def start(self, count=0, aliens=0, name="daemon"):
        Records.keys = ["%032x" % (i + 1) for i in range(count)]
        Records.aliens, Records.asked = aliens, []
        Records.may_answer.set()
        port = serve(self, Records)
        self.object("data", 1000)
        daemon = Daemon(self, self.config, "metadata.kind=etcd",
                        "client.socket=" + self.path(name),
                        "metadata.endpoint=http://127.0.0.1:%d" % port,
                        name=name)
        self.addCleanup(daemon.kill)  # it owes names that nobody can finish
        return daemon

    def test_more_than_are_read_at_once(self):
        """A round goes on behind the last one that was read, until none is left."""
        for count in (NAME_LIST_MAX, NAME_LIST_MAX + 1):
            daemon = self.start(count, name="list%d" % count)
            daemon.wait_until(lambda: "%032x" % (count + 1) in Records.asked)
            pages = {key for key in Records.asked if int(key, 16) > 1}
            self.assertEqual(pages, {"%032x" % (at + 1) for at in (NAME_LIST_MAX, count)})
            daemon.kill()

    def test_more_than_a_listing_merges(self):
        for count, code in ((PENDING_MAX, 0), (PENDING_MAX + 1, 1)):
            daemon = self.start(count, name="merged%d" % count)
            ended = daemon.forebay("ls")
            self.assertEqual(ended.returncode, code, ended.stderr)
            self.assertEqual(ended.stdout, b"data\n" * (code == 0))
            self.assertEqual(b"more names are on their way" in ended.stderr, code == 1)
            daemon.kill()

    def test_pages_of_keys_that_are_no_names(self):
        """The store is asked on, so many times; then it is an error, and not that none is there."""
        for aliens in (ALIEN_PAGES - 1, ALIEN_PAGES):
            daemon = self.start(1, aliens, name="aliens%d" % aliens)
            daemon.wait_until(lambda: len(Records.asked) >= ALIEN_PAGES)
            time.sleep(0.3)
            self.assertEqual("are none of ours: delete them" in daemon.log(),
                             aliens == ALIEN_PAGES)
            daemon.kill()

    def test_more_names_are_asked_for_than_are_under_way_at_once(self):
        daemon = self.start()
        clients = [stranger.Client(daemon.socket) for _ in range(20)]
        Records.may_answer.clear()
        for number, client in enumerate(clients):
            self.addCleanup(client.close)
            for i in range(REQUESTS_MAX):
                client.send(stranger.STAT, name=b"n%d/%d" % (number, i))
        time.sleep(0.5)
        Records.may_answer.set()
        statuses = [client.reply()["status"] for client in clients for _ in range(REQUESTS_MAX)]
        busy = statuses.count(stranger.BUSY)
        self.assertIn(len(statuses) - busy, range(1, NAME_TASKS_MAX + 1))
        self.assertGreater(busy, 0)
        self.assertEqual(daemon.forebay("get", "data").returncode, 0)


class Blocks(http.server.BaseHTTPRequestHandler):
    """An Azure server that takes everything."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stored = []

    def log_message(self, *arguments):
        pass

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.stored.append(self.path)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Objects(Case):
    def test_more_blocks_than_an_object_has(self):
        """The last block that Azure lets an object have is stored, and one behind it is not."""
        port = serve(self, Blocks)
        config = self.write("azure.yaml", hw_test.CONFIG.format(folder=self.folder).replace(
            'kind: posix, path: "%s/origin"' % self.folder,
            "kind: azure, endpoint: \"http://127.0.0.1:%d\", container: c, credentials: \"%s\"" % (
                port, self.write("token", b"sas_token: t\n"))).encode())
        daemon = Daemon(self, config, "core.block_size=4 KiB", "core.drain_delay=1 ms")
        self.addCleanup(daemon.kill)
        client = stranger.Client(daemon.socket)
        self.addCleanup(client.close)
        client.put_arena(bytes(4096))
        for index, is_fine in ((AZURE_BLOCKS - 1, True), (AZURE_BLOCKS, False)):
            handle = client.call(stranger.CREATE, name=b"o%d" % index)["object"]
            answer = client.asked(stranger.WRITE, object=handle, index=index, size=4096)
            self.assertEqual(answer["status"], stranger.OK)
            if is_fine:
                daemon.wait_until(lambda: Blocks.stored)
            else:
                daemon.wait_until(lambda: "event=object_too_large" in daemon.log())
        self.assertEqual(len(Blocks.stored), 1)
        self.assertIn('object="o%d" limit=%d remedy=' % (AZURE_BLOCKS, 4096 * AZURE_BLOCKS),
                      daemon.log())
        self.assertEqual(daemon.log().count("event=object_too_large"), 1)

    def test_more_blocks_than_a_file_has(self):
        """The last block that a file may have is stored in the folder, and one behind it is not."""
        daemon = Daemon(self, self.config, "core.block_size=4 KiB", "core.drain_delay=1 ms")
        self.addCleanup(daemon.kill)
        client = stranger.Client(daemon.socket)
        self.addCleanup(client.close)
        client.put_arena(bytes(4096))
        handles = [client.call(stranger.CREATE, name=b"o%d" % i)["object"] for i in range(2)]
        for handle, index in zip(handles, (NAME_BLOCKS - 1, NAME_BLOCKS)):
            answer = client.asked(stranger.WRITE, object=handle, index=index, size=4096)
            self.assertEqual(answer["status"], stranger.OK)
        daemon.wait_until(lambda: "event=object_too_large" in daemon.log())
        parts = os.path.join(self.path("origin"), ".forebay-parts", "%016x", "%d")
        daemon.wait_until(lambda: os.path.exists(parts % (handles[0], NAME_BLOCKS - 1)))
        self.assertFalse(os.path.exists(parts % (handles[1], NAME_BLOCKS)))


class Answers(Case):
    def test_store_that_answers_at_length(self):
        port = serve(self, Store)
        self.object("data", 1000)
        for size, fails in ((BODY_MAX - 1, False), (BODY_MAX + 1, True)):
            Store.size = size
            daemon = Daemon(self, self.config, "metadata.kind=etcd",
                            "metadata.endpoint=http://127.0.0.1:%d" % port,
                            name="store%d" % size)
            daemon.forebay("stat", "data")
            time.sleep(1)
            self.assertEqual("event=metadata_failed" in daemon.log(), fails, daemon.log())
            daemon.kill()


if __name__ == "__main__":
    hw_test.main("hw_limits_test", at_once=2)  # a timeout is among the limits
