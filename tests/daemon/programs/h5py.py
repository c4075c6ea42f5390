"""Groups, chunks, compression, attributes; a file that grows and is changed in place."""
import sys

sys.path.pop(0)
import h5py
import numpy as np

if sys.argv[1] == "write":
    numbers = np.random.default_rng(2).random((500, 400))
    with h5py.File("a.h5", "w") as file:
        file.create_dataset("plain", data=numbers)
        file.create_dataset("group/packed", data=numbers, chunks=(50, 50), compression="gzip")
        grown = file.create_dataset("grown", (10, 100), maxshape=(None, 100), chunks=(10, 100))
        for step in range(20):
            grown.resize((10 * (step + 1), 100))
            grown[-10:] = step
        file["plain"].attrs["unit"] = "m"
    with h5py.File("a.h5", "r+") as file:
        file["plain"][3] = 1
        del file["group/packed"]
        file["group/late"] = np.arange(10000)
    with h5py.File("b.h5", "w", libver="latest") as file:
        file.create_dataset("x", data=np.arange(5000).reshape(50, 100))
    with h5py.File("b.h5", "a") as file:
        file.create_dataset("y", data=b"bytes")
for name in ("a.h5", "b.h5"):
    with h5py.File(name, "r") as file:
        file.visititems(lambda key, what: print(
            key, np.sum(what[()]) if getattr(what, "shape", ()) else what, dict(what.attrs)))
