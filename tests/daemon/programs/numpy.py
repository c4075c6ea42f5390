"""save, load, savez, arrays in files: read, written in place, made at their size first."""
import sys

sys.path.pop(0)  # this folder has files of these names
import numpy as np

if sys.argv[1] == "write":
    numbers = np.random.default_rng(1).random((700, 1000))
    np.save("a.npy", numbers)
    np.savez("b.npz", one=numbers[:10], two=np.arange(100000))
    np.save("c.npy", numbers.astype(np.float32))
    numbers[:100].tofile("d.bin")
    in_place = np.load("c.npy", mmap_mode="r+")
    in_place[::7, 3] = -1
    in_place.flush()
    del in_place
    made = np.lib.format.open_memmap("e.npy", mode="w+", dtype=np.int64, shape=(300000,))
    made[1000:2000] = 5
    made[-1] = 9
    made.flush()
    del made
    raw = np.memmap("f.bin", dtype=np.uint8, mode="w+", shape=(3 << 20,))
    raw[12345::4096] = 7
    raw.flush()
for name in ("a.npy", "c.npy", "e.npy"):
    print(name, np.load(name).sum(), np.load(name, mmap_mode="r")[::3].sum())
with np.load("b.npz") as both:
    print(both["one"].sum(), both["two"].sum())
print(np.fromfile("d.bin").sum(), np.memmap("f.bin", dtype=np.uint8, mode="r").sum(dtype=int))
private = np.load("a.npy", mmap_mode="c")
private[:] = 0
print(private.sum())
