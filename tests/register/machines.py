"""Four daemons and etcd, each in a network namespace of its own, on drives and an origin that can
be filled; and what can be done to them. See faults.py for when."""

import datetime
import glob
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request

import cluster
import network
from cluster import Failed, run
from network import Unavailable

NODES = cluster.NODES
ETCD = NODES  # its place in the network
LEASE_S = 3
TRIES = 4  # of a call of the store, until the daemon says that it is silent
MIB = 1 << 20
IMAGE_BYTES, DRIVE_BYTES, FOLDER_BYTES = 200 * MIB, 96 * MIB, 256 * MIB

CONFIG = """schema_version: 1
cluster: test
node: 0
listen: "127.0.0.1:1"
origin: {{kind: posix, path: "{folder}/origin/objects"}}
client: {{socket: "{folder}/0.sock", arena: 1 MiB}}
device: {{path: "{folder}/none"}}
metadata: {{kind: etcd, endpoint: "{etcd}"}}
membership: {{kind: etcd, endpoint: "{etcd}", lease: {lease} s}}
peer_timeout: 1 s
core: {{memory_size: 64 MiB, block_size: 256 KiB, device_size: 128 MiB, replicas: 2,
  retries_max: {retries}, hold: 100 ms, drain_check: 100 ms, drain_delay: {drain_delay} ms}}
"""


class Drive:
    """A folder on a memory file system of a limited size. image: also a block device of more than
    has room there, as of a thin volume: writes fail when the folder is full."""

    def __init__(self, path, size_bytes, has_image):
        self.path, self.device, self.freed_ns = path, None, 0
        os.mkdir(path)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size_bytes, "none",
                                  path], capture_output=True, check=False)
        if mounted.returncode != 0:
            raise Unavailable("mount: " + mounted.stderr.decode().strip())
        if has_image:
            image = os.path.join(path, "image")
            with open(image, "wb") as file:
                file.truncate(IMAGE_BYTES)
            found = subprocess.run(["losetup", "--find", "--show", image], capture_output=True,
                                   check=False)
            if found.returncode != 0:
                self.close()
                raise Unavailable("losetup: " + found.stderr.decode().strip())
            self.device = found.stdout.decode().strip()

    def fill(self):
        space = os.statvfs(self.path)
        with open(os.path.join(self.path, "filler"), "wb", buffering=0) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize)
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def was_full_since(self, begin_ns):
        return os.path.exists(self.filler()) or self.freed_ns >= begin_ns

    def filler(self):
        return os.path.join(self.path, "filler")

    def free(self):
        if os.path.exists(self.filler()):
            os.unlink(self.filler())
            self.freed_ns = time.monotonic_ns()

    def close(self):
        if self.device is not None:
            subprocess.run(["losetup", "--detach", self.device], check=False)
        subprocess.run(["umount", "--lazy", self.path], check=False)


def clock_library():
    """What changes a program's time of day; its monotonic clock and times of files stay."""
    found = sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


