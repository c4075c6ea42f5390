"""A data set of 300 partitions, written at once, added to, read whole, by filter, by mapping."""
import sys

sys.path.pop(0)
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

if sys.argv[1] == "write":
    count = 30000
    table = pa.table({"part": np.arange(count) % 300, "x": np.arange(count),
                      "word": ["w%d" % (i % 17) for i in range(count)]})
    pa.dataset.write_dataset(table, "set", format="parquet", partitioning=["part"],
                             partitioning_flavor="hive", max_partitions=300, use_threads=False)
    pa.dataset.write_dataset(table.slice(0, 5), "set", format="parquet", partitioning=["part"],
                             partitioning_flavor="hive", basename_template="late-{i}.parquet",
                             existing_data_behavior="overwrite_or_ignore", use_threads=False)
    pa.parquet.write_table(table, "one.parquet", row_group_size=1000)
data = pa.dataset.dataset("set", format="parquet", partitioning="hive")
print(data.count_rows(), len(data.files))
print(data.to_table(filter=pa.dataset.field("part") == 3).column("x").to_numpy().sum())
print(data.to_table(columns=["x"]).column("x").to_numpy().sum())
for is_mapped in (False, True):
    print(pa.parquet.read_table("one.parquet", memory_map=is_mapped).column("x").to_numpy().sum())
print(pa.parquet.ParquetFile("one.parquet").read_row_group(7).num_rows)
