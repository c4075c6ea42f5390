#!/usr/bin/env python3
"""What a person reads when something is refused: the server's own word and sentence, the call that
was refused, and what is to be done; and the programs' words beside a daemon that hangs or dies.

usage: hw_words_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import base64
import concurrent.futures
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import hw_parts_test
import hw_test
from hw_origin_test import content_of
from hw_test import Case, Daemon

NEEDS_DIGEST = ("Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests "
                "with Object Lock parameters")


class Refusals(Case):
    """Of a bucket."""

    def setUp(self):
        super().setUp()
        self.bucket, self.port = hw_parts_test.serve(self)
        self.config = self.write("words.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="256 KiB", port=self.port).encode())
        self.daemon = Daemon(self, self.config)
        self.addCleanup(self.daemon.kill)
        self.bucket.objects["data"] = (b"content", '"e"', "")

    def answers(self, *kinds, body=b"", code, **headers):
        """Says this to requests of these kinds for the object `data`."""
        def lie(handler, method, what, key):
            if method not in kinds or key not in ("data", ""):
                return False
            handler.answer(code, body, **headers)
            return True
        self.bucket.lie = lie

    @staticmethod
    def error(code, message, more=""):
        return ("<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>%s</Message>%s</Error>" % (
            code, message, more)).encode()

    def line(self, *parts):
        """The one line of the log that tells of it."""
        lines = [line for line in self.daemon.log().split("\n")
                 if "event=origin_failed" in line or "event=origin_denied" in line]
        self.assertGreater(len(lines), 0, self.daemon.log())
        for part in parts:
            self.assertIn(part, lines[-1])
        return lines[-1]

    def get(self, text):
        ended = self.daemon.forebay("get", "data")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(text, ended.stderr.decode())

    def test_archived_object_is_to_be_restored(self):
        self.answers("GET", code=403, body=self.error(
            "InvalidObjectState", "The operation is not valid for the object's storage class"))
        self.get("Permission denied")
        line = self.line("http=403", "InvalidObjectState", "restore the object from the archive",
                         "reason=\"The operation is not valid for the object's storage class\"")
        self.assertNotIn("credentials", line)

    def test_bucket_of_another_region_is_named_by_it(self):
        for code, word, headers, more in (
                (301, "PermanentRedirect", {"x_amz_bucket_region": "eu-west-1"}, ""),
                (400, "AuthorizationHeaderMalformed", {}, "<Region>eu-west-1</Region>")):
            self.answers("HEAD", "GET", code=code, body=self.error(word, "elsewhere", more),
                         **headers)
            self.get("Input/output error")
            self.line("http=%d" % code, "eu-west-1: set origin.region")

    def test_call_that_was_refused_is_told_and_not_the_next(self):
        for code in (403, 400):
            self.answers("HEAD", code=code)
            self.bucket.objects["data"] = (b"content", '"e"', "")
            self.daemon.forebay("get", "data")
            self.line("http=%d" % code)

    def test_redirect_of_a_new_bucket_is_told_to_pass(self):
        self.answers("HEAD", "GET", code=307, body=self.error("TemporaryRedirect", "wait"))
        self.get("Input/output error")
        self.line("http=307", "within hours")

    def test_bucket_that_is_missing_is_named(self):
        self.answers("HEAD", "GET", code=404, body=self.error(
            "NoSuchBucket", "The specified bucket does not exist"))
        self.daemon.wait_until(lambda: b"Input/output error; the daemon's log says why" in
                               self.daemon.forebay("get", "data").stderr)
        self.line("http=404", "NoSuchBucket", "make the bucket b, ",
                  "reason=\"The specified bucket does not exist\"")

    def test_sentence_of_a_server_cannot_make_lines_of_its_own(self):
        self.answers("GET", code=400, body=self.error(
            "InvalidArgument", "one\" event=forged\x1b[31m " + "x" * 9000))
        self.get("Input/output error")
        line = self.line("InvalidArgument", "reason=\"one\\\" event=forged\\x1b[31m xxx")
        self.assertLess(len(line), 700)

    def test_bucket_that_wants_digests_gets_them(self):
        """Of what is sent whole, and of parts; none before it has said so."""
        seen = []

        def lie(handler, method, what, key):
            if method != "PUT" or handler.headers.get("x-amz-copy-source"):
                return False
            seen.append(handler.headers.get("Content-MD5"))
            if seen[-1] is None:
                handler.answer(400, self.error("InvalidRequest", NEEDS_DIGEST))
                return True
            body = handler.body
            if base64.b64decode(seen[-1]) != hashlib.md5(body).digest():
                handler.answer(400, self.error("BadDigest", "it does not match"))
                return True
            return False
        self.bucket.lie = lie
        content = content_of("locked", (12 << 20) + 77)
        ended = self.daemon.forebay("put", "--level", "origin", self.write("source", content),
                                    "locked")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + self.daemon.log())
        self.assertEqual(self.bucket.objects["locked"][0], content)
        self.assertIsNone(seen[0])
        self.assertGreater(len([one for one in seen if one]), 49)
        self.assertNotIn("event=origin_failed", self.daemon.log())


class Programs(Case):
    """Beside a daemon that hangs, or dies as it is greeted."""

    def timed(self, command, *arguments):
        began = time.monotonic()
        ended = self.daemon.forebay(command, *arguments)
        self.assertEqual((ended.returncode, ended.stdout), (1, b""), ended.stderr)
        return time.monotonic() - began, ended.stderr.decode()

    def test_daemon_that_hangs_is_told_in_time(self):
        self.daemon = Daemon(self, self.config)
        self.daemon.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.daemon.process.send_signal, signal.SIGCONT)
        commands = (("status",), ("status", "--page"), ("status", "--json"),
                    ("status", "--cluster"), ("drain", "--patience", "5 s"),
                    ("leave", "--patience", "5 s"))
        with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
            told = list(pool.map(lambda command: self.timed(*command), commands))
        for command, (took_s, text) in zip(commands, told):
            self.assertRegex(text, "forebay %s: the daemon at %s has not answered for 5(.0+)? s: "
                             "is it stopped" % (command[0], self.daemon.socket))
            self.assertLess(took_s, 9)

    def test_daemon_that_dies_as_it_is_greeted_has_refused_nobody(self):
        """A door that takes a connection and a greeting, and closes it, as the kernel does then."""
        path = self.path("door")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(path)
        listener.listen(8)
        self.addCleanup(listener.close)

        def close():
            for receives in (True, False, True):
                one, _ = listener.accept()
                if receives:
                    one.recv(4096)
                one.close()
        thread = threading.Thread(target=close, daemon=True)
        thread.start()
        for command in (("ls",), ("status",), ("get", "data")):
            ended = hw_test.run(hw_test.program("forebay"), command[0], "--socket", path,
                                *command[1:])
            self.assertEqual(ended.returncode, 1)
            self.assertIn(b"the daemon went away as it was greeted", ended.stderr)
        thread.join()

    def test_refusal_of_a_token_is_told_as_one(self):
        token = self.write("token", b"a token of many bytes")
        daemon = Daemon(self, self.config, "client.token=" + token)
        self.assertNotIn("FOREBAY_TOKEN_FILE", os.environ)
        self.assertIn(b"it lets this user not in", daemon.forebay("ls").stderr)
        daemon.says("the client shows no token")

    def test_get_that_is_ended_leaves_nothing(self):
        """SIGKILL takes nothing along, which --help says; what was ignored still is."""
        with open(self.path("origin/large"), "wb") as file:
            file.truncate(64 << 30)
        daemon = Daemon(self, self.config)
        os.mkdir(self.path("target"))
        files = lambda: os.listdir(self.path("target"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                       signal.SIGKILL):
            process = subprocess.Popen([hw_test.program("forebay"), "get", "--socket",
                                        daemon.socket, "large", self.path("target/x")])
            daemon.wait_until(files)
            self.assertEqual(files(), ["x.%d.part" % process.pid])
            process.send_signal(number)
            self.assertEqual(process.wait(30), -number)
            self.assertEqual(len(files()), number == signal.SIGKILL)
        shutil.rmtree(self.path("target"))
        self.assertIn(b"TARGET.PID.part", hw_test.run(hw_test.program("forebay"), "get",
                                                      "--help").stdout)
        self.object("small", 100)
        ended = hw_test.run("sh", "-c", "trap '' HUP; kill -HUP $$; exec \"$0\" \"$@\"",
                            hw_test.program("forebay"), "get", "--socket", daemon.socket, "small",
                            self.path("copy"))
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertTrue(os.path.exists(self.path("copy")))

    def test_folder_that_is_missing_is_named(self):
        daemon = Daemon(self, self.config)
        self.object("data", 100)
        for target, missing in (("NEW/DIR/x", "NEW"), ("NEW/x", "NEW")):
            ended = daemon.forebay("get", "data", self.path(target))
            self.assertEqual((ended.returncode, ended.stderr.decode()), (
                1, "forebay get: %s: there is no such folder: make it\n" % self.path(missing)))
        ended = daemon.forebay("get", "data", self.path("config.yaml/x"))
        self.assertIn(b"config.yaml/x: Not a directory", ended.stderr)
        os.symlink(self.path("NEW/x"), self.path("link"))
        self.assertIn(b"No such file or directory",
                      daemon.forebay("get", "data", self.path("link")).stderr)

    def test_file_of_more_blocks_than_a_client_may_pin_is_refused_at_once(self):
        self.object("fits", 7 << 18)
        self.object("large", 8 << 18)
        daemon = Daemon(self, self.config, "core.pins_max=8")
        began = time.monotonic()
        ended = daemon.forebay("pin", "large")
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"more blocks than one client may pin", ended.stderr)
        self.assertIn(b"core.pins_max", ended.stderr)
        self.assertEqual(daemon.status()["pins"], "0")
        ended = daemon.forebay("pin", "--seconds", "60", "fits")
        self.assertEqual(ended.returncode, 0, ended.stderr)


if __name__ == "__main__":
    hw_test.main("hw_words_test")
