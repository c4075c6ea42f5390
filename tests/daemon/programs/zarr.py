"""Arrays of chunks that are files; groups; parts written again; one array replaced, one removed."""
import shutil
import sys

sys.path.pop(0)
import numpy as np
import zarr

if sys.argv[1] == "write":
    root = zarr.open_group("store", mode="w")
    numbers = np.random.default_rng(3).random((300, 300))
    for name in ("one", "two", "three"):
        array = root.create_array(name, shape=(300, 300), chunks=(64, 64), dtype="f8")
        array[:] = numbers
    root["one"][10:200, 50] = 1
    root["two"].resize((400, 300))
    root["two"][300:] = 2
    root["one"].attrs["unit"] = "m"
    shutil.rmtree("store/three")
    zarr.save("single.zarr", np.arange(100000))
root = zarr.open_group("store", mode="r")
print(sorted(root.array_keys()), root["one"].attrs.asdict())
for name in sorted(root.array_keys()):
    print(name, root[name].shape, root[name][:].sum(), root[name][5:70, 40:90].sum())
print(zarr.load("single.zarr").sum())
