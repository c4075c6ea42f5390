"""A checkpoint saved in both of torch's formats, over one that is there, loaded and mapped. The
older format has addresses of the process in it, so its files are alike in what they load alone."""
import hashlib
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
    os.mkdir("addresses")
    torch.save(state, "addresses/old.pt", _use_new_zipfile_serialization=False)
for name, options in (("checkpoint.pt", {}), ("checkpoint.pt", {"mmap": True}),
                      ("addresses/old.pt", {})):
    loaded = torch.load(name, **options)
    loaded = loaded.get("model", loaded)
    print(name, {key: hashlib.sha256(one.numpy().tobytes()).hexdigest()
                 for key, one in sorted(loaded.items())})
