"""The rows of the table: what is read or written how, by forebay and by which peers.

A row is a class with a title, a unit, and contenders(bench), which starts what is needed and gives
for each contender its name and a call that measures once. The first one is forebay; peers that
are missing give a name and the reason instead."""

import json
import os
import subprocess
import time

from contenders import (CLIENT_CORE, SERVER_CORE, Daemon, Failed, JuiceFS, Memcached, Missing,
                        Mount, Redis, free_ports, tool, wait_until)

MIB = 1 << 20


TRIES_MAX = 5
SHARE_MIN = 0.9     # of the reads, from where they should be
SUSPICION_S = 5


def counted(figure):
    """Only what came from where it should is counted."""
    for key in ("rate", "mib_per_s", "per_core", "per_all"):
        figure[key] *= figure["share"]
    return figure


def wanted(make):
    """A peer, or why it is missing."""
    try:
        return make(), None
    except Missing as error:
        return None, str(error)


class Row:
    title = ""
    what = ""             # sentences for the table's notes
    unit, key = "reads/s", "rate"  # key: of a figure
    targets = ()          # of (key, least, peer); peer None: `least` is absolute
    source = ""           # where forebay's answers should come from

    def contenders(self, bench):
        raise NotImplementedError


class Drive(Row):
    title = "NVMe tier, 1 MiB, depth 16"
    what = ("Random blocks that are on forebayd's device and not in its memory (answers from there "
            "alone are counted; lent to `load`), and fio's random reads of the same bytes of the "
            "same file, both io_uring, O_DIRECT and registered buffers.")
    unit = "MiB/s"
    key = "mib_per_s"
    targets = (("mib_per_s", 0.9, "fio"),)
    source = "the drive"
    depth = 16
    fill_tries = 30

    def contenders(self, bench):
        count = max(256, int(1536 * bench.scale))
        bench.object("object", count, MIB)
        daemon = Daemon(bench, "drive", [
            "device: {path: \"%s\"}" % bench.path("device"),
            "core: {memory_size: 32 MiB, block_size: 1 MiB, device_size: %d MiB, bypass: false}"
            % (count + 256)], core=None)
        options = ["--name", "object", "--count", count, "--size", MIB, "--depth", self.depth,
                   "--from", "device", "--lent"]
        self.fill(bench, daemon, options)

        def forebay():
            figure = bench.measure([daemon], [], "daemon", daemon.socket, *options, "--seconds",
                                   bench.seconds, core=None)
            return counted(figure)

        fio, reason = wanted(lambda: tool("fio", "fio"))
        if fio is None:
            return [("forebayd", forebay), ("fio", reason)]
        return [("forebayd", forebay), ("fio", lambda: self.fio(bench, fio, count))]

    @staticmethod
    def fill(bench, daemon, options):
        """Until nearly every block comes from the device; what is in memory, too, is not there."""
        for _ in range(Drive.fill_tries):
            answer = bench.load("daemon", daemon.socket, *options, "--seconds", 2, core=None)
            if answer["expected"] > 0.8 * answer["reads"]:
                return
        raise Failed("the blocks do not come to be on the device")

    def fio(self, bench, fio, count):
        ended = subprocess.run(
            [fio, "--name=read", "--filename=" + bench.path("device"), "--readonly",
             "--size=%dM" % count, "--bs=1M", "--rw=randread", "--ioengine=io_uring",
             "--direct=1", "--fixedbufs=1", "--registerfiles=1", "--iodepth=%d" % self.depth,
             "--time_based", "--runtime=%g" % bench.seconds, "--output-format=json"],
            capture_output=True, timeout=300, check=False)
        if ended.returncode != 0:
            raise Failed("fio: " + ended.stderr.decode()[-500:])
        text = ended.stdout.decode()
        job = json.loads(text[text.index("{"):])["jobs"][0]
        seconds = job["job_runtime"] / 1000
        used_s = (job["usr_cpu"] + job["sys_cpu"]) / 100 * seconds
        rate = job["read"]["bw_bytes"] / MIB
        return {"mib_per_s": rate, "rate": rate, "seconds": seconds, "share": 1,
                "server_processor_s": used_s, "per_core": rate * seconds / used_s}


