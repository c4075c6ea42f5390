"""Mounts over an object store behind a metadata store, for the tests of what is kept there: with
records in LMDB (one daemon, two mounts of it) and in etcd (two daemons)."""

import errno
import os
import shutil
import stat
import time
import unittest

import hw_name_test
import hw_parts_test
from hw_test import PAIR, Daemon, free_ports


def write(path, content, mode="wb"):
    with open(path, mode) as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def facts(path):
    found = os.lstat(path)
    return stat.filemode(found.st_mode), found.st_uid, found.st_gid


class Mounts:
    """self.mounts: two of them, as far from each other as can be."""

    def setUp(self):
        super().setUp()
        self.bucket, self.port = hw_parts_test.serve(self)
        self.text = hw_parts_test.CONFIG.format(folder=self.folder, block="1 MiB", port=self.port)
        self.mounts = self.start()
        self.first, self.last = self.mounts

    def path_of(self, mount, *names):
        return os.path.join(mount, *names)

    def fails(self, code, call, *arguments, **names):
        with self.assertRaises(OSError) as caught:
            call(*arguments, **names)
        self.assertEqual(errno.errorcode[caught.exception.errno], code)

    def both(self, what, *names):
        """What both mounts say of a name is the same."""
        found = [what(os.path.join(mount, *names)) for mount in self.mounts]
        self.assertEqual(found[0], found[1], names)
        return found[0]

    def wait(self, condition, patience_s=30):
        end = time.monotonic() + patience_s
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def wait_shown(self, *names):
        """Until the origin has all of it."""
        self.wait(lambda: all(name in self.bucket.objects for name in names) and
                  all(daemon.status()["unfinished_names"] == "0" for daemon in self.daemons))

    def stranger_puts(self, name, content):
        with self.bucket.lock:
            self.bucket.objects[name] = (content, "\"%d\"" % time.monotonic_ns(), None)


class OnLmdb(Mounts):
    def start(self):
        config = self.write("kept.yaml", self.text.encode())
        self.config = config
        self.daemons = [self.daemon("first")]
        return [self.daemons[0].mount(self), self.daemons[0].mount(self, name="mount2")]

    def daemon(self, name, *settings):
        return Daemon(self, self.config, "metadata.kind=lmdb",
                      "metadata.path=" + self.path("records"), *settings, name=name)

    def restart(self):
        self.wait(lambda: self.daemons[0].status()["unfinished_names"] == "0")
        self.assertEqual(self.daemons[0].stop(), 0)
        self.daemons[0] = self.daemon("again")


class Way(hw_name_test.Deaf):
    """A way to etcd that loses the answers to the next few changes, which etcd has made."""

    def __init__(self, port):
        self.losses, self.lost = 0, 0
        super().__init__(port)

    def look(self, data, is_answer, is_cut):
        if not is_answer and b"request_put" in data and self.losses > 0:
            self.losses -= 1
            self.lost += 1
            is_cut.set()


@unittest.skipIf(shutil.which("etcd") is None, "no etcd here")
class OnEtcd(Mounts):
    def start(self):
        self.etcd = hw_name_test.EtcdServer(self)
        self.way = Way(self.etcd.ports[0])
        self.addCleanup(self.way.listener.close)
        ports = free_ports(2)
        self.text += PAIR.format(port0=ports[0], port1=ports[1])
        text = self.text + "metadata: {kind: etcd, endpoint: \"%s\"}\n"
        self.configs = [self.write("kept%d.yaml" % node, (text % url).encode())
                        for node, url in enumerate((self.etcd.url, self.way.url))]
        self.daemons = [self.daemon(node) for node in range(2)]
        return [daemon.mount(self, name="mount%d" % node)
                for node, daemon in enumerate(self.daemons)]

    def daemon(self, node, name="", *settings):
        return Daemon(self, self.configs[node], "node=%d" % node,
                      "client.socket=" + self.path("socket%d" % node), *settings,
                      name="%d%s" % (node, name))

    def restart(self):
        for node in range(2):
            self.wait(lambda: self.daemons[node].status()["unfinished_names"] == "0")
            self.assertEqual(self.daemons[node].stop(), 0)
            self.daemons[node] = self.daemon(node, "again")
