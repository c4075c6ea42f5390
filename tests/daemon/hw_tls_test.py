#!/usr/bin/env python3
"""TLS between daemons: what they say can't be read by others, and who has no certificate of the
cluster's authority, or another node's, is refused. And tokens of clients.

usage: hw_tls_test.py BUILD [unittest's arguments]     exit code 77: no io_uring or no openssl here
"""

import datetime
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import unittest

import hw_test
from hw_test import Case, Daemon, run

CERTIFICATES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                            "../../hw/examples/certificates.sh")
MARK = b"this must not be seen on the wire " * 1024


class Relay:
    """Passes bytes between who connects to it and a port, and keeps them."""

    def __init__(self, case, target):
        self.target = target
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        case.addCleanup(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                one = self.listener.accept()[0]
                other = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            for source, sink in ((one, other), (other, one)):
                threading.Thread(target=self.pass_on, args=(source, sink), daemon=True).start()

    def pass_on(self, source, sink):
        part = b"-"
        while part:
            try:
                part = source.recv(65536)
                self.seen.append(part)
                sink.sendall(part)
            except OSError:
                part = b""
        source.close()
        sink.close()

    def bytes_seen(self):
        return b"".join(self.seen)


class Impostor(Relay):
    """A relay that speaks TLS with both sides by certificates that the authority has signed, and
    passes on what a daemon says: it lets anybody in, and shows another's name, as none does."""

    def __init__(self, case, target, shown, onward):
        """Names of files without their endings: shown to who connects, and where it connects to."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(shown + ".pem", shown + ".key")
        self.onward = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.onward.load_cert_chain(onward + ".pem", onward + ".key")
        self.onward.check_hostname = False
        self.onward.verify_mode = ssl.CERT_NONE
        super().__init__(case, target)

    def accept(self):
        while True:
            try:
                one = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.meet, args=(one,), daemon=True).start()

    def meet(self, one):
        try:
            one = self.context.wrap_socket(one, server_side=True)
            other = self.onward.wrap_socket(
                socket.create_connection(("127.0.0.1", self.target)))
        except OSError:
            one.close()
            return
        threading.Thread(target=self.pass_on, args=(other, one), daemon=True).start()
        self.pass_on(one, other)


class Tls(Case):
    def certificates(self, folder, *nodes, cluster="test"):
        subprocess.run([CERTIFICATES, cluster, self.path(folder), *map(str, nodes)], check=True,
                       capture_output=True)

    def tls(self, node, folder="keys", name=None):
        name = name or "node-%d" % node
        return ["tls.certificate=%s/%s.pem" % (self.path(folder), name),
                "tls.key=%s/%s.key" % (self.path(folder), name),
                "tls.ca=%s/ca.pem" % self.path(folder)]

    def start(self, node, *assignments, relay=None):
        """It reaches the other node through a relay, if there is one."""
        ports = list(self.ports)
        if relay:
            ports[1 - node] = relay.port
        text = hw_test.CONFIG.format(folder=self.folder) + hw_test.PAIR.format(
            port0=ports[0], port1=ports[1])
        config = self.write("node%d.yaml" % node, text.encode())
        return Daemon(self, config, "node=%d" % node, "client.socket=" + self.path("s%d" % node),
                      "listen=127.0.0.1:%d" % self.ports[node], *assignments,
                      name="node%d" % node)

    def setUp(self):
        super().setUp()
        self.ports = hw_test.free_ports(2)
        self.certificates("keys", 0, 1)

    def read_by_both(self, is_secure):
        """Returns what a relay between them saw of reads of a file by node 1, then by node 0."""
        relay = Relay(self, self.ports[1])
        content = MARK * 64
        self.write("origin/data", content)
        keys = [self.tls(0), self.tls(1)] if is_secure else [[], []]
        first = self.start(0, *keys[0], relay=relay)
        second = self.start(1, *keys[1])
        for daemon in (second, first):
            self.assertEqual(daemon.forebay("get", "data").stdout, content)
        self.assertGreater(int(first.status()["replies_peer"]), 0)
        return relay.bytes_seen()

    def test_bytes_between_nodes_cannot_be_read(self):
        self.assertIn(MARK[:1000], self.read_by_both(False))
        self.doCleanups()
        self.setUp()
        seen = self.read_by_both(True)
        self.assertGreater(len(seen), 65536)
        self.assertNotIn(MARK[:32], seen)
        self.assertNotIn(b"data", seen)

    def refused(self, reason, keys0, keys1, relays=(None, None)):
        """The two do not talk, and each reads the file from the origin."""
        content = self.object("data", 3 << 20)
        first = self.start(0, *keys0, relay=relays[0])
        second = self.start(1, *keys1, relay=relays[1])
        for daemon in (first, second):
            self.assertEqual(daemon.forebay("get", "data").stdout, content)
            self.assertEqual(int(daemon.status()["pull_bytes"]), 0)
        self.assertIn(reason, first.log() + second.log())
        return first

    def impostor(self, name):
        """Who answers for node 1, and speaks as it, shows this certificate of the authority."""
        own = self.path("keys/node-0")
        first = self.refused("certificate", self.tls(0), self.tls(1), (
            Impostor(self, self.ports[1], self.path(name), own),
            Impostor(self, self.ports[0], own, self.path(name))))
        first.wait_until(lambda: "tls: the peer's certificate: hostname mismatch" in first.log())
        first.wait_until(lambda: "its certificate is not that of the node that it says it is" in
                         first.log())

    def test_certificate_of_another_authority_is_refused(self):
        self.certificates("strange", 1)
        self.refused("tls: the peer's certificate", self.tls(0), self.tls(1, "strange"))

    def test_certificate_of_another_node_is_refused(self):
        self.certificates("keys", 7)
        self.impostor("keys/node-7")

    def test_certificate_of_another_cluster_is_refused(self):
        os.mkdir(self.path("moved"))
        for name in ("ca.pem", "ca.key"):
            shutil.copy(self.path("keys/" + name), self.path("moved"))
        self.certificates("moved", 1, cluster="other")
        self.impostor("moved/node-1")

    def test_node_without_tls_is_refused(self):
        self.refused("tls: ", self.tls(0), [])

    def test_stranger_is_refused_and_hurts_nobody(self):
        daemon = self.start(0, *self.tls(0))
        for opening in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70000), b"\x16"):
            with socket.create_connection(("127.0.0.1", self.ports[0])) as stranger:
                stranger.sendall(opening)
        content = self.object("data", 1 << 20)
        self.assertEqual(daemon.forebay("get", "data").stdout, content)

    def fails(self, text, *assignments):
        config = self.write("pair.yaml", (hw_test.CONFIG.format(folder=self.folder) +
                                          hw_test.PAIR.format(port0=self.ports[0],
                                                              port1=self.ports[1])).encode())
        arguments = [hw_test.program("forebayd"), "--config", config]
        for assignment in assignments:
            arguments += ["--set", assignment]
        ended = run(*arguments)
        self.assertIn(ended.returncode, (1, 2))
        self.assertIn(text, ended.stderr.decode().strip().split("\n")[-1])

    def test_bad_files_are_named(self):
        keys = self.tls(0)
        self.fails("tls.certificate /none", "tls.certificate=/none", *keys[1:])
        self.fails("tls.key", keys[0], "tls.key=" + self.path("keys/node-1.key"), keys[2])
        self.fails("tls.ca /none", *keys[:2], "tls.ca=/none")
        self.fails("certificate", "tls.key=" + self.path("keys/node-1.key"))


class Own(Tls):
    """A node looks at its own certificate as its peers will."""

    def sign(self, name, first_days, last_days, dns="node-1.test", use="serverAuth,clientAuth"):
        """A certificate of the authority that is valid from and to days from now."""
        folder, now = self.path("keys"), datetime.datetime.now(datetime.timezone.utc)
        moments = [(now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
                   for days in (first_days, last_days)]
        self.write("index", b"")
        config = self.write("sign.conf", (
            "[ca]\ndefault_ca=own\n[own]\ndatabase=%s\nnew_certs_dir=%s\ndefault_md=sha256\n"
            "rand_serial=yes\nunique_subject=no\npolicy=any\n[any]\ncommonName=supplied\n"
            "[more]\nsubjectAltName=DNS:%s\nextendedKeyUsage=%s\n" % (
                self.path("index"), folder, dns, use)).encode())
        one = os.path.join(folder, name)
        for arguments in (
                ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                 "/CN=" + dns, "-keyout", one + ".key", "-out", one + ".csr"),
                ("ca", "-batch", "-config", config, "-cert", folder + "/ca.pem", "-keyfile",
                 folder + "/ca.key", "-in", one + ".csr", "-out", one + ".pem", "-startdate",
                 moments[0], "-enddate", moments[1], "-extensions", "more", "-notext")):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True)
        return self.tls(1, name=name)

    def looked_at(self, keys):
        """Exit code and output of doctor, of --check, and of a start that is refused."""
        config, _ = self.pair()
        arguments = ["--config", config, "--set", "node=1"]
        for one in keys:
            arguments += ["--set", one]
        return (run(hw_test.program("forebay"), "doctor", *arguments),
                run(hw_test.program("forebayd"), *arguments, "--check"),
                lambda: run(hw_test.program("forebayd"), *arguments))

    def test_certificate_that_peers_refuse_is_refused_at_home(self):
        self.certificates("strange", 1)
        strange = self.tls(1, "strange")[:2] + self.tls(1)[2:]
        for text, keys in (
                ("certificate has expired", self.sign("old", -20, -10)),
                ("certificate is not yet valid", self.sign("young", 10, 20)),
                ("not of the name node-1.test", self.tls(0)),
                ("not of the name node-1.test", self.sign("moved", -1, 99, "node-1.other")),
                ("purpose", self.sign("server", -1, 99, use="serverAuth")),
                ("purpose", self.sign("client", -1, 99, use="clientAuth")),
                ("certificate", strange)):
            doctor, check, start = self.looked_at(keys)
            line = "fault +tls +tls.certificate %s.*%s" % (re.escape(keys[0].split("=")[1]), text)
            self.assertEqual(doctor.returncode, 1)
            self.assertRegex(doctor.stdout.decode(), line)
            self.assertRegex(check.stdout.decode(), line)
            ended = start()
            self.assertEqual(ended.returncode, 1)
            self.assertRegex(ended.stderr.decode().strip().split("\n")[-1], text)

    def test_certificate_that_ends_soon_is_said(self):
        for days, is_soon in ((13, True), (15, False)):
            keys = self.sign("soon%d" % days, -1, days)
            doctor, check, _ = self.looked_at(keys)
            self.assertEqual("warning  tls" in doctor.stdout.decode(), is_soon, doctor.stdout)
            self.assertNotIn(b"fault    tls", doctor.stdout + check.stdout)
            daemon = self.start(1, *keys)
            self.assertEqual(daemon.stop(), 0)
            self.assertEqual(keys[0].split("=")[1] in daemon.log(), is_soon, daemon.log())

    def test_status_says_why_a_peer_is_away_and_since_when(self):
        """Since a connection was whole, not since one was tried again."""
        first = self.start(0, *self.tls(0), relay=Impostor(
            self, self.ports[1], self.path("keys/node-0"), self.path("keys/node-0")))
        self.object("data", 3 << 20)
        self.assertEqual(first.forebay("get", "data").returncode, 0)
        first.wait_until(lambda: first.status()["peers_away"] == "1")
        began = time.monotonic()
        longest = 0
        while time.monotonic() < began + 3:
            age_ns = int(re.search("since_ns=(\\d+)", first.status()["peer"]).group(1))
            self.assertGreaterEqual(age_ns, longest)
            longest = age_ns
        text = first.forebay("status", "--page").stdout.decode()
        self.assertRegex(text, "node 1 at .* is away for .*: tls: the peer's certificate: hostname "
                               "mismatch: see tls.certificate")


class Token(Case):
    TOKEN = b"a token of many bytes"

    def get(self, token_file):
        environment = dict(os.environ)
        environment.pop("FOREBAY_TOKEN_FILE", None)
        if token_file is not None:
            environment["FOREBAY_TOKEN_FILE"] = token_file
        return subprocess.run(
            [hw_test.program("forebay"), "get", "--socket", self.path("socket"), "data"],
            env=environment, capture_output=True, timeout=60, check=False)

    def test_client_without_the_token_is_refused(self):
        content = self.object("data", 100000)
        token = self.write("token", self.TOKEN + b"\n")
        daemon = Daemon(self, self.config, "client.token=" + token, name="token-daemon")
        daemon.wait_until(lambda: self.get(token).stdout == content)
        for wrong in (None, self.write("short", b"x"), self.write("other", self.TOKEN[:-1] + b"X"),
                      self.write("longer", self.TOKEN + b"s"), self.path("missing")):
            ended = self.get(wrong)
            self.assertEqual((ended.returncode, ended.stdout), (1, b""), wrong)
        daemon.says("the client shows no token")
        self.assertNotIn(self.TOKEN.decode(), daemon.log())
        self.assertEqual(self.get(token).stdout, content)

    def test_bad_token_file_is_named(self):
        for text, path in (("No such file", self.path("none")),
                           ("16 to 256 bytes", self.write("short", b"x"))):
            ended = run(hw_test.program("forebayd"), "--config", self.config, "--set",
                        "client.token=" + path)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(text, ended.stderr.decode())
            self.assertIn("client.token", ended.stderr.decode())


def load_tests(loader, _, pattern):
    """Not those of the base once more."""
    del pattern
    suite = unittest.TestSuite()
    for kind in (Tls, Own, Token):
        for name in loader.getTestCaseNames(kind):
            if name in vars(kind):
                suite.addTest(kind(name))
    return suite


if __name__ == "__main__":
    hw_test.main("hw_tls_test",
                 what_is_missing=lambda: not shutil.which("openssl") and "no openssl here")