class Remote(Row):
    """Values in another process's memory, over loopback TCP. Two forebayd and `load` are three
    processes for two cores, a store and `load` two."""

    size, count, depth, block = 0, 0, 0, ""
    cores = (None, None)  # of servers, and of what reads; None: the scheduler's choice
    forms = ()            # of forebay's reads: a name for the table, options of load
    source = "the peer"

    def contenders(self, bench):
        count = self.count
        options = ["--count", count, "--size", self.size, "--depth", self.depth]
        bench.object("object", count, self.size)
        ports = free_ports(2)
        memory = count * self.size // MIB + 128
        head = ["members:"] + ["  - {id: %d, address: \"127.0.0.1:%d\", weight: %d}" %
                               (i, ports[i], 1 - i) for i in range(2)]
        core = ("core: {memory_size: %d MiB, block_size: " + self.block +
                ", replicas: 1, keep_peer_blocks: false, hedge: 1 s}")
        lender = Daemon(bench, "lender", head + [core % memory], core=self.cores[0])
        reader = Daemon(bench, "reader", head + [core % 16], "node=1", core=self.cores[1])
        bench.load("daemon", lender.socket, "--name", "object", *options, "--seconds",
                   max(2, bench.seconds))
        timed = options + ["--seconds", bench.seconds]

        def forebay(*form):
            for _ in range(TRIES_MAX):
                figure = bench.measure([lender], [reader], "daemon", reader.socket, "--name",
                                       "object", "--from", "peer", *form, *timed,
                                       core=self.cores[1])
                if figure["share"] > SHARE_MIN:
                    return counted(figure)
                print("bench_real: the reader took the lender for silent; measured again")
                time.sleep(SUSPICION_S)
            raise Failed("the values do not come from the peer")

        made = [(name, lambda form=form: forebay(*form)) for name, form in self.forms]
        for name, kind in (("memcached", Memcached), ("redis", Redis)):
            server, reason = wanted(lambda kind=kind: kind(bench, self.cores[0]))
            if server is None:
                made.append((name, reason))
                continue
            bench.load(name + "-fill", server.port, *options)
            made.append((name, lambda name=name, server=server: bench.measure(
                [server], [], name, server.port, "--connections", 1, *timed,
                core=self.cores[1])))
        return made


class RemoteSmall(Remote):
    title = "Hot 4 KiB over loopback TCP, depth 32"
    targets = (("per_core", 1.0, "memcached"), ("per_core", 1.0, "redis"))
    what = ("Reads through a second forebayd that keeps nothing, so each is pulled out of the "
            "first one's memory; answers from there alone are counted. memcached (one thread) and "
            "Redis answer pipelined GETs of `load` on one connection. What serves has one core, "
            "what reads the other: the second forebayd and `load` share it.")
    size, count, depth, block = 4096, 16384, 32, "4 KiB"
    cores = (SERVER_CORE, CLIENT_CORE)
    forms = (("forebayd", ()),)


class RemoteLarge(Remote):
    title = "Hot 1 MiB over loopback TCP, depth 8"
    targets = (("rate", 1.5, "memcached"), ("rate", 1.5, "redis"))
    what = ("As before, with 256 values of 1 MiB, all processes placed by the scheduler. Lent: "
            "`load` has the bytes in the cache memory that it maps, copied: in its own, where "
            "those of memcached and Redis are received.")
    size, count, depth, block = MIB, 256, 8, "1 MiB"
    forms = (("forebayd, lent", ("--lent",)), ("forebayd, copied", ()))


class Ring(Row):
    title = "Shared-memory ring, 4 KiB, depth 32"
    what = ("Reads of 4 KiB out of blocks of 1 MiB in the memory of this machine's forebayd, which "
            "has one core, and `load`, which copies them out, the other.")
    targets = (("rate", 1000000, None),)
    source = "memory"

    def contenders(self, bench):
        count = 16384
        bench.object("object", count, 4096)
        daemon = Daemon(bench, "ring", ["core: {memory_size: 256 MiB, block_size: 1 MiB}"])
        options = ["--name", "object", "--count", count, "--size", 4096, "--depth", 32]
        bench.load("daemon", daemon.socket, *options, "--seconds", 1)
        return [("forebayd", lambda: bench.measure(
            [daemon], [], "daemon", daemon.socket, *options, "--from", "memory", "--seconds",
            bench.seconds))]


