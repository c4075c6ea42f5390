#!/usr/bin/env python3
"""Packs, installs, uses and removes: cpack's packages in a root of their own, which is this
machine's under an overlay, without the source tree; there the daemon starts, the example is built
against what is installed alone and reads a file, an experiment runs, and what is removed is gone.

usage: package_test.py BUILD [unittest's arguments]; exit code 77: no root, overlay or dpkg here
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = ""
PACKAGES = ["forebay", "forebayd", "libforebay0", "libforebay-dev"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIG = """schema_version: 1
cluster: packed
node: 0
origin: {kind: posix, path: /srv/packed}
client: {socket: /srv/packed.sock}
core: {memory_size: 64 MiB, block_size: 1 MiB}
"""


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=600, **more)


class Root:
    """This machine's root with a layer of its own above, and nothing where the sources are."""

    def __init__(self):
        self.layer = tempfile.mkdtemp(dir=os.environ.get("TMPDIR", "/tmp"))
        self.path = os.path.join(self.layer, "root")
        for name in ("above", "work", "root"):
            os.mkdir(os.path.join(self.layer, name))
        # An overlay cannot lie on one; where the root is one already, a tmpfs holds the layer.
        if run("mount", "-t", "tmpfs", "tmpfs", self.layer).returncode == 0:
            for name in ("above", "work", "root"):
                os.mkdir(os.path.join(self.layer, name))
        options = f"lowerdir=/,upperdir={self.layer}/above,workdir={self.layer}/work"
        self.mounted = run("mount", "-t", "overlay", "overlay", "-o", options, self.path)
        if self.mounted.returncode == 0:
            run("mount", "-t", "proc", "proc", self.path + "/proc")
            run("mount", "--bind", "/dev", self.path + "/dev")
            for hidden in (ROOT, os.path.realpath(BUILD)):
                if os.path.isdir(self.path + hidden):
                    run("mount", "-t", "tmpfs", "tmpfs", self.path + hidden)

    def run(self, *command, **more):
        return run("chroot", self.path, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                   "DEBIAN_FRONTEND=noninteractive", *command, **more)

    def left(self):
        """What lies in the layer by our name: not what the test put into /srv."""
        above = os.path.join(self.layer, "above")
        return [os.path.join(folder, name) for folder, folders, names in os.walk(above)
                for name in folders + names if "forebay" in name
                and not folder.startswith((above + "/srv", above + "/tmp"))]

    def close(self):
        run("umount", "-R", "-l", self.path)
        run("umount", "-l", self.layer)
        shutil.rmtree(self.layer, ignore_errors=True)


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        packed = run("cpack", "-G", "DEB", "-B", cls.folder, cwd=BUILD)
        cls.packages = sorted(glob.glob(cls.folder + "/*.deb"))
        if len(cls.packages) != len(PACKAGES):
            raise AssertionError(packed.stdout)
        cls.root = Root()
        if cls.root.mounted.returncode != 0:
            print("package_test: skipped: no overlay here: " + cls.root.mounted.stdout.strip())
            cls.tearDownClass()
            os._exit(77)

    @classmethod
    def tearDownClass(cls):
        cls.root.close()
        shutil.rmtree(cls.folder)

    def fine(self, *command, **more):
        ended = self.root.run(*command, **more)
        self.assertEqual(ended.returncode, 0, f"{command}: {ended.stdout}")
        return ended.stdout

    def place(self, path):
        return self.root.path + path

    def test_packages_install_work_and_go(self):
        os.makedirs(self.place("/srv/packages"))
        for package in self.packages:
            shutil.copy(package, self.place("/srv/packages"))
        names = ["/srv/packages/" + os.path.basename(package) for package in self.packages]
        self.fine("dpkg", "-i", *names)  # also finds that each dependency is there
        self.pages_are_there()
        self.library_shows_its_own_names_only()
        self.daemon_serves_the_example()
        self.fine("forebay", "run", "/usr/share/forebay/experiments/kv-cache.yaml", "--quiet",
                  "--out", "/srv/out")
        self.assertTrue(os.path.exists(self.place("/srv/out/summary.json")))
        with open(self.place("/srv/out/manifest.json"), encoding="utf-8") as manifest:
            self.assertIn("simgrid, network", manifest.read())  # its module was found
        self.fine("dpkg", "--purge", *PACKAGES)
        self.assertEqual(self.root.left(), [])

    def pages_are_there(self):
        for page in ("man1/forebay.1", "man8/forebayd.8", "man3/libforebay.3",
                     "man5/forebayd.yaml.5"):
            found = self.fine("sh", "-c", f"cat /usr/share/man/{page}* | zcat -f")
            self.assertTrue(found.startswith(".TH "), page)

    def library_shows_its_own_names_only(self):
        shown = self.fine("sh", "-c",
                          "nm -D --defined-only $(find /usr/lib -name libforebay.so)")
        names = shown.split("\n")
        names = [line.split()[-1] for line in names if line]
        self.assertIn("forebay_client_open@@FOREBAY_0", names)
        others = [name for name in names if not re.match(r"forebay_\w+@@|FOREBAY_0", name)]
        self.assertEqual(others, [])

    def daemon_serves_the_example(self):
        os.makedirs(self.place("/srv/packed"))
        content = os.urandom(3 << 20)
        with open(self.place("/srv/packed/file"), "wb") as file:
            file.write(content)
        with open(self.place("/srv/packed.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG)
        example = self.fine("sh", "-c", "ls /usr/share/doc/*/examples/read.c").strip()
        self.fine("sh", "-c", f"cc -Wall -Werror {example} $(pkg-config --cflags --libs forebay) "
                  "-o /srv/read")
        self.fine("forebayd", "--config", "/srv/packed.yaml", "--check")
        daemon = subprocess.Popen(["chroot", self.root.path, "forebayd", "--config",
                                   "/srv/packed.yaml"], stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 30
            while not os.path.exists(self.place("/srv/packed.sock")):
                self.assertIsNone(daemon.poll())
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            self.fine("env", "FOREBAY_SOCKET=/srv/packed.sock", "sh", "-c",
                      "/srv/read file >/srv/copy")
            with open(self.place("/srv/copy"), "rb") as file:
                self.assertEqual(file.read(), content)
        finally:
            daemon.terminate()
            self.assertEqual(daemon.wait(60), 0)


if __name__ == "__main__":
    BUILD = os.path.abspath(sys.argv.pop(1))
    missing = [tool for tool in ("dpkg", "cpack", "pkg-config", "cc") if not shutil.which(tool)]
    if os.geteuid() != 0 or missing:
        print("package_test: skipped: wants root" + "".join(" and " + tool for tool in missing))
        sys.exit(77)
    unittest.main()
