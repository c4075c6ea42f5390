"""A door before a daemon's socket that loses answers: a request gets to the daemon, is done there,
and its connection ends before its answer is heard, as when the daemon is killed just then."""

import array
import os
import select
import socket
import threading

import stranger


class Door:
    """Clients of `path` reach the socket `target`. While `loses` is set the answer to the next
    change of a name is lost, which clears it; `lost`: how many were."""

    def __init__(self, case, target, path):
        self.target, self.loses, self.lost = target, False, 0
        self.meanwhile = None  # called before the connection ends
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(64)
        self.path = path
        case.addCleanup(self.listener.close)
        case.addCleanup(self.listener.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.pair, args=(client,), daemon=True).start()

    def pair(self, client):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with client, server:
            try:
                server.connect(self.target)
                self.forward(client, server)
            except OSError:
                pass

    def forward(self, client, server):
        is_losing = False
        while True:
            for ready in select.select([client, server], [], [])[0]:
                packet, extra, _, _ = ready.recvmsg(1 << 17, socket.CMSG_SPACE(16 * 4))
                if not packet:
                    return
                if ready is client:
                    kind = stranger.REQUEST.unpack_from(packet)[1]
                    is_losing = self.loses and kind in (stranger.CHANGE, stranger.REMOVE)
                    server.sendmsg([packet])
                    continue
                if is_losing and stranger.REPLY.unpack_from(packet)[3] != stranger.BUSY:
                    self.loses = False
                    self.lost += 1
                    if self.meanwhile is not None:
                        self.meanwhile()
                    return
                client.sendmsg([packet], extra)
                for _, _, files in extra:
                    for file in array.array("i", files[:len(files) // 4 * 4]):
                        os.close(file)
