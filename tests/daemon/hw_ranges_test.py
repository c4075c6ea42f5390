#!/usr/bin/env python3
"""A block is read by parallel ranges of origin.part_size: as many requests, of those sizes, as
many at once as origin.requests_max says; one that fails, is cut, or is of another object is no
block's.

How: a server for S3 and Azure that counts what it is asked for and misbehaves as the object's name
says.

usage: hw_ranges_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import http.server
import threading
import time

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
        time.sleep(0.1)
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


class Ranges:
    """The cases, of each kind of store."""

    def setUp(self):
        super().setUp()
        Handler.asked, Handler.at_once_max = [], 0
        Handler.content = content_of("ranges")
        server = QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.write("credentials", b"region: none\n")
        endpoint = "http://127.0.0.1:%d" % server.server_address[1]
        self.config = self.write("ranges.yaml", CONFIG.format(
            folder=self.folder, origin=self.KIND % endpoint).encode())

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
        self.reads(self.daemon("origin.requests_max=3"), "fine")
        self.assertEqual(sorted(Handler.asked), self.expected())
        self.assertIn(Handler.at_once_max, (2, 3))

    def test_part_size_of_none_and_of_a_block_are_one_request(self):
        for number, size in enumerate(("0 B", "256 KiB", "1 GiB")):
            Handler.asked = []
            daemon = Daemon(self, self.config, "origin.part_size=" + size,
                            "client.socket=" + self.path("one%d" % number), name=str(number))
            self.reads(daemon, "fine")
            self.assertEqual(len(Handler.asked), 3, size)

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


if __name__ == "__main__":
    hw_test.main("hw_ranges_test")