class Fuse(Row):
    title = "FUSE, sequential read of a file in the cache's memory"
    what = ("One process reads a file from its beginning to its end, 1 MiB a call; the mounts' own "
            "pages are dropped first, so every byte passes FUSE. The plain file is in the page "
            "cache. JuiceFS has its data in a folder, its cache in memory.")
    unit = "MiB/s"
    key = "mib_per_s"

    def contenders(self, bench):
        count = max(32, int(1024 * bench.scale))
        bench.object("object", count, MIB)
        daemon = Daemon(bench, "daemon", ["core: {memory_size: %d MiB, block_size: 1 MiB}" %
                                          (count + 256)], core=None)
        mount = Mount(bench, "mount", daemon, "--read-only")
        peer, reason = wanted(lambda: JuiceFS(bench))
        if peer is not None:
            bench.load("file-make", os.path.join(peer.folder, "object"), "--count", count, "--size",
                       MIB, core=None)

        def read(servers, path, *options):
            return bench.measure(servers, [], "file-read", path, "--count", count, "--size", MIB,
                                 *options, core=None)

        made = [("forebay mount", lambda: read([daemon, mount],
                                               os.path.join(mount.folder, "object"),
                                               "--from", "mount")),
                ("plain file", lambda: read([], bench.path("origin/object"))),
                ("JuiceFS", reason if peer is None else
                 lambda: read([peer], os.path.join(peer.folder, "object"), "--from", "mount"))]
        for _, call in made:
            if callable(call):
                call()  # from now on it is in memory
        return made


class Checkpoint(Row):
    title = "Checkpoint of one file, written until it is safe"
    what = ("A file is written in parts of 1 MiB, then fsync. forebay: level device (on the drive, "
            "flushed, before fsync or the commit returns; then drained to the origin, which is "
            "waited for and not counted), through a mount and with libforebay; and level memory. "
            "JuiceFS: fsync returns when its store, a folder, has the data, which it does not "
            "flush.")
    unit = "MiB/s"
    key = "mib_per_s"

    def contenders(self, bench):
        count = max(32, int(512 * bench.scale))
        daemon = Daemon(bench, "daemon", [
            "metadata: {kind: lmdb, path: \"%s\"}" % bench.path("names"),
            "device: {path: \"%s\"}" % bench.path("device"),
            "core: {memory_size: %d MiB, block_size: 1 MiB, device_size: %d MiB}" %
            (count + 256, 2 * count + 256)], core=None)
        mount = Mount(bench, "mount", daemon, "--level", "device")
        options = ["--count", count, "--size", MIB]
        peer, reason = wanted(lambda: JuiceFS(bench))

        def settle():
            wait_until(lambda: daemon.status("undrained_bytes") == 0, "the drain does not end", 120)
            os.sync()

        def write(servers, kind, target, *more):
            settle()
            figure = bench.measure(servers, [], kind, target, *options, *more, core=None)
            settle()
            return figure

        return [("forebay mount, fsync", lambda: write([daemon, mount], "file-write",
                                                       os.path.join(mount.folder, "checkpoint"))),
                ("libforebay, level device", lambda: write([daemon], "put", daemon.socket, "--name",
                                                           "put-device", "--level", 2)),
                ("libforebay, level memory", lambda: write([daemon], "put", daemon.socket, "--name",
                                                           "put-memory", "--level", 0)),
                ("plain file, fsync", lambda: write([], "file-write", bench.path("plain"))),
                ("JuiceFS, fsync", reason if peer is None else
                 lambda: write([peer], "file-write", os.path.join(peer.folder, "checkpoint")))]


ROWS = {"drive": Drive, "remote-small": RemoteSmall, "remote-large": RemoteLarge, "ring": Ring,
        "fuse": Fuse, "checkpoint": Checkpoint}
