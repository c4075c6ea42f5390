#!/usr/bin/env python3
"""forebayd in front of an S3 server that misbehaves on purpose: answers that do not fit what was
asked for, are slow or wrong, listings of every odd form, credentials that end.

usage: hw_stub_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import base64
import concurrent.futures
import hashlib
import http.server
import signal
import threading
import time
import urllib.parse

import hw_test
import stranger
from hw_origin_test import CONFIG, QuietServer, content_of
from hw_test import Case, Daemon, free_ports, page


HELD_BYTES = 300 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    """Objects whose names say how the server behaves; folders whose listings do."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a thousand small answers in a row do not wait
    content = content_of("stub")
    counts, at_once, at_once_max = {}, 0, 0
    key, error_code, error_status, clock_off_s = "", "AccessDenied", 403, 0
    lock = threading.Lock()
    is_released = threading.Event()

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

    def is_denied(self):
        if self.key in self.headers.get("Authorization", ""):
            return False
        self.answer(self.error_status,
                    b"<Error><Code>%s</Code></Error>" % self.error_code.encode())
        return True

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + self.clock_off_s)

    def do_HEAD(self):
        name = self.path.rsplit("/", 1)[1]
        if self.is_denied():
            return
        if name in ("absent", "marked"):
            self.answer(404)
            return
        headers = {"ETag": "\"one\"", "Content_Length": str(len(self.content))}
        if name == "longtag":
            headers["ETag"] = "\"%s\"" % ("x" * 300)
        if name.startswith("word"):
            headers["x_amz_meta_forebayversion"] = "no version"
        if name == "held":
            headers["Content_Length"] = str(HELD_BYTES)
        if name.startswith("size"):
            headers["Content_Length"] = name[4:]
        if name in ("unnamed", "dated"):
            del headers["ETag"]
        if name == "dated":
            headers["Last_Modified"] = "Sun, 06 Nov 1994 08:49:37 GMT"
        if name.startswith("marker"):
            headers["Content_Length"] = "0"
        if name == "marker_hdi":
            headers["x-amz-meta-hdi_isfolder"] = "true"
        self.answer(200, **headers)

    def listing(self):
        query = urllib.parse.parse_qs(self.path.split("?", 1)[1], keep_blank_values=True)
        prefix, token = query["prefix"][0], query.get("continuation-token", [""])[0]
        folder = prefix.rstrip("/").rsplit("/", 1)[-1]
        keys, more, head = [], "", ""
        if folder == "empties":  # nothing on nine pages
            step = int(token or "0")
            keys = [("x", 1)] if step == 9 else []
            more = str(step + 1) if step < 9 else ""
        elif folder == "void":
            more = "" if token else "next"
        elif folder == "again":
            keys, more = [("x", 1)], "same"
        elif folder == "token":
            keys = [("b" if token else "a", 1)]
            more = "" if token else "t" * 7000
        elif folder.startswith("word"):  # of so many bytes, for the next page
            keys = [("b" if token else "a", 1)]
            more = "" if token else "t" * int(folder[4:])
        elif folder.startswith("spaced"):  # each byte of it is three in a URL
            keys = [("b" if token else "a", 1)]
            more = "" if token else "/" * int(folder[6:])
        elif folder.startswith("empty"):  # so many pages before the first that has a name
            step = int(token or "0")
            keys = [("x", 1)] if step == int(folder[5:]) else []
            more = str(step + 1) if not keys else ""
        elif folder.startswith("bytes"):  # of a page, about
            keys = [("x", 1)]
            head = "<Padding>%s</Padding>" % ("p" * int(folder[5:]))
        elif folder.startswith("lengths"):  # of a name, of which each byte is written as three
            keys = [("x" * int(folder[7:]), 1), ("fine", 1)]
        elif folder.startswith("wide"):
            keys = [("%03d%s" % (i, "n" * 880), 1) for i in range(300)]
        elif folder == "large":
            keys = [("%05d%s" % (i, "n" * 880), 1) for i in range(5000)]
        elif folder == "odd":
            keys = [(name, 1) for name in ("..", "../x", "/x", "a/../b", "y" * 2000, "&#10;new",
                                           "%0Aencoded", "ok", "")]
        elif folder == "markers":
            keys = [("one", 0), ("one/", 0), ("two_$folder$", 0), ("three/", 0), ("file", 3)]
        elif folder in ("marker", "marker_hdi"):
            keys = [("leaf", 3)]
        elif folder == "bomb":
            head = "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\">%s]>" % "".join(
                "<!ENTITY %s \"%s\">" % (chr(98 + i), ("&%s;" % chr(97 + i)) * 10)
                for i in range(9))
            keys = [("&j;", 1)]
        elif folder == "broken":
            head = "<never closed>"
        body = "".join("<Contents><Key>%s%s</Key><Size>%d</Size></Contents>" % (prefix, key, size)
                       for key, size in keys)
        if folder.startswith("lengths"):
            body = "<EncodingType>url</EncodingType>" + "".join(
                "<Contents><Key>%s</Key></Contents>" % "".join("%%%02x" % byte for byte in (
                    prefix + key).encode()) for key, _ in keys)
        if folder == "odd":
            body = "<EncodingType>url</EncodingType>" + body
        if folder == "markers":
            body += "<CommonPrefixes><Prefix>%sone/</Prefix></CommonPrefixes>" % prefix
        if more:
            body += ("<IsTruncated>true</IsTruncated><NextContinuationToken>%s"
                     "</NextContinuationToken>" % more)
        if folder.startswith("bytes"):
            head, body = "", head + body
        self.answer(200, ("%s<ListBucketResult>%s</ListBucketResult>" % (head, body)).encode())

    def do_GET(self):
        if self.is_denied():
            return
        if "list-type=2" in self.path:
            self.listing()
            return
        name = self.path.rsplit("/", 1)[1]
        begin, end = (int(part) for part in self.headers["Range"].split("=")[1].split("-"))
        part = self.content[begin:end + 1]
        total = len(self.content)
        with self.lock:
            where = self.path + str(begin)
            count = self.counts[where] = self.counts.get(where, 0) + 1
            Handler.at_once += 1
            Handler.at_once_max = max(Handler.at_once_max, Handler.at_once)
        time.sleep(0.05)
        with self.lock:
            Handler.at_once -= 1
        one = {"ETag": "\"one\""}
        span = "bytes %d-%d/%d" % (begin, end, total)
        if name.startswith("passing") and count == 1:
            _, status, word = name.split("-")
            self.answer(int(status), b"<Error><Code>%s</Code></Error>" % word.encode())
        elif name == "busy" and count <= 2:
            self.answer(503 if count == 1 else 429, b"slow down", Retry_After="0")
        elif name == "broken":
            self.answer(500, b"broken")
        elif name == "rangeless":
            self.answer(200, self.content, **one)
        elif name == "changed":
            self.answer(206, part, ETag="\"two\"")
        elif name == "halfway":
            self.answer(206, part, ETag="\"one\"" if begin == 0 else "\"two\"")
        elif name == "weak":
            self.answer(206, part, ETag="W/\"one\"", Content_Range=span)
        elif name == "unnamed":
            self.answer(206, part)
        elif name == "dated":
            self.answer(206, part, Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT")
        elif name == "nameless":
            self.answer(206, part)
        elif name == "throttled":
            self.answer(503, b"slow down", Retry_After="4")
        elif name == "longtag":
            self.answer(206, part, ETag="\"%s\"" % ("x" * 299 + "y"))
        elif name.startswith("word"):
            self.answer(206, part, ETag="\"one\"" if name == "word" else "\"two\"",
                        x_amz_meta_forebayversion="no version")
        elif name == "held":
            self.is_released.wait(30)
            self.answer(206, bytes(end + 1 - begin), **one)
        elif name == "elsewhere":
            self.answer(206, self.content[:len(part)], Content_Range="bytes 0-%d/%d" % (
                len(part) - 1, total), **one)
        elif name == "grown":
            self.answer(206, part, Content_Range="bytes %d-%d/%d" % (begin, end, total + 1), **one)
        elif name == "garbled":
            self.answer(206, part, Content_Range="bytes minus-one/two", **one)
        elif name == "flipped":
            right = base64.b64encode(hashlib.md5(part).digest()).decode()
            self.answer(206, part[:-1] + b"?", Content_MD5=right, **one)
        elif name == "digested":
            right = base64.b64encode(hashlib.md5(part).digest()).decode()
            self.answer(206, part, Content_MD5=right, Content_Range=span, **one)
        elif name == "fewer":
            self.answer(206, part[:100], **one)
        elif name == "redirected":
            self.answer(302, Location="file:///etc/passwd")
        elif name == "marked":
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif name == "drip":
            self.send_response(206)
            self.send_header("ETag", "\"one\"")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            for at in range(0, len(part), 1500):
                self.wfile.write(part[at:at + 1500])
                time.sleep(0.9)
        elif name == "short" and count == 1:
            self.send_response(206)
            self.send_header("ETag", "\"one\"")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part[:100])
            self.close_connection = True
        elif name == "long":
            self.answer(206, part + b"more", **one)
        else:
            self.answer(206, part, **one)


