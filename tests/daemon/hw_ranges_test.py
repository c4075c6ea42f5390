#!/usr/bin/env python3
"""A block is read by parallel ranges of origin.part_size: as many requests, of those sizes, as
many at once as origin.requests_max says; one that fails, is cut, or is of another object is no
block's. It is stored at S3 in parts of that size.

How: a server for S3 and Azure that counts what it is asked for and misbehaves as the object's name
says.

usage: hw_ranges_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import base64
import concurrent.futures
import hashlib
import http.server
import json
import threading
import time

import hw_parts_test
import hw_test
from hw_origin_test import CONFIG, QuietServer, content_of
from hw_test import Case, Daemon

KIB = 1024
BLOCK, PART = 256 * KIB, 64 * KIB  # CONFIG's block
TRIES = 4                          # CONFIG's too


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    content = content_of("ranges")
    lock = threading.Lock()
    asked, at_once, at_once_max = [], 0, 0
    together = 0  # the first so many wait for each other

    def log_message(self, *arguments):
        pass

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def name(self):
        return self.path.split("?")[0].rsplit("/", 1)[1]

    def said(self, **headers):
        """Of an object that a commit has left: its version is in the metadata."""
        if self.name().startswith("kept"):
            headers["x_amz_meta_forebayversion"] = "00000000000000aa"
            headers["x_ms_meta_forebayversion"] = "00000000000000aa"
        return headers

    def do_HEAD(self):
        self.answer(200, **self.said(ETag="\"one\"", Content_Length=str(len(self.content))))

    def do_GET(self):
        begin, end = (int(part) for part in self.headers["Range"].split("=")[1].split("-"))
        with self.lock:
            Handler.asked.append((begin, end + 1 - begin))
            count = Handler.asked.count((begin, end + 1 - begin))
            Handler.at_once += 1
            Handler.at_once_max = max(Handler.at_once_max, Handler.at_once)
            is_first = len(Handler.asked) <= Handler.together
        time.sleep(0.1)
        for _ in range(100):  # a slow machine may bring them late
            if not is_first or Handler.at_once_max >= Handler.together:
                break
            time.sleep(0.05)
        with self.lock:
            Handler.at_once -= 1
        self.ranged(begin, end, count)

    def ranged(self, begin, end, count):
        name, part, etag = self.name(), self.content[begin:end + 1], "\"one\""
        is_second = begin == PART  # of the first block's
        if name == "fails" and is_second or name == "all" and begin < BLOCK:
            self.answer(500, b"broken")
            return
        if name == "once" and is_second and count == 1:
            self.answer(503, b"slow down", Retry_After="0")
            return
        if name == "busy" and count == 1:
            self.answer(503, b"slow down", Retry_After="0")
            return
        if name == "cut" and is_second and count == 1:
            self.send_response(206)
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part[:100])
            self.close_connection = True
            return
        if name == "rangeless" and end + 1 - begin < len(self.content):
            self.answer(200, self.content, x_amz_request_id="1", ETag=etag)
            return
        if name == "changed" and is_second:
            etag, part = "\"two\"", bytes(len(part))
        if name == "kept" and is_second:
            etag, part = "\"two\"", bytes(len(part))
        span = "bytes %d-%d/%d" % (begin, end, len(self.content))
        self.answer(206, part, **self.said(ETag=etag, Content_Range=span))


def endpoint_of(case):
    """Of a server that lives as long as a test."""
    server = QuietServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.addCleanup(server.server_close)
    case.addCleanup(server.shutdown)
    return "http://127.0.0.1:%d" % server.server_address[1]


class Ranges:
    """The cases, of each kind of store."""

    def setUp(self):
        super().setUp()
        Handler.asked, Handler.at_once_max, Handler.together = [], 0, 0
        Handler.content = content_of("ranges")
        self.write("credentials", b"region: none\n")
        self.config = self.write("ranges.yaml", CONFIG.format(
            folder=self.folder, origin=self.KIND % endpoint_of(self)).encode())

    def daemon(self, *settings):
        return Daemon(self, self.config, "origin.part_size=%d B" % PART, *settings)

    def reads(self, daemon, name):
        ended = daemon.forebay("get", name)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(ended.stdout, Handler.content, name)

    def fails(self, daemon, name, text):
        ended = daemon.forebay("get", name)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(text, ended.stderr.decode())

    def expected(self):
        size = len(Handler.content)
        return [(at, min(PART, BLOCK - at % BLOCK, size - at)) for at in range(0, size, PART)]

    def counts(self, first=0, end=1 << 60):
        """How often each range was asked for, of those that begin there."""
        return {one: Handler.asked.count(one) for one in Handler.asked if first <= one[0] < end}

    def test_block_is_as_many_requests_as_it_has_parts(self):
        self.reads(self.daemon("origin.requests_max=16"), "fine")
        self.assertEqual(sorted(Handler.asked), self.expected())
        self.assertGreater(Handler.at_once_max, 1)
        self.assertLessEqual(Handler.at_once_max, 16)

    def test_requests_at_once_are_bounded_whatever_block_they_are_of(self):
        Handler.together = 3
        self.reads(self.daemon("origin.requests_max=3"), "fine")
        self.assertEqual(sorted(Handler.asked), self.expected())
        self.assertEqual(Handler.at_once_max, 3)

    def test_part_size_of_none_and_of_a_block_are_one_request(self):
        for number, size in enumerate(("0 B", "256 KiB", "1 GiB")):
            Handler.asked = []
            daemon = Daemon(self, self.config, "origin.part_size=" + size,
                            "client.socket=" + self.path("one%d" % number), name=str(number))
            self.reads(daemon, "fine")
            self.assertEqual(len(Handler.asked), 3, size)

    def test_doctor_says_how_a_block_comes(self):
        for requests, sentence in ((8, "256 KiB: 4 requests of at most 64.0 KiB; at once 8"),
                                   (3, "at once 3: raise origin.part_size")):
            ended = hw_test.run(hw_test.program("forebay"), "doctor", "--config", self.config,
                                "--set", "origin.part_size=%d B" % PART,
                                "--set", "origin.requests_max=%d" % requests)
            self.assertIn(sentence, ended.stdout.decode())

    def test_range_that_fails_or_is_cut_is_asked_for_again_alone(self):
        daemon = self.daemon("origin.requests_max=16")
        for name in ("once", "cut"):
            Handler.asked = []
            self.reads(daemon, name)
            self.assertEqual(sorted(Handler.asked), sorted(self.expected() + [(PART, PART)]))

    def test_ranges_that_are_refused_together_are_one_try(self):
        """Else a block of more ranges than tries fails whenever a store asks for a pause."""
        self.reads(self.daemon("origin.requests_max=16", "origin.tries_max=2"), "busy")
        self.assertEqual(set(self.counts().values()), {2})

    def test_range_that_fails_for_good_fails_its_block_within_the_tries_of_one(self):
        daemon = self.daemon("origin.requests_max=16")
        self.fails(daemon, "fails", "Input/output error")
        first = self.counts(0, BLOCK)
        self.assertEqual(first[PART, PART], TRIES)
        self.assertEqual({count for one, count in first.items() if one[0] != PART}, {1})
        Handler.asked = []
        self.fails(daemon, "all", "Input/output error")
        self.assertEqual(max(self.counts(0, BLOCK).values()), TRIES)
        self.reads(daemon, "fine")  # and nothing of it is left

    def test_range_of_another_version_is_no_blocks(self):
        for requests in (1, 16):
            daemon = self.daemon("origin.requests_max=%d" % requests,
                                 "client.socket=" + self.path("s%d" % requests))
            self.fails(daemon, "changed", "it changed meanwhile")

    def test_ranges_of_two_objects_are_asked_for_again_in_one_request(self):
        """Of one version, by what the metadata say, and of two ETags."""
        daemon = self.daemon("origin.requests_max=16")
        self.reads(daemon, "kept")
        self.assertEqual(Handler.asked.count((0, BLOCK)), 1)


class S3(Ranges, Case):
    KIND = "kind: s3, endpoint: \"%s\", bucket: b"

    def test_server_that_gives_the_whole_for_a_range_is_asked_for_the_whole(self):
        Handler.content = content_of("ranges", 3 * PART)
        self.reads(self.daemon("origin.requests_max=16"), "rangeless")
        self.assertEqual(Handler.asked.count((0, 3 * PART)), 1)


class Azure(Ranges, Case):
    KIND = "kind: azure, endpoint: \"%s\", account: a, container: b"


class Stores(Case):
    """A block is stored at S3 in parts, none below what S3 takes; the commit finds it whole."""

    def setUp(self):
        super().setUp()
        self.bucket, self.port = hw_parts_test.serve(self)
        self.sizes, self.at_once, self.at_once_max = [], 0, 0
        self.assertEqual(self.start(name="first").stop(), 0)  # it makes the origin's identity
        self.bucket.seen.clear()
        self.bucket.is_cut = lambda what, key, size: self.note(what, key, size)
        self.bucket.hold = lambda method, what, key: self.wait(method, what, key)

    def note(self, what, key, size):
        if what == "part" and ".forebay-parts/" in key:
            self.sizes.append(size)
        return False

    def wait(self, method, what, key):
        if what != "part" or ".forebay-parts/" not in key:
            return
        with self.bucket.lock:
            self.at_once += 1
            self.at_once_max = max(self.at_once_max, self.at_once)
        time.sleep(0.2)
        with self.bucket.lock:
            self.at_once -= 1

    def start(self, *settings, **names):
        config = self.write("stores.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="16 MiB", port=self.port).encode())
        return Daemon(self, config, "core.memory_size=128 MiB", "client.arena=64 MiB", *settings,
                      **names)

    def writes(self, daemon, name, size):
        content = content_of(name, size)
        ended = daemon.forebay("put", self.write("source", content), name)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        self.assertEqual(self.bucket.objects[name][0], content)
        self.assertEqual(self.bucket.uploads, {})
        self.assertEqual([key for key in self.bucket.objects if ".forebay-parts/" in key], [])

    def test_block_is_as_many_parts_at_once(self):
        daemon = self.start("origin.part_size=6 MiB")
        self.writes(daemon, "two", (32 << 20) + 5)
        self.assertEqual(sorted(self.sizes), [4 << 20] * 2 + [6 << 20] * 4)
        self.assertGreater(self.at_once_max, 1)

    def test_parts_are_as_large_as_the_store_wants_them(self):
        self.writes(self.start("origin.part_size=1 MiB"), "small", 16 << 20)
        self.assertEqual(sorted(self.sizes), [1 << 20] + [5 << 20] * 3)

    def test_block_of_one_request(self):
        self.writes(self.start("origin.part_size=0 B"), "one", 16 << 20)
        self.assertEqual(self.sizes, [])

    def test_parts_go_with_digests_to_a_bucket_that_wants_them(self):
        seen = []

        def lie(handler, method, what, key):
            if method != "PUT" or what != "part" or handler.headers.get("x-amz-copy-source"):
                return False
            digest = hashlib.md5(handler.body).digest()
            seen.append(handler.headers.get("Content-MD5"))
            if seen[-1] == base64.b64encode(digest).decode():
                return False
            handler.answer(400, b"<?xml version=\"1.0\"?><Error><Code>InvalidRequest</Code>"
                                b"<Message>Content-MD5 is required</Message></Error>")
            return True
        self.bucket.lie = lie
        self.writes(self.start("origin.part_size=6 MiB"), "locked", 32 << 20)
        self.assertIsNone(seen[0])
        self.assertEqual(len([one for one in seen if one]), 6)

    def test_part_that_fails_is_sent_again_alone(self):
        left = ["once"]
        self.bucket.refuse = lambda method, what, key: (503, "SlowDown") if (
            what == "part" and ".forebay-parts/" in key and left and left.pop()) else None
        self.writes(self.start("origin.part_size=6 MiB"), "again", 16 << 20)
        self.assertEqual(len(self.sizes), 3)
        self.assertEqual(sum(1 for method, what, key in self.bucket.seen
                             if what == "part" and ".forebay-parts/" in key), 4)

    def test_upload_that_fails_for_good_is_aborted_and_the_block_stored_later(self):
        daemon = self.start("origin.part_size=6 MiB", "origin.tries_max=2", "origin.requests_max=8")
        is_broken = [True]
        self.bucket.refuse = lambda method, what, key: (500, "InternalError") if (
            is_broken and what == "part" and method == "PUT") else None
        content = content_of("later", 16 << 20)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            put = pool.submit(daemon.forebay, "put", self.write("source", content), "later")
            daemon.wait_until(lambda: self.bucket.count("DELETE", "upload") > 0)
            is_broken.clear()
            self.assertEqual(put.result().returncode, 0, daemon.log())
        self.assertEqual(self.bucket.objects["later"][0], content)
        daemon.wait_until(lambda: self.bucket.uploads == {})


EXPERIMENT = """schema_version: 1
experiment: requests
question: "What is the origin asked for?"
expect: "The same as a daemon asks for."
cluster: {{nodes: 1, accelerators: 1, hardware: gpu-node-h100, network: leaf-spine-400g,
  origin: s3-standard}}
