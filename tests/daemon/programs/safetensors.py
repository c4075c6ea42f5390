"""Tensors saved over each other, loaded whole and in slices, which are mapped."""
import sys

sys.path.pop(0)
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

if sys.argv[1] == "write":
    chance = np.random.default_rng(4)
    for step in range(3):
        save_file({"w%d" % i: chance.random((200, 300), dtype=np.float32) for i in range(8)},
                  "model.safetensors", metadata={"step": str(step)})
    save_file({"small": np.arange(3)}, "small.safetensors")
print({name: float(one.sum()) for name, one in sorted(load_file("model.safetensors").items())})
with safe_open("model.safetensors", framework="numpy") as file:
    print(file.metadata(), sorted(file.keys()), file.get_slice("w3")[10:20, 5:50].sum())
print(load_file("small.safetensors"))
