#!/usr/bin/env python3
"""Something else than an object store answers in its place, with success: a proxy, a portal, a web
server. No page of it is an object, an empty listing, or a removal that was done, and nothing
is lost once the store is back.

usage: hw_page_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import subprocess

import hw_test
from hw_parts_test import CONFIG, serve
from hw_origin_test import content_of
from hw_test import Case, Daemon, program

PAGE = b"<html><body>Please log in</body></html>"
TAG = {"ETag": "\"x\""}
HTML = {"Content_Type": "text/html; charset=utf-8"}
# code, body, headers
PAGES = ((200, PAGE, {**TAG, **HTML}), (200, PAGE, HTML), (200, b"\n<!DOCTYPE HTML><p>Hello", TAG),
         (404, PAGE, HTML), (200, b"", HTML), (200, b"Please log in", {}),
         (202, b"", {"Content_Type": "text/plain"}))


class Page(Case):
    def setUp(self):
        super().setUp()
        self.bucket, self.port = serve(self)
        self.content = content_of("page", (2 << 20) + 5)

    def start(self, kind="s3", **names):
        config = self.write("page.yaml", CONFIG.format(
            folder=self.folder, block="1 MiB", port=self.port).replace(
                "kind: s3", "tries_max: 2, kind: " + kind).replace(
                    "bucket" if kind == "azure" else "none at all", "container").encode())
        return Daemon(self, config, "core.retries_max=1", **names)

    def put(self, daemon, name, content):
        return daemon.forebay("put", "--level", "origin", self.write("source", content), name)

    def begin_put(self, daemon, name, content):
        return subprocess.Popen([program("forebay"), "put", "--socket", daemon.socket, "--level",
                                 "origin", self.write("source", content), name],
                                stderr=subprocess.DEVNULL)

    @staticmethod
    def ended_in(process, seconds):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def page(self, code, body, headers, is_meant=lambda method, what, key: True, times=-1):
        """The server answers so what is meant, so often, or always."""
        left = [times]

        def lie(handler, method, what, key):
            if left[0] == 0 or not is_meant(method, what, key):
                return False
            left[0] -= 1
            handler.answer(code, body, **headers)
            return True

        self.bucket.lie = lie
        return left

    def store(self):
        self.bucket.lie = lambda handler, method, what, key: False

    def test_page_is_no_object_no_listing_and_no_removal(self):
        daemon = self.start()
        for number, page in enumerate(PAGES):
            cold, gone = "d/cold%d" % number, "d/gone%d" % number
            self.bucket.objects[cold] = (self.content, "\"1\"", None)
            self.bucket.objects[gone] = (b"gone", "\"2\"", None)
            self.page(*page)
            for command in (("get", cold), ("stat", cold), ("rm", gone), ("ls", "d"), ("ls",)):
                ended = daemon.forebay(*command)
                is_size = page[0] == 200 and command[0] == "stat" and page[2] == TAG
                if not is_size:  # a HEAD without a type is nothing that could be told
                    self.assertEqual((ended.returncode, ended.stdout), (1, b""), (page, command))
                self.assertNotIn(b"No such file", ended.stderr, (page, command))
            put = self.begin_put(daemon, "d/new%d" % number, self.content)
            self.assertIsNone(self.ended_in(put, 0.5), page)
            self.store()
            self.assertEqual(put.wait(60), 0, page)
            self.assertEqual(self.bucket.objects["d/new%d" % number][0], self.content, page)
            self.assertEqual(daemon.forebay("get", cold).stdout, self.content, page)
            self.assertIn(gone.encode(), b"d/" + daemon.forebay("ls", "d").stdout.replace(
                b"\n", b" d/"), page)
            self.assertEqual(daemon.forebay("rm", gone).returncode, 0)
            self.assertNotIn(gone, self.bucket.objects)
        for text in ("began=\"<html><body>Please log in", "the answer is a page", "is no listing"):
            daemon.says(text)

    def test_page_in_place_of_one_answer_is_asked_for_again(self):
        """Whichever request of a write, a removal or a read has it."""
        daemon = self.start()
        steps = (("HEAD", "object"), ("PUT", "object"), ("POST", "begin"), ("GET", "object"),
                 ("PUT", "part"), ("GET", "uploads"), ("POST", "upload"), ("DELETE", "object"))
        bodies = ((200, PAGE, {**TAG, **HTML}), (200, b"<R><ETag>1</ETag></R>", {}))
        for number, (method, what) in enumerate(steps):
            for kind, page in enumerate(bodies):
                if kind == 1 and (method, what) in (("GET", "object"), ("DELETE", "object")):
                    continue  # an object may be any bytes, and a 200 without a page is a removal
                name = "object%d-%d" % (number, kind)
                left = self.page(*page, lambda *asked, at=(method, what): asked[:2] == at, 1)
                ended = self.put(daemon, name, self.content)
                self.assertEqual(ended.returncode, 0, (method, what, kind, daemon.log()))
                self.assertEqual(left, [0], (method, what))
                self.assertEqual(self.bucket.objects[name][0], self.content, (method, what))
                self.assertEqual(self.bucket.uploads, {}, (method, what))
                self.assertEqual(daemon.forebay("get", name).stdout, self.content)
        for page in ((200, PAGE, HTML), (200, b"<R></R>", {}), (200, b"<R>", {})):
            left = self.page(*page, lambda method, what, key: what == "list", 1)
            self.assertIn(b"object0-0\n", daemon.forebay("ls").stdout)
            self.assertEqual(left, [0])

    def test_removal_is_done_when_the_protocol_says_so(self):
        daemon = self.start()
        for number, (code, body, headers) in enumerate((
                (200, PAGE, {}), (202, b"", {}), (206, b"", {}), (204, b"", HTML),
                (200, b"<Error><Code>AccessDenied</Code></Error>", {}))):
            name = "object%d" % number
            self.bucket.objects[name] = (b"content", "\"1\"", None)
            self.page(code, body, headers, lambda method, what, key: method == "DELETE")
            self.assertEqual(daemon.forebay("rm", name).returncode, 1, (code, body))
            self.store()
            self.assertEqual(daemon.forebay("get", name).stdout, b"content")

    def test_mark_of_a_folder_is_not_told_by_a_page(self):
        daemon = self.start()
        self.bucket.objects["empty"] = (b"", "\"1\"", None)
        self.page(200, PAGE, HTML, lambda method, what, key: what == "list")
        self.assertIn(b"Input/output error", daemon.forebay("stat", "empty").stderr)
        self.store()
        self.assertIn(b"size_bytes 0\n", daemon.forebay("stat", "empty").stdout)

    def test_object_that_is_a_page_is_given(self):
        """A store says that it is one, by a header of its own."""
        daemon = self.start()

        def lie(handler, method, what, key):
            if what != "object":
                return False
            first, last = 0, len(PAGE) - 1
            handler.answer(200 if method == "HEAD" else 206, PAGE, **TAG, **HTML,
                           x_amz_request_id="1", Content_Range="bytes %d-%d/%d" % (
                               first, last, len(PAGE)))
            return True

        self.bucket.lie = lie
        self.assertEqual(daemon.forebay("get", "index.html").stdout, PAGE)

    def test_page_is_no_answer_of_azure(self):
        daemon = self.start("azure")
        for page in PAGES[:5] + ((200, b"<ListBucketResult></ListBucketResult>", TAG),):
            self.page(*page)
            for command in (("get", "object"), ("rm", "object"), ("ls", "d"), ("ls",)):
                ended = daemon.forebay(*command)
                self.assertEqual((ended.returncode, ended.stdout), (1, b""), (page, command))
                self.assertNotIn(b"No such file", ended.stderr, (page, command))


if __name__ == "__main__":
    hw_test.main("hw_page_test")