override: {{origin: {{commit_requests: 0, commit_block_requests: 0}}}}
simulation: {{engine: plain, network: fluid}}
origin: {{part_size: {part} B, requests_max: {requests}}}
core: {{block_size: {block} B, memory_size: 256 MiB, device_size: 0 B, replicas: 1,
  write_quorum: 1}}
workload: {{{workload}}}
seeds: 1
"""


class Together(Case):
    """The simulator and a daemon ask the origin for the same: requests, their sizes, how many at
    once."""

    def simulated(self, **values):
        path = self.write("experiment.yaml", EXPERIMENT.format(**values).encode())
        ended = hw_test.run(hw_test.program("forebay"), "run", path, "--out", self.path("run"))
        self.assertEqual(ended.returncode, 0, ended.stderr)
        with open(self.path("run/summary.json"), encoding="utf-8") as file:
            metrics = json.load(file)["points"][0]["metrics"]
        return {name: one["value"] for name, one in metrics.items()}

    def test_reads(self):
        Handler.asked, Handler.at_once_max, requests = [], 0, 3
        Handler.together = requests
        Handler.content = content_of("together", 5 * BLOCK + PART + 77)
        self.write("credentials", b"region: none\n")
        config = self.write("together.yaml", CONFIG.format(
            folder=self.folder, origin=S3.KIND % endpoint_of(self)).encode())
        daemon = Daemon(self, config, "origin.part_size=%d B" % PART,
                        "origin.requests_max=%d" % requests)
        self.assertEqual(daemon.forebay("get", "fine").stdout, Handler.content)
        model = self.simulated(part=PART, block=BLOCK, requests=requests, workload=(
            "kind: fan-out, object_size: %d B, window: 4" % len(Handler.content)))
        sizes = [size for _, size in Handler.asked]
        self.assertEqual(model["origin_reads"], len(sizes))
        self.assertEqual(model["origin_fetch_bytes"], sum(sizes))
        self.assertEqual(model["origin_read_bytes_max"], max(sizes))
        self.assertEqual(model["origin_requests_max"], requests)
        self.assertEqual(Handler.at_once_max, requests)

    def test_stores(self):
        bucket, port = hw_parts_test.serve(self)
        block, part, size = 16 << 20, 6 << 20, (32 << 20) + 4096
        sizes, asked = [], []
        config = self.write("stores.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="16 MiB", port=port).encode())
        settings = ("core.memory_size=128 MiB", "client.arena=64 MiB", "origin.part_size=6 MiB")
        self.assertEqual(Daemon(self, config, *settings, name="first").stop(), 0)
        bucket.is_cut = lambda what, key, size: bool(
            ".forebay-parts/" in key and size > 0 and sizes.append((what, size)))
        bucket.hold = lambda method, what, key: asked.append(what) if (
            method in ("PUT", "POST") and ".forebay-parts/" in key) else None
        daemon = Daemon(self, config, *settings)
        ended = daemon.forebay("put", self.write("source", content_of("stored", size)), "stored")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        model = self.simulated(part=part, block=block, requests=64, workload=(
            "kind: checkpoint, state_size: %d B, writers: 1, readers: 0, level: memory" % size))
        carried = [one for what, one in sizes if what != "upload"]  # that is a list of parts
        self.assertEqual(model["origin_writes"], len(asked))
        self.assertEqual(model["origin_write_bytes_max"], max(carried))
        self.assertEqual(sum(carried), size)


if __name__ == "__main__":
    hw_test.main("hw_ranges_test")
