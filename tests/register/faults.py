"""When which fault is done to which machine: drawn from a seed, several at once, each undone after
a while. What a run's level survives decides which nodes may be killed."""

import signal
import time

from machines import ETCD, LEASE_S, NODES

AT_ONCE_MAX = 3


class Faults:
    """victims: nodes that may be killed. counts: how many there were of each kind."""

    def __init__(self, machines, clients, chance, victims):
        self.machines, self.clients, self.chance = machines, clients, chance
        self.victims = victims
        self.active = []  # (when it ends, what undoes it, what it holds)
        self.kinds = {
            "kill -9": self.kill, "kill -9 of several": self.kill_several,
            "pause, shorter than the lease": self.pause_short,
            "pause, longer than the lease": self.pause_long, "one way": self.one_way,
            "node isolated": self.isolate, "split in two": self.split,
            "node cut off from etcd": self.cut_off, "etcd paused": self.etcd_pause,
            "etcd kill -9": self.etcd_kill, "drive full": self.drive_full,
            "origin full": self.origin_full, "client kill -9": self.client_kill}
        self.counts = {kind: 0 for kind in self.kinds}

    def held(self):
        return {what for _, _, holds in self.active for what in holds}

    def begin(self, seconds, undo, *holds):
        self.active.append((time.monotonic() + seconds, undo, holds))

    def seconds(self, least, most):
        return least + (most - least) * self.chance.random()

    def free(self, what, among):
        """One of those that no fault has now; None: there is none."""
        held = self.held()
        choice = [one for one in among if (what, one) not in held]
        return self.chance.choice(choice) if choice else None

    # The kinds. Each returns False when it cannot be now.

    def kill(self):
        """Some come back at once, some after their lease has run out."""
        node = self.free("daemon", self.victims)
        if node is None:
            return False
        self.machines.kill(node)
        self.begin(self.seconds(0, 1) if self.chance.random() < 0.5 else self.seconds(2, 7),
                   lambda: self.machines.start(node), ("daemon", node))
        return True

    def kill_several(self):
        """At one moment: what only their memories held is gone."""
        held = self.held()
        alive = [node for node in self.victims if ("daemon", node) not in held]
        if len(alive) < 2:
            return False
        nodes = self.chance.sample(alive, self.chance.randint(2, len(alive)))
        self.machines.kill(*nodes)

        def undo():
            for node in nodes:
                self.machines.start(node)
        self.begin(self.seconds(0, 4), undo, *[("daemon", node) for node in nodes])
        return True

    def pause(self, least, most):
        node = self.free("daemon", range(NODES))
        if node is None:
            return False
        process = self.machines.daemons[node]
        if process.poll() is not None:
            return False
        process.send_signal(signal.SIGSTOP)
        self.begin(self.seconds(least, most), lambda: process.send_signal(signal.SIGCONT),
                   ("daemon", node))
        return True

    def pause_short(self):
        return self.pause(0.05, 1.5)

    def pause_long(self):
        return self.pause(LEASE_S + 0.5, LEASE_S + 4)

    def walls(self, pairs, seconds):
        for source, target in pairs:
            self.machines.wall(source, target, 1)

        def undo():
            for source, target in pairs:
                self.machines.wall(source, target, -1)
        self.begin(seconds, undo)
        return True

    def one_way(self):
        source, target = self.chance.sample(range(NODES + 1), 2)
        return self.walls([(source, target)], self.seconds(0.5, 8))

    def between(self, some, others):
        return [(one, other) for one in some for other in others] + \
               [(other, one) for one in some for other in others]

    def isolate(self):
        node = self.chance.randrange(NODES)
        others = [other for other in range(NODES) if other != node]
        return self.walls(self.between([node], others), self.seconds(0.5, 8))

    def split(self):
        places = self.chance.sample(range(NODES + 1), NODES + 1)
        return self.walls(self.between(places[:2], places[2:]), self.seconds(0.5, 8))

    def cut_off(self):
        """Some for so long that reads are answered from what the daemon knew."""
        node = self.chance.randrange(NODES)
        seconds = self.seconds(0.5, 5) if self.chance.random() < 0.5 else self.seconds(8, 14)
        return self.walls(self.between([node], [ETCD]), seconds)

    def etcd_pause(self):
        if self.free("etcd", [0]) is None:
            return False
        process = self.machines.etcd
        process.send_signal(signal.SIGSTOP)
        self.begin(self.seconds(0.1, 5), lambda: process.send_signal(signal.SIGCONT), ("etcd", 0))
        return True

    def etcd_kill(self):
        if self.free("etcd", [0]) is None:
            return False
        self.machines.etcd.kill()
        self.machines.etcd.wait()
        self.begin(self.seconds(0, 4), self.machines.etcd_start, ("etcd", 0))
        return True

    def full(self, drive, seconds):
        drive.fill()
        self.begin(seconds, drive.free, ("drive", drive))
        return True

    def drive_full(self):
        drive = self.free("drive", self.machines.drives[:NODES])
        return drive is not None and self.full(drive, self.seconds(1, 8))

    def origin_full(self):
        drive = self.free("drive", [self.machines.origin])
        return drive is not None and self.full(drive, self.seconds(1, 5))

    def client_kill(self):
        self.clients.kill(self.chance)
        return True

    # Their times.

    def end(self, is_due):
        for fault in [fault for fault in self.active if is_due(fault)]:
            self.active.remove(fault)
            fault[1]()

    def run(self, seconds, kinds):
        """kinds: those that may be; none: there are no faults."""
        until = time.monotonic() + seconds
        next_s = time.monotonic() + self.seconds(0, 1)
        while time.monotonic() < until:
            now_s = time.monotonic()
            self.end(lambda fault: fault[0] <= now_s)
            if kinds and now_s >= next_s and len(self.active) < AT_ONCE_MAX:
                kind = self.chance.choice(kinds)
                self.counts[kind] += self.kinds[kind]()
                next_s = now_s + self.seconds(0.1, 2)
            self.machines.start_again()
            self.clients.look()
            time.sleep(0.02)
        self.end(lambda fault: True)
