"""A checkpoint saved in both of torch's formats, over one that is there, loaded and mapped."""
import os
import sys

sys.path.pop(0)
import torch

if sys.argv[1] == "write":
    torch.manual_seed(5)
    for step in range(2):
        state = {"w%d" % i: torch.rand(300, 400) for i in range(5)}
        torch.save({"model": state, "step": step}, "new.pt")
        os.replace("new.pt", "checkpoint.pt")
    torch.save(state, "old.pt", _use_new_zipfile_serialization=False)
for name, options in (("checkpoint.pt", {}), ("checkpoint.pt", {"mmap": True}), ("old.pt", {})):
    loaded = torch.load(name, **options)
    loaded = loaded.get("model", loaded)
    print(name, {key: float(one.sum()) for key, one in sorted(loaded.items())})