class Machines:
    """All of it. `starts` and silences() are what history.excuse wants to know. clocks_s: how many
    seconds each node's time of day is ahead."""

    def __init__(self, build, net, folder, times, clocks_s):
        drain_delay_ms, seconds = times
        self.clocks_s = clocks_s
        self.build, self.network, self.folder = build, net, folder
        self.daemons = [None] * NODES
        self.is_killed = [False] * NODES
        self.starts = [[] for _ in range(NODES)]
        self.early_ends = 0
        self.clock_ns = time.time_ns() - time.monotonic_ns()
        self.etcd = None
        self.etcd_url = "http://%s:2379" % net.node_address(ETCD)
        self.drives, self.walls = [], {}
        try:
            self.walls_build()
            for node in range(NODES):
                self.drives.append(Drive(self.path("drive%d" % node), DRIVE_BYTES, True))
            # What writers had stored whose daemons were killed is left there.
            self.origin = Drive(self.path("origin"), FOLDER_BYTES + int(seconds) * MIB, False)
            self.drives += [self.origin, Drive(self.path("etcd"), FOLDER_BYTES, False)]
        except Unavailable:
            self.close()
            raise
        os.mkdir(self.path("origin/objects"))
        with open(self.path("cluster.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=folder, etcd=self.etcd_url, lease=LEASE_S,
                                     drain_delay=drain_delay_ms,
                                     retries=TRIES - 1))

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name):
        return os.path.join(self.build, name)

    def log(self, node):
        if not self.starts[node]:
            return ""
        with open(self.path("%d.log" % node), encoding="utf-8", errors="replace") as file:
            return file.read()

    def silences(self):
        """When each node's daemons called the store in vain, as they say."""
        silences = {}
        for node in range(NODES):
            times = re.findall(r"^time=(\S+)Z .*event=metadata_failed", self.log(node), re.M)
            ahead_ns = self.clocks_s[node] * 1000000000
            silences[node] = sorted(self.monotonic_ns(text) - ahead_ns for text in times)
        return silences

    def monotonic_ns(self, text):
        wall = datetime.datetime.fromisoformat(text + "+00:00")
        return int(wall.timestamp() * 1e6) * 1000 - self.clock_ns

    # The network: a wall holds off what comes from an address.

    def walls_build(self):
        if shutil.which("nft") is None:
            raise Unavailable("there is no nft")
        rules = ("table ip forebay {\n set walls { type ipv4_addr; }\n chain input {\n type "
                 "filter hook input priority 0;\n ip saddr @walls drop;\n }\n}\n")
        for place in range(NODES + 1):
            self.walls[place] = {}
            network.run(*self.network.inside(place), "nft", rules)

    def wall(self, source, target, change):
        """change: 1: one more wall that target does not hear source through; -1: one less."""
        walls = self.walls[target]
        before = walls.get(source, 0)
        walls[source] = before + change
        if (before > 0) == (walls[source] > 0):
            return
        verb = "add" if change > 0 else "delete"
        run(*self.network.inside(target), "nft", verb, "element", "ip", "forebay", "walls",
            "{ %s }" % self.network.node_address(source))

    # Processes.

    def etcd_start(self):
        address = self.network.node_address(ETCD)
        peer = "http://%s:2380" % address
        with open(self.path("etcd.log"), "ab") as log:
            self.etcd = subprocess.Popen(
                self.network.inside(ETCD) +
                ["etcd", "--data-dir", self.path("etcd/data"), "--listen-client-urls",
                 self.etcd_url, "--advertise-client-urls", self.etcd_url, "--listen-peer-urls",
                 peer, "--initial-advertise-peer-urls", peer, "--initial-cluster",
                 "default=" + peer], stdout=log, stderr=log)

    def etcd_wait(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + 60
        while True:
            try:
                opener.open(self.etcd_url + "/health", timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise Failed("etcd does not start: see etcd.log") from None
                time.sleep(0.05)

    def clock(self, node):
        """What a daemon's command begins with, so that its time of day is the node's."""
        if self.clocks_s[node] == 0:
            return []
        return ["env", "LD_PRELOAD=" + clock_library(), "FAKETIME=%+d" % self.clocks_s[node],
                "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"]

    def start(self, node):
        address = "%s:7700" % self.network.node_address(node)
        self.is_killed[node] = False
        self.starts[node].append(time.monotonic_ns())
        with open(self.path("%d.log" % node), "ab") as log:
            self.daemons[node] = subprocess.Popen(
                self.network.inside(node) + self.clock(node) +
                [self.program("forebayd"), "--config", self.path("cluster.yaml"),
                 "--set", "node=%d" % node, "--set", "listen=" + address,
                 "--set", "client.socket=" + self.path("%d.sock" % node),
                 "--set", "device.path=" + self.drives[node].device], stdout=log, stderr=log)

    def kill(self, *nodes):
        for node in nodes:
            self.is_killed[node] = True
            self.daemons[node].kill()
        for node in nodes:
            self.daemons[node].wait()

    def start_again(self):
        """What a service manager does: a daemon that gave up at its start, etcd being away or its
        drive full, is started again. One that ends otherwise is a failure."""
        for node, daemon in enumerate(self.daemons):
            if self.is_killed[node] or daemon.poll() is None:
                continue
            last = self.log(node).strip().split("\n")[-1]
            is_full = "device.path" in last and self.drives[node].was_full_since(
                self.starts[node][-1])
            is_early = daemon.returncode == 1 and (
                "etcd" in last or "membership" in last or is_full)
            if not is_early:
                raise Failed("node %d ended with %d: %s" % (node, daemon.returncode,
                                                            self.log(node)[-3000:]))
            self.early_ends += 1
            self.start(node)

    def all_start(self):
        self.etcd_start()
        self.etcd_wait()
        for node in range(NODES):
            self.start(node)
        end = time.monotonic() + 60
        for node in range(NODES):
            while "event=ready" not in self.log(node):
                self.start_again()
                if time.monotonic() > end:
                    raise Failed("node %d does not start: %s" % (node, self.log(node)))
                time.sleep(0.05)

    def all_stop(self):
        """Ends the daemons well: all that was acknowledged is at the origin then."""
        for daemon in self.daemons:
            daemon.send_signal(signal.SIGTERM)
        for node, daemon in enumerate(self.daemons):
            try:
                code = daemon.wait(60)
            except subprocess.TimeoutExpired:
                code = "no end in 60 s"
            if code != 0:
                raise Failed("node %d, stopped: %s: %s" % (node, code, self.log(node)[-3000:]))

    def close(self):
        for process in self.daemons + [self.etcd]:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        for drive in self.drives:
            drive.close()
