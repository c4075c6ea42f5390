"""Network namespaces on one bridge, each behind a port whose rate is limited in both directions."""

import os
import random
import shutil
import subprocess


class Unavailable(Exception):
    """This machine cannot have such a network; the text says why."""


def run(*arguments):
    ended = subprocess.run(arguments, capture_output=True, check=False)
    if ended.returncode != 0:
        raise Unavailable("%s: %s" % (" ".join(arguments), ended.stderr.decode().strip()))


def free_subnet():
    """One that no other network of this machine has; for benchmarks: RFC 2544."""
    ended = subprocess.run(["ip", "-o", "-4", "address"], capture_output=True, check=False)
    taken = ended.stdout.decode()
    return random.choice([subnet for subnet in ("198.18.%d" % i for i in range(256))
                          if " %s." % subnet not in taken])


class Network:
    """`count` namespaces; all of it goes away with close, also after a failure in between.
    A port drops what would wait in it for longer than queue_ms."""

    def __init__(self, count, rate_mbit, queue_ms, delay_us=0):
        self.count = count
        self.name = "fb%d" % (os.getpid() % 100000)
        for program in ("ip", "tc"):
            if shutil.which(program) is None:
                raise Unavailable("there is no " + program)
        self.subnet = free_subnet()
        self.address = self.subnet + ".254"  # the bridge's own: where the origin stands
        try:
            run("ip", "link", "add", self.name, "type", "bridge")
            run("ip", "address", "add", self.address + "/24", "dev", self.name)
            run("ip", "link", "set", self.name, "up")
            for node in range(count):
                self.join(node, rate_mbit, queue_ms, delay_us)
        except Unavailable:
            self.close()
            raise

    def space(self, node):
        return "%sn%d" % (self.name, node)

    def node_address(self, node):
        return "%s.%d" % (self.subnet, node + 1)

    def join(self, node, rate_mbit, queue_ms, delay_us):
        space, port = self.space(node), "%sp%d" % (self.name, node)
        inside = ("ip", "netns", "exec", space)
        run("ip", "netns", "add", space)
        run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", port, "master", self.name, "up")
        run(*inside, "ip", "address", "add", self.node_address(node) + "/24", "dev", "eth0")
        run(*inside, "ip", "link", "set", "eth0", "up")
        run(*inside, "ip", "link", "set", "lo", "up")
        # Alike on each machine, whatever its default; after idle they go on as fast as before.
        run(*inside, "sysctl", "-qw", "net.ipv4.tcp_congestion_control=reno",
            "net.ipv4.tcp_slow_start_after_idle=0")
        limit = ("tbf", "rate", "%dmbit" % rate_mbit, "burst", "128kb", "latency",
                 "%dms" % queue_ms)
        run("tc", "qdisc", "add", "dev", port, "root", "handle", "1:", *limit)
        run(*inside, "tc", "qdisc", "add", "dev", "eth0", "root", "handle", "1:", *limit)
        if delay_us > 0:
            run(*inside, "tc", "qdisc", "add", "dev", "eth0", "parent", "1:", "netem", "delay",
                "%dus" % delay_us)

    def inside(self, node):
        """What a command in a node's namespace begins with."""
        return ["ip", "netns", "exec", self.space(node)]

    def close(self):
        for node in range(self.count):
            subprocess.run(["ip", "netns", "delete", self.space(node)], capture_output=True,
                           check=False)
            subprocess.run(["ip", "link", "delete", "%sp%d" % (self.name, node)],
                           capture_output=True, check=False)
        subprocess.run(["ip", "link", "delete", self.name], capture_output=True, check=False)
