"""A database that is made elsewhere and read here; and one that is written here, by one process."""
import shutil
import sqlite3
import sys
import tempfile

if sys.argv[1] == "write":
    with tempfile.NamedTemporaryFile() as file:
        made = sqlite3.connect(file.name)
        made.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT)")
        made.executemany("INSERT INTO t VALUES (?, ?)",
                         ((i, "word %d" % (i * 7919 % 10007)) for i in range(20000)))
        made.execute("CREATE INDEX words ON t (word)")
        made.commit()
        made.close()
        shutil.copyfile(file.name, "made.db")
    written = sqlite3.connect("written.db")
    written.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT)")
    for begin in range(0, 2000, 500):
        written.executemany("INSERT INTO t VALUES (?, ?)",
                            ((i, "w%d" % i) for i in range(begin, begin + 500)))
        written.commit()
    written.execute("DELETE FROM t WHERE id % 3 = 0")
    written.rollback()
    written.execute("UPDATE t SET word = 'x' WHERE id % 5 = 0")
    written.commit()
    written.close()
for name in ("file:made.db?mode=ro", "file:made.db?immutable=1", "file:written.db?mode=ro"):
    database = sqlite3.connect(name, uri=True)
    print(database.execute("PRAGMA integrity_check").fetchall(),
          database.execute("SELECT count(*), sum(id), max(word) FROM t").fetchall(),
          database.execute("SELECT id FROM t WHERE word = 'word 77'").fetchall())
    database.close()
