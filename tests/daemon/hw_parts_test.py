#!/usr/bin/env python3
"""forebayd writes to an S3 server that is as strict as AWS: parts of 5 MiB, uploads that stay until
they are completed or aborted, conditions, and refusals by name.

usage: hw_parts_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import concurrent.futures
import hashlib
import http.server
import re
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

import hw_test
from hw_origin_test import QuietServer, content_of
from hw_test import Case, Daemon

PART_MIN = 5 << 20
CONFIG = """schema_version: 1
cluster: test
node: 0
origin: {{kind: s3, endpoint: "http://127.0.0.1:{port}", bucket: b, credentials: "{folder}/none"}}
client: {{socket: "{folder}/socket", arena: 32 MiB}}
core: {{memory_size: 64 MiB, block_size: {block}, drain_delay: 10 ms}}
stop_patience: 1 s
"""


class Bucket:
    """What the server has; uploads: parts, version, key, moment and digest of each. refuse(method,
    what, key): an error code, or None; lie(handler, method, what, key): true when it has answered;
    hold: the same, and waits as long as the answer is to be late."""

    def __init__(self):
        self.objects, self.uploads, self.seen = {}, {}, []
        self.refuse = self.hold = lambda method, what, key: None
        self.lie = lambda handler, method, what, key: False
        self.is_cut = lambda what, key, size: False  # what is sent, before it is kept
        self.digests = {}
        self.moment = lambda: time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        self.page = 1000  # entries of a listing
        self.lock = threading.RLock()

    def count(self, *what):
        with self.lock:
            return sum(1 for one in self.seen if one[:len(what)] == what)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else an answer's second write waits for the client's 40 ms
    bucket = None

    def log_message(self, *arguments):
        pass

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", headers.pop("Length", None) or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code):
        self.answer(status, b"<Error><Code>%s</Code></Error>" % code.encode())

    def holds(self, key):
        """If-Match and If-None-Match."""
        found = self.bucket.objects.get(key)
        wanted, unwanted = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        return not ((wanted and (found is None or found[1] != wanted)) or
                    (unwanted == "*" and found is not None))

    def put(self, key, content):
        etag = "\"%s\"" % hashlib.md5(content).hexdigest()
        version = self.headers.get("x-amz-meta-forebayversion")
        self.bucket.objects[key] = (content, etag, version)
        self.bucket.digests[key] = self.headers.get("x-amz-meta-forebaydigest")
        return etag

    def handle_one(self):
        path, _, query = self.path.partition("?")
        key = urllib.parse.unquote(path)[len("/b/"):]
        query = urllib.parse.parse_qs(query, keep_blank_values=True)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = ("part" if "partNumber" in query else "begin" if "uploads" in query else
                "upload" if "uploadId" in query else "list" if "list-type" in query else "object")
        if what == "begin" and self.command == "GET":
            what = "uploads"
        self.body = body
        self.bucket.hold(self.command, what, key)
        with self.bucket.lock:
            self.bucket.seen.append((self.command, what, key))
            refused = self.bucket.refuse(self.command, what, key)
            if refused:
                self.error(*refused)
            elif not self.bucket.lie(self, self.command, what, key):
                getattr(self, what)(key, query, self.cut(what, key, body))

    def cut(self, what, key, body):
        return body[:-9] if self.bucket.is_cut(what, key, len(body)) else body

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one

    def list(self, key, query, body):
        """Page by page: names that begin with the prefix, those in folders by their folders."""
        prefix, entries = query.get("prefix", [""])[0], {}
        for name, (content, *_) in list(self.bucket.objects.items()):
            rest = name[len(prefix):]
            if name.startswith(prefix) and "/" in rest and "delimiter" in query:
                entries[prefix + rest.split("/")[0] + "/"] = None
            elif name.startswith(prefix):
                entries[name] = len(content)
        token, most = query.get("continuation-token", [""])[0], query.get("max-keys", ["1000"])[0]
        names = sorted((name for name in entries if name > token), key=str.encode)
        count = min(int(most), self.bucket.page)
        is_encoded = query.get("encoding-type") == ["url"]
        shown = urllib.parse.quote_plus if is_encoded else escape
        text = "<EncodingType>url</EncodingType>" if is_encoded else ""
        text += "".join("<Contents><Key>%s</Key><Size>%d</Size></Contents>" % (
            shown(name), entries[name]) for name in names[:count] if entries[name] is not None)
        text += "".join("<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>" % shown(name)
                        for name in names[:count] if entries[name] is None)
        if len(names) > count:
            text += ("<IsTruncated>true</IsTruncated><NextContinuationToken>%s"
                     "</NextContinuationToken>" % escape(names[count - 1]))
        self.answer(200, ("<ListBucketResult>%s</ListBucketResult>" % text).encode())

    def object(self, key, query, body):
        objects = self.bucket.objects
        if self.command == "PUT" and self.holds(key):
            self.answer(200, ETag=self.put(key, body))
        elif self.command == "DELETE" and self.holds(key):
            objects.pop(key, None)
            self.answer(204)
        elif self.command in ("PUT", "DELETE"):
            self.error(412, "PreconditionFailed")
        elif key not in objects:
            self.error(404, "NoSuchKey")
        else:
            content, etag, version = objects[key]
            headers = {"ETag": etag}
            if version:
                headers["x-amz-meta-forebayversion"] = version
            if self.bucket.digests.get(key):
                headers["x-amz-meta-forebaydigest"] = self.bucket.digests[key]
            if "Range" in self.headers:
                first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
                headers["Content_Range"] = "bytes %d-%d/%d" % (first, last, len(content))
                self.answer(206, content[first:last + 1], **headers)
            elif self.command == "HEAD":
                self.send_response(200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
            else:
                self.answer(200, content, **headers)

    def begin(self, key, query, body):
        name = "upload&<%d" % len(self.bucket.seen)
        self.bucket.uploads[name.replace("&", "").replace("<", "")] = (
            {}, self.headers.get("x-amz-meta-forebayversion"), key, self.bucket.moment(),
            self.headers.get("x-amz-meta-forebaydigest"))
        self.answer(200, ("<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>%s</Key>"
                          "<UploadId>%s</UploadId></InitiateMultipartUploadResult>" % (
                              escape(key, {'"': "&quot;"}),
                              name.replace("&", "").replace("<", ""))).encode())

    def uploads(self, key, query, body):
        """By key, then by moment, a page at a time."""
        prefix = query["prefix"][0]
        found = sorted((upload[2], upload[3], name)
                       for name, upload in list(self.bucket.uploads.items())
                       if upload[2].startswith(prefix))
        after = query.get("upload-id-marker", [""])[0]
        if after:
            found = [one for one in found if one[0] > query["key-marker"][0] or
                     one[1:] > (self.bucket.uploads.get(after, [""] * 4)[3], after)]
        most = int(query["max-uploads"][0])
        text = "".join("<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiator><ID>x</ID>"
                       "</Initiator><Initiated>%s</Initiated></Upload>" % (
                           urllib.parse.quote_plus(one[0], safe="/"), one[2], one[1])
                       for one in found[:most])
        self.answer(200, ("<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
                          "<IsTruncated>%s</IsTruncated>%s</ListMultipartUploadsResult>" % (
                              "true" if len(found) > most else "false", text)).encode())

    def part(self, key, query, body):
        if query["uploadId"][0] not in self.bucket.uploads:
            self.error(404, "NoSuchUpload")
            return
        parts = self.bucket.uploads[query["uploadId"][0]][0]
        source = self.headers.get("x-amz-copy-source")
        if source:
            found = self.bucket.objects.get(urllib.parse.unquote(source)[len("/b/"):])
            if found is None:
                self.error(404, "NoSuchKey")
                return
            body = found[0]
        etag = "\"%s\"" % hashlib.md5(body).hexdigest()
        parts[int(query["partNumber"][0])] = (body, etag)
        if source:
            self.answer(200, b"<CopyPartResult><ETag>%s</ETag></CopyPartResult>" % etag.encode())
        else:
            self.answer(200, ETag=etag)

    def upload(self, key, query, body):
        name = query["uploadId"][0]
        if self.command == "DELETE":
            self.bucket.uploads.pop(name, None)
            self.answer(204)
            return
        if name not in self.bucket.uploads:
            self.error(404, "NoSuchUpload")
            return
        parts, version = self.bucket.uploads[name][:2]
        numbers = [int(one) for one in re.findall(rb"<PartNumber>(\d+)", body)]
        if numbers != sorted(parts) or numbers != list(range(1, len(numbers) + 1)):
            self.error(400, "InvalidPart")
        elif any(len(parts[one][0]) < PART_MIN for one in numbers[:-1]):
            self.error(400, "EntityTooSmall")
        elif not self.holds(key):
            self.error(412, "PreconditionFailed")
        else:
            self.put(key, b"".join(parts[one][0] for one in numbers))
            content, etag, _ = self.bucket.objects[key]
            self.bucket.objects[key] = (content, etag, version)
            self.bucket.digests[key] = (self.bucket.uploads[name][4:] or [None])[0]
            del self.bucket.uploads[name]
            self.answer(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")


def serve(case):
    """A server that lives as long as a test: its bucket, and its port."""
    bucket = Bucket()
    server = QuietServer(("127.0.0.1", 0), type("Own", (Handler,), {"bucket": bucket}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.addCleanup(server.server_close)
    case.addCleanup(server.shutdown)
    case.write("none", b"region: none\n")
    return bucket, server.server_address[1]


class Parts(Case):
    def setUp(self):
        super().setUp()
        self.bucket, self.port = serve(self)
        # An origin that daemons know: what a test counts and lies about is the object's.
        daemon = self.start("1 MiB", name="first")
        self.assertEqual(daemon.stop(), 0)
        self.assertIn(".forebay-parts.identity", self.bucket.objects)
        self.bucket.seen.clear()

    def start(self, block, *assignments, **names):
        config = self.write("parts.yaml", CONFIG.format(
            folder=self.folder, block=block, port=self.port).encode())
        return Daemon(self, config, *assignments, **names)

    def put(self, daemon, name, content, *options):
        return daemon.forebay("put", *options, self.write("source", content), name)

    def blocks(self):
        return [key for key in list(self.bucket.objects) if ".forebay-parts/" in key]

    def assert_written(self, daemon, name, content, *options):
        ended = self.put(daemon, name, content, *options)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        self.assertEqual(self.bucket.objects[name][0], content)
        self.assertEqual((self.bucket.uploads, self.blocks()), ({}, []))
        self.assertEqual(daemon.forebay("get", name).stdout, content)

    def test_blocks_smaller_than_parts_are_joined(self):
        for block in ("256 KiB", "3 MiB"):
            daemon = self.start(block, name="of " + block.split()[0])
            for size in (0, 1, 200000, 3 << 20, PART_MIN, PART_MIN + 1, (12 << 20) + 77):
                self.assert_written(daemon, "object %d" % size, content_of(block, size))
            self.assertEqual(daemon.stop(), 0)

    def test_blocks_as_large_as_parts_are_copied_within_the_server(self):
        daemon = self.start("8 MiB", "core.memory_size=64 MiB")
        self.assert_written(daemon, "large", content_of("large", (20 << 20) + 5))
        self.assertEqual(sum(1 for method, what, key in self.bucket.seen
                             if method == "GET" and ".forebay-parts/" in key), 0)

    def test_long_prefix_is_copied_whole(self):
        """What is copied is named in a header, where each byte of a prefix may be three."""
        prefix = "\u0434" * 500 + "/"
        daemon = self.start("8 MiB", "core.memory_size=64 MiB", "origin.prefix=" + prefix)
        content = content_of("long", (8 << 20) + 5)
        ended = self.put(daemon, "long", content)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        self.assertEqual(self.bucket.objects[prefix + "long"][0], content)

    def test_upload_of_the_longest_name_is_begun(self):
        """Its answer holds the name, where each byte may be six, in front of what is looked for."""
        daemon = self.start("1 MiB")
        for character in "&\"":
            self.assert_written(daemon, character * 1000, content_of(character, (2 << 20) + 5))

    def test_more_parts_at_once_than_are_put_together(self):
        """64 MiB of parts are held at most; a commit for which there is no room comes later."""
        daemon = self.start("1 MiB", "core.memory_size=256 MiB", "origin.requests_max=32")
        contents = {"joined%d" % i: content_of("joined%d" % i, (5 << 20) + i) for i in range(16)}
        sources = {name: self.write(name, content) for name, content in contents.items()}
        with concurrent.futures.ThreadPoolExecutor(len(sources)) as pool:
            list(pool.map(lambda name: daemon.forebay("put", sources[name], name), sources))
        for name, content in contents.items():
            daemon.wait_until(lambda: name in self.bucket.objects)
            self.assertEqual(self.bucket.objects[name][0], content)

    def refused(self, refuse, text, *options):
        """The writer hears it soon, and nothing piles up."""
        daemon = self.start("1 MiB", name="refused")
        self.addCleanup(daemon.kill)
        self.bucket.refuse = refuse
        begun = time.monotonic()
        ended = self.put(daemon, "refused", content_of("refused", 7 << 20), *options)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(text, ended.stderr.decode() + daemon.log())
        self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(self.bucket.uploads, {})
        daemon.kill()
        return daemon.log()

    def test_completion_that_is_refused_is_heard_and_aborted(self):
        log = self.refused(lambda method, what, key: (400, "EntityTooSmall")
                           if method == "POST" and what == "upload" else None,
                           "Input/output error")
        self.assertIn("EntityTooSmall", log)

    def test_parts_that_are_refused_are_heard_and_aborted(self):
        self.refused(lambda method, what, key: (403, "QuotaExceeded") if what == "part" else None,
                     "No space left")

    def test_blocks_that_are_refused_are_heard(self):
        for options in ((), ("--level", "origin")):
            self.refused(lambda method, what, key: (403, "AccessDenied")
                         if ".forebay-parts" in key and method == "PUT" else None,
                         "Permission denied", *options)

    def test_bucket_that_goes_is_heard(self):
        log = self.refused(lambda method, what, key: (404, "NoSuchBucket"), "Input/output error")
        self.assertIn("NoSuchBucket", log)

    def lied(self, lie, times, name):
        """The server does what `lie` does so often, while a file is committed whose blocks are all
        there: one that came later would have the upload begun once more."""
        left = [times]

        def answer(handler, method, what, key):
            if left[0] == 0 or not lie(handler, method, what, key):
                return False
            left[0] -= 1
            return True

        self.bucket.lie = answer
        daemon = self.start("1 MiB", name=name)
        content = content_of(name, (11 << 20) + 5)
        self.assert_written(daemon, name, content, "--level", "origin")
        self.assertEqual(left[0], 0)
        self.assertEqual(daemon.stop(), 0)

    def test_error_within_a_success_that_passes_is_tried_again(self):
        """Of a completion, whose 200 is sent before its end is known, and of words of a 400."""
        for status, word in ((200, b"InternalError"), (200, b"SlowDown"), (400, b"RequestTimeout")):
            def lie(handler, method, what, key, status=status, word=word):
                if (method, what) != ("POST", "upload"):
                    return False
                handler.answer(status, b"<Error><Code>%s</Code></Error>" % word)
                return True

            begun = self.bucket.count("POST", "begin")
            self.lied(lie, 2, "passing %d %s" % (status, word.decode()))
            self.assertEqual(self.bucket.count("POST", "begin"), begun + 1)

    def test_completion_that_was_said_and_not_done_is_tried_again(self):
        """Nothing, half an answer, or a whole one."""
        for i, body in enumerate((b"", b"<CompleteMulti", b"<CompleteMultipartUploadResult/>")):
            def lie(handler, method, what, key, body=body):
                if (method, what) != ("POST", "upload"):
                    return False
                handler.answer(200, body)
                return True

            self.lied(lie, 1, "said %d" % i)

    def test_block_that_is_read_back_as_something_else_is_read_again(self):
        def zeros(handler, method, what, key):
            if method != "GET" or ".forebay-parts" not in key:
                return False
            content, etag, _ = self.bucket.objects[key]
            handler.answer(200, bytes(len(content)), ETag=etag,
                           x_amz_meta_forebaydigest=self.bucket.digests[key])
            return True

        self.lied(zeros, 2, "zeros")

    def assert_kept_until_it_is_right(self, is_cut, text, *options):
        """The writer is not told that it is done, and the blocks stay, until it is."""
        daemon = self.start("1 MiB", "metadata.kind=lmdb", "metadata.path=" + self.path("records"),
                            name="cut")
        self.bucket.is_cut = is_cut
        content = content_of("cut", (11 << 20) + 5)
        ended = self.put(daemon, "cut", content, "--level", "memory")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        daemon.wait_until(lambda: text in daemon.log())
        self.assertEqual(len(self.blocks()), 12)
        self.assertEqual(daemon.status()["unfinished_names"], "1")
        self.bucket.is_cut = lambda what, key, size: False
        return daemon, content

    def test_object_that_came_out_short_is_noticed_and_made_again(self):
        daemon, content = self.assert_kept_until_it_is_right(
            lambda what, key, size: what == "part" and size < PART_MIN, "has another size")
        daemon.wait_until(lambda: self.bucket.objects["cut"][0] == content and not self.blocks())
        self.assertEqual(daemon.stop(), 0)

    def test_block_that_was_stored_short_is_never_put_into_an_object(self):
        daemon, _ = self.assert_kept_until_it_is_right(
            lambda what, key, size: key.endswith("/3"), "not as long as it was stored")
        self.assertNotIn("cut", self.bucket.objects)
        daemon.kill()

    def test_commit_that_waits_for_blocks_begins_no_upload(self):
        daemon = self.start("1 MiB")
        self.bucket.refuse = lambda method, what, key: (
            (500, "InternalError") if key.endswith("/6") and self.bucket.count("HEAD") < 20
            and method == "PUT" else None)
        ended = self.put(daemon, "late", content_of("late", (6 << 20) + 5))
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        self.assertLessEqual(self.bucket.count("POST", "begin"), 2)
        self.assertEqual(self.bucket.uploads, {})

    def late_completion(self, count):
        """The completion with this number waits until this is set."""
        seen, is_late, may_end = [], threading.Event(), threading.Event()
        def hold(method, what, key):
            if method == "POST" and what == "upload":
                seen.append(key)
                if len(seen) == count:
                    is_late.set()
                    may_end.wait(30)
        self.bucket.hold = hold
        self.addCleanup(may_end.set)
        return is_late, may_end

    def records(self):
        return ("metadata.kind=lmdb", "metadata.path=" + self.path("records"),
                "device.path=" + self.path("drive"), "core.device_size=64 MiB")

    def test_late_completion_over_a_version_of_the_same_bytes_does_nothing(self):
        """on, off, on: the server carries "off" out last, when the target is as it was before it;
        the daemon that sent it is gone. With bytes and without."""
        for name, bytes_on, bytes_off in (("flag", b"on", b"off"), ("empty", b"", b"x"),
                                          ("emptied", b"on", b"")):
            is_late, may_end = self.late_completion(2)
            daemon = self.start("1 MiB", *self.records(), name=name + " first")
            ended = self.put(daemon, name, bytes_on, "--level", "origin")
            self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
            ended = self.put(daemon, name, bytes_off, "--level", "device")
            self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
            self.assertTrue(is_late.wait(20), daemon.log())
            daemon.kill()
            daemon = self.start("1 MiB", *self.records(), name=name + " second")
            ended = self.put(daemon, name, bytes_on, "--level", "origin")
            self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
            may_end.set()
            time.sleep(1)
            self.assertEqual(self.bucket.objects[name][0], bytes_on)
            self.assertEqual(daemon.forebay("get", name).stdout, bytes_on)
            self.assertEqual(self.bucket.uploads, {})
            self.assertEqual(daemon.stop(), 0)

    def test_two_writers_at_once_do_not_end_each_other_for_ever(self):
        """Uploads begin at one moment, as far as the server says."""
        self.bucket.moment = lambda: "2026-01-01T00:00:00.000Z"
        daemons = [self.start("1 MiB", "client.socket=" + self.path(name), name=name)
                   for name in ("one", "two")]
        content = content_of("same", 3 << 20)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            source = self.write("source", content)
            ended = list(pool.map(lambda daemon: daemon.forebay("put", source, "same"), daemons))
        self.assertIn(0, [one.returncode for one in ended], ended)
        self.assertEqual(self.bucket.objects["same"][0], content)
        self.assertEqual(self.bucket.uploads, {})

    def test_uploads_that_were_left_are_ended_by_the_next_commit_of_their_key(self):
        daemon = self.start("1 MiB")
        left = {"left %d" % i: ({}, None, key, "2026-01-01T00:00:00.%03dZ" % i)
                for i, key in enumerate(["key +&<%"] * 300 + ["key +&<%more", "other"])}
        self.bucket.uploads.update(left)
        ended = self.put(daemon, "key +&<%", b"content")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        self.assertEqual(set(self.bucket.uploads), {"left 300", "left 301"})

    def test_server_that_lists_no_uploads_is_written_to_and_said(self):
        self.bucket.refuse = lambda method, what, key: (
            (403, "AccessDenied") if what == "uploads" else None)
        daemon = self.start("1 MiB")
        for name in ("first", "second"):
            self.assert_written(daemon, name, b"content")
        self.assertEqual(daemon.log().count("origin_uploads_unlisted"), 1)

    def test_names_that_cannot_be_completed_are_owed(self):
        daemon = self.start("1 MiB", "metadata.kind=lmdb",
                            "metadata.path=" + self.path("records"), name="owes")
        self.bucket.refuse = lambda method, what, key: (
            (400, "EntityTooSmall") if method == "POST" and what == "upload" else None)
        content = content_of("owed", 7 << 20)
        ended = self.put(daemon, "owed", content, "--level", "memory")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        daemon.wait_until(lambda: self.bucket.count("POST", "upload") > 2)
        self.assertEqual(daemon.status()["unfinished_names"], "1")
        self.assertEqual(daemon.forebay("get", "owed").stdout, content)
        # No commit is cut off by the stop: what that leaves goes with the next one of the key.
        self.bucket.refuse = lambda method, what, key: (
            (503, "SlowDown") if what == "object" and key == "owed" else
            (400, "EntityTooSmall") if method == "POST" and what == "upload" else None)
        daemon.wait_until(lambda: not self.bucket.uploads)
        self.assertEqual(self.stopped(daemon), 1)
        daemon.says("1 names")
        self.assertEqual(self.bucket.uploads, {})
        self.bucket.refuse = lambda method, what, key: None
        again = self.start("1 MiB", "metadata.kind=lmdb",
                           "metadata.path=" + self.path("records"), name="again")
        again.wait_until(lambda: self.bucket.objects.get("owed", (b"",))[0] == content)
        self.assertEqual(again.stop(), 0)

    def stopped(self, daemon):
        daemon.process.terminate()
        return daemon.process.wait(30)


if __name__ == "__main__":
    hw_test.main("hw_parts_test")