class Stub:
    def __init__(self):
        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.endpoint = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def origin(self):
        return "kind: s3, endpoint: \"%s\", bucket: b, requests_max: 2" % self.endpoint


class Misbehaviour(Case):
    def setUp(self):
        super().setUp()
        self.stub = Stub()
        self.addCleanup(self.stub.close)
        self.write("credentials", b"region: none\n")
        config = self.write("stub.yaml", CONFIG.format(
            folder=self.folder, origin=self.stub.origin()).encode())
        self.daemon = Daemon(self, config)

    def fails(self, name, text):
        ended = self.daemon.forebay("get", name)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(text, ended.stderr.decode())

    def test_busy_server_is_asked_again(self):
        self.assertEqual(self.daemon.forebay("get", "busy").stdout, Handler.content)
        tries = [count for path, count in list(Handler.counts.items()) if "/busy" in path]
        self.assertEqual(tries, [3, 3, 3])

    def test_requests_at_once_are_bounded(self):
        Handler.at_once_max = 0
        self.assertEqual(self.daemon.forebay("get", "fine").stdout, Handler.content)
        self.assertIn(Handler.at_once_max, (1, 2))  # a slow machine may never have two at once

    def test_reads_that_wait_for_the_origin_are_not_all_ones(self):
        """Whoever has most of them under way is told to wait; others are let in."""
        self.addCleanup(Handler.is_released.set)
        Handler.is_released.clear()
        daemon = Daemon(self, self.path("stub.yaml"), "core.memory_size=64 MiB",
                        "client.socket=" + self.path("large"))
        greedy = []
        for _ in range(4):
            greedy.append(stranger.Client(daemon.socket))
            self.addCleanup(greedy[-1].close)
        handle = greedy[0].call(stranger.OPEN, name=b"held")["object"]
        for number, client in enumerate(greedy):
            for index in range(250):
                client.ask(stranger.GET, object=handle, index=250 * number + index)
        time.sleep(0.5)
        statuses = [answer["status"] for client in greedy for answer in client.answers()]
        self.assertEqual(set(statuses), {stranger.BUSY})
        self.assertIn(1000 - len(statuses), range(200, 250))  # under way, of 256
        fresh = stranger.Client(daemon.socket)
        self.addCleanup(fresh.close)
        fresh.ask(stranger.GET, object=handle, index=1100)
        time.sleep(0.3)
        self.assertEqual(fresh.answers(), [])  # let in
        Handler.is_released.set()
        self.assertEqual(fresh.answer(60)["status"], stranger.OK)

    def test_cut_answer_is_asked_for_again(self):
        self.assertEqual(self.daemon.forebay("get", "short").stdout, Handler.content)

    def test_broken_server_is_given_up(self):
        self.fails("broken", "Input/output error")
        tries = [count for path, count in list(Handler.counts.items()) if "/broken" in path]
        self.assertEqual(max(tries), 4)

    def requests(self, name):
        """How often each block was asked for."""
        return [count for path, count in list(Handler.counts.items()) if "/%s" % name in path]

    def test_wrong_bytes_are_never_given(self):
        for name in ("rangeless", "long", "elsewhere", "garbled", "fewer", "redirected", "nameless",
                     "unnamed", "dated"):
            self.fails(name, "Input/output error")
            self.assertLessEqual(max(self.requests(name) or [0]), 4, name)
        for name in ("changed", "halfway"):
            self.fails(name, "it changed meanwhile")
        self.fails("flipped", "Bad message")
        log = self.daemon.log()
        for reason in ("leaves the range aside", "another range", "another length", "no number",
                       "Content-MD5", "the answer has no ETag"):
            self.assertIn(reason, log)

    def test_right_answers_of_other_kinds_are_taken(self):
        for name in ("weak", "digested", "fine"):
            self.assertEqual(self.daemon.forebay("get", name).stdout, Handler.content, name)

    def test_sizes_that_cannot_be_are_refused(self):
        for size in ("9223372036854775807", "-5", "18446744073709551615", "1e9", "0x10", "7,7"):
            self.fails("size" + size, "Input/output error")

    def test_answer_that_drips_ends_in_time(self):
        begun = time.monotonic()
        daemon = Daemon(self, self.path("stub.yaml"), "origin.timeout=1 s", "origin.tries_max=2",
                        "core.retries_max=8", "client.socket=" + self.path("drips"), name="drips")
        ended = daemon.forebay("get", "--size", "1000", "drip")
        self.assertIn(b"timed out", ended.stderr)
        self.assertLess(time.monotonic() - begun, 20)
        self.assertLessEqual(max(self.requests("drip")), 4)  # one that is late is hedged

    def test_tries_of_the_request_are_all_tries(self):
        daemon = Daemon(self, self.path("stub.yaml"), "origin.tries_max=2", "core.retries_max=8",
                        "client.socket=" + self.path("tries"), name="tries")
        Handler.counts.clear()
        self.assertEqual(daemon.forebay("get", "broken").returncode, 1)
        self.assertEqual(max(self.requests("broken")), 2)

    def test_tries_are_not_doubled_by_those_who_wait_long(self):
        """A second fetch of what is waited for, since that takes so long, asks for nothing."""
        daemon = Daemon(self, self.path("stub.yaml"), "origin.tries_max=2", "core.fetch=1 s",
                        "origin.requests_max=16",
                        "client.socket=" + self.path("long"), name="long")
        Handler.counts.clear()
        self.assertEqual(daemon.forebay("get", "throttled").returncode, 1)
        self.assertEqual(max(self.requests("throttled")), 2)

    def test_words_for_versions_that_cannot_be_are_none(self):
        """Neither a longer ETag than is kept, nor metadata that no commit has left, tell two
        versions apart."""
        self.fails("longtag", "Input/output error")
        self.assertEqual(self.daemon.forebay("get", "word").stdout, Handler.content)
        self.fails("word-changed", "Stale")

    def listed(self, folder, text=None):
        ended = self.daemon.forebay("ls", folder)
        if text is not None:
            self.assertEqual(ended.returncode, 1)
            self.assertIn(text, ended.stderr.decode())
        return ended.stdout.decode().split("\n")[:-1]

    def test_listings_of_odd_pages_are_read(self):
        self.assertEqual(self.listed("empties"), ["x"])
        self.listed("void", "No such file")
        self.assertEqual(self.listed("token"), ["a", "b"])
        self.assertEqual(len(self.listed("large")), 5000)
        self.assertEqual(self.listed("odd"), ["\\x0aencoded", "\\x0anew", "ok"])
        self.listed("again", "Input/output error")
        self.listed("bomb", "Input/output error")
        self.listed("broken", "Input/output error")

    def test_listings_go_to_their_limits_and_no_further(self):
        """Each is read at its limit, and refused with a reason one beyond it."""
        for folder, names, beyond, reason in (
                ("word8000", ["a", "b"], "word8001", "word for its next page is too long"),
                ("spaced5000", ["a", "b"], "spaced6000", "does not fit into 16 KiB"),
                ("empty999", ["x"], "empty1000", "only empty pages"),
                ("bytes%d" % ((32 << 20) - 500), ["x"], "bytes%d" % (32 << 20),
                 "more than 32 MiB")):
            self.assertEqual(self.listed(folder), names, folder)
            self.assertNotIn(reason, self.daemon.log())
            self.listed(beyond, "nvalid argument" if beyond[0] == "s" else "")
            self.daemon.says(reason)

    def test_name_too_long_to_be_read_is_left_out_and_never_cut(self):
        daemon = Daemon(self, self.path("stub.yaml"), "client.socket=" + self.path("deep"),
                        "origin.prefix=data/%s/" % ("p" * 1010), name="deep")
        for length, is_listed in ((700, True), (800, False), (1000, False)):
            ended = daemon.forebay("ls", "%s/lengths%d" % ("q" * 900, length))
            self.assertEqual(ended.stdout.decode().split(),
                             ["fine"] + ["x" * length] * is_listed, length)

    def test_more_listings_at_once_than_pages_are_kept(self):
        """A page that is kept no more is asked for again."""
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            listings = list(pool.map(self.listed, ["wide%d" % i for i in range(12)]))
        for listing in listings:
            self.assertEqual(len(listing), 300)

    def test_secret_at_its_longest_and_one_byte_more(self):
        for length in (1023, 1024):
            self.write("long", b"access_key_id: KEY\nsecret_access_key: %s\n" % (b"s" * length))
            arguments = [hw_test.program("forebayd"), "--config", self.path("stub.yaml"),
                         "--set", "client.socket=" + self.path("long%d" % length),
                         "--set", "origin.credentials=" + self.path("long")]
            if length == 1023:
                daemon = Daemon(self, self.path("stub.yaml"), *arguments[4::2], name="long")
                self.assertEqual(daemon.forebay("get", "fine").stdout, Handler.content)
                continue
            ended = hw_test.run(*arguments)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(b"longer than 1023 bytes", ended.stderr)
            self.assertNotIn(b"sss", ended.stderr)

    def test_folder_markers_are_folders(self):
        self.assertEqual(self.listed("markers"), ["file", "one/", "three/", "two/"])
        for name in ("marker", "marker_hdi"):
            self.assertIn(b"No such file", self.daemon.forebay("stat", name).stderr)
            self.assertEqual(self.listed(name), ["leaf"])

    def test_new_credentials_are_taken_when_the_old_are_refused(self):
        self.addCleanup(setattr, Handler, "key", "")
        self.write("credentials", b"access_key_id: OLDKEY\nsecret_access_key: S\n")
        daemon = Daemon(self, self.path("stub.yaml"), "client.socket=" + self.path("keys"),
                        name="keys")
        Handler.key, Handler.error_code = "OLDKEY", "ExpiredToken"
        self.assertEqual(daemon.forebay("get", "first").stdout, Handler.content)
        Handler.key = "NEWKEY"
        self.assertIn(b"Permission denied", daemon.forebay("get", "second").stderr)
        daemon.says("ExpiredToken")
        self.write("credentials", b"access_key_id: NEWKEY\nsecret_access_key: S\n")
        self.assertEqual(daemon.forebay("get", "second").stdout, Handler.content)
        self.assertNotIn("NEWKEY", daemon.log())

    def keyed(self, name, key="OLDKEY"):
        """A daemon whose credentials the server takes; they are taken back with `refuse`."""
        for attribute in ("key", "error_code", "error_status", "clock_off_s"):
            self.addCleanup(setattr, Handler, attribute, getattr(Handler, attribute))
        self.write("credentials", b"access_key_id: %s\nsecret_access_key: S\n" % key.encode())
        Handler.key = key
        daemon = Daemon(self, self.path("stub.yaml"), "client.socket=" + self.path(name),
                        name=name)
        self.assertEqual(daemon.forebay("get", name).stdout, Handler.content)
        return daemon

    def test_credentials_that_end_are_renewed_whatever_the_refusal_is_called(self):
        """By a GET, that has a word, and by a HEAD, that has none; else EACCES and the word."""
        daemon = self.keyed("ending")
        for number, (status, word) in enumerate((
                (400, "ExpiredToken"), (400, "InvalidToken"), (400, "TokenRefreshRequired"),
                (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (401, "Any"),
                (400, "SignatureDoesNotMatch"))):
            Handler.key, Handler.error_code, Handler.error_status = "KEY%d" % number, word, status
            self.assertIn(b"Permission denied", daemon.forebay("get", "other").stderr, word)
            self.assertIn(b"Permission denied", daemon.forebay("ls", "markers").stderr, word)
            daemon.says("http=%d code=\"%s\"" % (status, word))
            self.write("credentials", b"access_key_id: KEY%d\nsecret_access_key: S\n" % number)
            self.assertEqual(daemon.forebay("stat", "stat%d" % number).returncode, 0, word)
            self.assertEqual(daemon.forebay("get", "other%d" % number).stdout, Handler.content)

    def test_all_that_were_refused_at_once_are_asked_for_again(self):
        """One request reads the new file; those that were sent with the old key go on with it."""
        daemon = self.keyed("together")
        for number in range(5):
            self.write("credentials", b"access_key_id: NEW%d\nsecret_access_key: S\n" % number)
            Handler.key, Handler.error_status = "NEW%d" % number, 400
            Handler.error_code = "ExpiredToken"
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                ended = list(pool.map(lambda name: daemon.forebay("get", name),
                                      ["at%d-%d" % (number, i) for i in range(8)]))
            self.assertEqual([one.stderr for one in ended], [b""] * 8)

    def test_file_without_credentials_takes_none_away(self):
        daemon = self.keyed("emptied")
        self.write("credentials", b"region: none\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_until(lambda: "it has no credentials any more" in daemon.log())
        self.assertEqual(daemon.forebay("get", "still").stdout, Handler.content)

    def test_clock_that_is_off_is_named(self):
        daemon = self.keyed("clock")
        for off_s, word in ((-3600, "ahead of"), (86400, "behind")):
            Handler.key, Handler.clock_off_s = "NONE", off_s
            Handler.error_code = "RequestTimeTooSkewed"
            self.assertIn(b"Permission denied", daemon.forebay("stat", "any").stderr)
            near = "|".join(str(abs(off_s) + more) for more in range(-20, 20))
            daemon.says_like("clock: it is (%s) s %s the origin" % (near, word))
        Handler.clock_off_s = 600  # which stores allow
        count = daemon.log().count("clock")
        daemon.forebay("stat", "any")
        self.assertEqual(daemon.log().count("clock"), count)

    def test_what_passes_is_asked_for_again_under_any_status(self):
        for word in ("400-RequestTimeout", "400-IncompleteBody", "400-SlowDown",
                     "409-OperationAborted", "503-SlowDown"):
            self.assertEqual(self.daemon.forebay("get", "passing-" + word).stdout,
                             Handler.content, word)
        self.fails("passing-400-InvalidArgument", "Input/output error")

    def test_absent_object_is_absent_also_where_nothing_may_be_listed(self):
        self.assertIn(b"No such file", self.daemon.forebay("get", "absent").stderr)

    def test_absent_server_is_found_when_it_comes(self):
        port = free_ports(1)[0]
        config = self.write("late.yaml", CONFIG.format(
            folder=self.folder,
            origin="kind: s3, endpoint: \"http://127.0.0.1:%d\", bucket: b" % port).encode())
        watched = free_ports(1)[0]
        daemon = Daemon(self, config, "client.socket=" + self.path("late"),
                        "http=127.0.0.1:%d" % watched, name="late")
        self.assertEqual(daemon.forebay("get", "fine").returncode, 1)
        code, text = page(watched, "/ready")
        self.assertEqual((code, text.count("\n")), (503, 1))
        self.assertTrue(text.startswith("origin: it has not answered yet"), text)
        server = QuietServer(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.assertEqual(daemon.forebay("get", "fine").stdout, Handler.content)
        daemon.wait_until(lambda: page(watched, "/ready") == (200, "ready\n"))


if __name__ == "__main__":
    hw_test.main("hw_stub_test")
