/* The table behind every help text: one entry a subcommand, with its options and examples. An
 * option that a subcommand understands and that is missing here is a fault, and so is the reverse;
 * tests/test_cli.py compares them. */
#include "cli/help/help.h"

static const struct fb_help table[] = {
    {
        .name = "run",
        .arguments = "EXPERIMENT.yaml [OPTION]...",
        .summary = "run an experiment in the simulator and write its report",
        .text = "Runs every point of the experiment's sweep with every seed and writes a folder "
                "with manifest.json, summary.json, series.csv, per_entity.csv and report.html. "
                "Ctrl-C ends early and writes what there is, marked partial.",
        .options =
            {
                {"--out DIR",
                 "folder for the results; default: results/ and the experiment's name"},
                {"--set KEY=VALUE", "overrides a key of the experiment; may be given many times"},
                {"--seed N", "first seed; default: the experiment's"},
                {"--seeds N", "seeds per point; default: the experiment's"},
                {"--jobs N", "runs at once; default: the number of cores"},
                {"--engine simgrid|plain", "what keeps simulated time; default: the experiment's"},
                {"--expect",
                 "checks what the experiment expects; exit code 1 if something is not met"},
                {"--check-slice[=N]",
                 "afterwards repeats N nodes of the largest point with SimGrid's own flows and "
                 "with "
                 "fluid; their difference goes into the manifest and the report; default: as many, "
                 "at most 512, as SimGrid gets done in minutes"},
                {"--max-memory SIZE",
                 "refuses what would take more, runs fewer at once where that helps, and ends a "
                 "run that passes it; default: nearly all of the machine's"},
                {"--quiet", "no progress and no summary"},
            },
        .examples =
            {
                {"forebay run experiments/quickstart.yaml", "A first look, in under a minute."},
                {"forebay run experiments/kv-cache.yaml --set workload.trace=trace.jsonl --seeds 1",
                 "The same question of another trace."},
            },
    },
    {
        .name = "size",
        .arguments = "--state",
        .summary = "print what a node's state takes",
        .options =
            {
                {"--state",
                 "bytes of core state of one idle node, with the scale preset and the default"},
            },
        .examples = {{"forebay size --state", "The memory that a simulated node costs."}},
    },
    {
        .name = "replay",
        .arguments = "--policy NAME --capacity-blocks N [--json] TRACE | --events FILE [--print]",
        .summary = "feed a trace to an eviction policy, or a daemon's recording to a fresh node",
        .text = "Index and policy only, without simulated time. A request's blocks are taken in "
                "order and a missing one is inserted; prefix hits are the blocks before a "
                "request's first miss. TRACE is JSON lines with hash_ids, or text with one key a "
                "line. With --events, FILE is what a forebayd wrote whose config has a key record: "
                "its events go to a fresh node, whose ops must have the digests that the daemon's "
                "had; exit code 1 if one differs.",
        .options =
            {
                {"--policy fifo|lru|clock|sieve|s3fifo|wtinylfu", "which policy"},
                {"--capacity-blocks N", "blocks that fit at once"},
                {"--json", "one JSON object instead of text"},
                {"--events FILE", "replays a daemon's recording"},
                {"--print", "with --events: shows every event and op"},
            },
        .examples =
            {
                {"forebay replay --events /var/log/forebay/events",
                 "Does the core do here what it did there?"},
                {"forebay replay --policy lru --capacity-blocks 5859 trace.jsonl",
                 "How many prefix blocks of 512 tokens would 3M tokens of cache have held?"},
            },
    },
    {
        .name = "bench",
        .arguments = "step|cache|fluid|scale|place [OPTION]...",
        .summary = "measure the parts that speed depends on",
        .text = "step: nanoseconds and instructions of one step of the core, for a hit, a miss "
                "and a served peer read. cache: references a second of each eviction policy. "
                "place: building a partition table, and a lookup, by each placement. "
                "fluid: flow completions a second of the network model at 1,000 to 100,000 "
                "hosts, with SimGrid's own beside it up to 8,000 flows. scale: start-up time, "
                "events and completions a second and memory a node of the whole simulator at "
                "1,000 to 100,000 nodes. --hosts is for fluid and scale, what follows it for "
                "fluid.",
        .words = "step|cache|fluid|scale|place",
        .options =
            {
                {"--json", "one JSON object instead of text"},
                {"--hosts N[,N]...", "these sizes"},
                {"--flows-per-host K", "open flows of each host; 4"},
                {"--oversubscription R", "of the leaves, R:1; 2"},
                {"--fabric leaf-spine|fat-tree|rail", "leaf-spine"},
                {"--tolerance T", "relative error of a rate that is accepted; 0: exact; 0.005"},
                {"--simgrid-seconds S", "time given to SimGrid at each size and load; 0: none; 60"},
            },
        .examples =
            {
                {"forebay bench step", "Is a hit still under 300 ns?"},
                {"forebay bench fluid --hosts 100000", "Are 400,000 coupled flows fast enough?"},
                {"forebay bench scale", "Does 100,000 nodes' start take under 5 s?"},
            },
    },
    {
        .name = "calibrate",
        .arguments = "--out FOLDER [OPTION]... | --listen HOST:PORT",
        .summary = "measure this machine, and write it as hardware, network, transport and origin",
        .text =
            "Takes some ten seconds, on a machine that does nothing else. FOLDER gets "
            "hardware.yaml, nic.yaml, drive.yaml, network.yaml, transport.yaml and, with --reader "
            "and --writer, origin.yaml; experiments name them as cluster.hardware and so on.",
        .options =
            {
                {"--out FOLDER", "where the files go; it is made"},
                {"--listen HOST:PORT", "answers one --peer, and ends"},
                {"--peer HOST:PORT",
                 "measures the network to there; default: this machine's loopback"},
                {"--config FILE", "a daemon's config: measures the drive of its device.path"},
                {"--drive FILE", "a file to make on the drive; default: beside FOLDER"},
                {"--drive-size SIZE",
                 "of that file, 256 MiB or more: larger than what the drive keeps in memory of its "
                 "own; default: an eighth of what is free, at most 4 GiB"},
                {"--writer SOCKET", "a daemon: probes of the origin are written through it"},
                {"--reader SOCKET", "another, in no cluster with it: they are read through it"},
            },
        .examples =
            {
                {"forebay calibrate --listen 0.0.0.0:7799", "On one machine; then, on another:"},
                {"forebay calibrate --out /tmp/here --peer cache-1:7799",
                 "Then: forebay run E.yaml --set cluster.hardware=/tmp/here/hardware.yaml"},
            },
    },
    {
        .name = "swarm",
        .arguments = "[OPTION]...",
        .summary = "hunt for bugs: clusters of 3 to 32 nodes under faults, one from each seed",
        .text = "Each seed draws a cluster, settings, requests and faults, runs them on a heap of "
                "events, heals everything and wants progress. What is wrong is printed with its "
                "seed; --minimise makes a script of it with fewer nodes, faults and requests. "
                "Exit code 1 if anything is wrong.",
        .options =
            {
                {"--seeds N", "how many; default: 1000"},
                {"--first-seed S", "default: 1"},
                {"--seconds N", "ends after this time; --seeds is then no limit unless given"},
                {"--jobs N", "runs at once; default: the number of cores"},
                {"--until-failure", "begins no further seed once one has failed"},
                {"--beyond", "faults that the settings need not survive: losses are counted"},
                {"--minimise", "makes a small script of every failure"},
                {"--out DIR", "folder for the scripts; default: swarm-failures"},
                {"--script FILE", "runs a script instead of seeds"},
                {"--trace", "with --script, or of the first seed: every event, op and reason"},
                {"--see-all", "fails if a counter of the core, or a sight, was never seen"},
                {"--json", "one JSON object instead of text"},
            },
        .examples =
            {
                {"forebay swarm --seeds 10000", "Is the core sound?"},
                {"forebay swarm --first-seed 95 --seeds 1 --minimise", "What was wrong there?"},
            },
    },
    {
        .name = "get",
        .arguments = "[OPTION]... NAME [TARGET]",
        .summary = "read a file through this machine's daemon",
        .text = "NAME is the origin's, relative. Without TARGET the bytes go to standard output; "
                "TARGET appears under its name when it is whole: until then it is TARGET.PID.part, "
                "which goes if the command fails or is ended, but stays after SIGKILL.",
        .options =
            {
                {"--socket PATH", "the daemon's client.socket; default: $FOREBAY_SOCKET, "
                                  "else /run/forebay/forebay.sock"},
                {"--offset BYTES", "begins there; default: 0"},
                {"--size BYTES", "reads no more than that; default: to the end"},
                {"--verbose", "says how fast it was and where the blocks came from"},
            },
        .examples = {{"forebay get --verbose weights/layer-01.safetensors /tmp/layer-01",
                      "The second time, the blocks come from memory."}},
    },
    {
        .name = "doctor",
        .arguments = "[--json] [--config FILE [--set KEY=VALUE]...]",
        .summary = "look for what would keep a daemon from running here, or slow it down",
        .text =
            "One line a thing: fine, warning or fault, and what to do. With a config also its "
            "device, origin, metadata store and members; a file of 64 MiB is written beside "
            "the device's, and an object .forebay-doctor to a bucket, which go again. Exit code "
            "1 when there is a fault.",
        .options =
            {
                {"--config FILE", "the daemon's config"},
                {"--set KEY=VALUE", "overrides a key of it; may be given many times"},
                {"--json", "as an object"},
            },
        .examples = {{"forebay doctor --config hw/examples/cluster.yaml",
                      "Before the first start."}},
    },
    {
        .name = "explain",
        .arguments = "[OPTION]... NAME | --key HIGH:LOW",
        .summary = "say where a file's blocks are, and why their last reads took so long",
        .text = "As this machine's daemon knows it: its own memory and drive, who owns a block, "
                "and who took it from here. Of reads it remembers the last 1,024 that had to wait, "
                "and 256 that had not. Ask on the owner's machine for the owner's view.",
        .options =
            {
                {"--socket PATH", "the daemon's client.socket"},
                {"--blocks", "a line for each run of blocks that are alike, first"},
                {"--json", "as an object; with --blocks: with one for each block"},
                {"--key HIGH:LOW", "a KV block instead of a file, hexadecimal"},
                {"--space NAME", "the KV space that the key is of; default: none"},
            },
        .examples = {{"forebay explain weights/layer-01.safetensors", "Why was it not faster?"}},
    },
    {
        .name = "ls",
        .arguments = "[OPTION]... [FOLDER]",
        .summary = "list a folder of the origin",
        .options =
            {
                {"--socket PATH", "the daemon's client.socket"},
                {"--long", "with sizes in bytes"},
                {"--json", "a list of objects"},
            },
        .examples = {{"forebay ls --long weights", "What is there, and how large?"}},
    },
    {
        .name = "mount",
        .arguments = "[OPTION]... FOLDER",
        .summary = "mount the origin's namespace through this machine's daemon",
        .text =
            "A file that changes at the origin reads ESTALE until it is opened again. A daemon "
            "that restarts is found again. Files may be written anywhere; "
            "fsync, close and rename return when others see the file, whole, and it is as safe "
            "as --level says. .stats has the daemon's counters, .accesslog the "
            "last reads and writes. A daemon that is not there yet is waited for, 10 s at most. "
            "umount FOLDER ends it; who is not root mounts and ends it with fusermount3 "
            "(fusermount3 -u FOLDER), of the package fuse3.",
        .options =
            {
                {"--socket PATH", "the daemon's client.socket"},
                {"--foreground", "does not go to the background"},
                {"--allow-other", "other users may use it, as modes and owners say"},
                {"--level memory|replicated|device|origin", "what fsync, close and rename promise"},
                {"--spill FOLDER", "for files changed in their middle; else TMPDIR or /tmp"},
                {"--read-only", "nothing can be written"},
                {"--debug", "shows every request of the kernel"},
            },
        .examples = {{"forebay mount /mnt/datasets", "Then: ls /mnt/datasets"}},
    },
    {
        .name = "put",
        .arguments = "[OPTION]... FILE|- NAME",
        .summary = "write a file through this machine's daemon",
        .text =
            "The bytes are spread to the nodes that shall hold them and stored at the origin in "
            "the background. Ends when they are as safe as --level says and every node sees NAME; "
            "without a metadata store, when the origin shows it.",
        .options =
            {
                {"--socket PATH", "the daemon's client.socket"},
                {"--level memory|replicated|device|origin",
                 "where the bytes are to be safe; default: replicated"},
                {"--verbose", "says when the level was reached and when it was committed"},
            },
        .examples = {{"forebay put --verbose step-1000.pt checkpoints/step-1000.pt",
                      "How long until the trainer may go on, how long until it is at the origin?"}},
    },
    {
        .name = "pin",
        .arguments = "[OPTION]... NAME",
        .summary = "keep a file in this machine's memory for some time",
        .text = "Reads what is not there. All blocks or none; core.pins_max bounds them.",
        .options =
            {
                {"--socket PATH", "the daemon's client.socket"},
                {"--seconds N", "how long; default: 3600"},
            },
        .examples = {{"forebay pin --seconds 600 weights/layer-01.safetensors",
                      "Before ten minutes of starts that read it."}},
    },
    {
        .name = "invalidate",
        .arguments = "[--socket PATH] NAME",
        .summary = "let go of the cached blocks of a file, which stays at the origin",
        .options =
            {
                {"--socket PATH", "the daemon's client.socket"},
            },
        .examples = {{"forebay invalidate data/epoch-1.tar", "Makes room."}},
    },
    {
        .name = "lost",
        .arguments = "[--json] [--socket PATH]",
        .summary = "list names whose commits cannot be finished",
        .text =
            "A line each: why, and the name. corrupt: its record says nothing that a node could "
            "have said; lost: some of its bytes are nowhere, neither at the origin nor with any "
            "member, until one comes back that has them; else what the origin says of it again "
            "and again. Such a name stops no other; forebay rm NAME, or a new version of it, ends "
            "it. A daemon lists the names that are its own to finish.",
        .options =
            {
                {"--json", "a list of objects"},
                {"--socket PATH", "the daemon's client.socket"},
            },
        .examples = {{"forebay lost", "Which files will never get to the origin?"}},
    },
    {
        .name = "rm",
        .arguments = "[--socket PATH] NAME...",
        .summary = "remove files",
        .text = "Nobody opens NAME from then on. With a metadata store the origin's object goes in "
                "the background.",
        .options =
            {
                {"--socket PATH", "the daemon's client.socket"},
            },
        .examples = {{"forebay rm checkpoints/step-900.pt", "Makes room."}},
    },
    {
        .name = "stat",
        .arguments = "[--json] [--socket PATH] NAME",
        .summary = "print size, version, state and level of a file",
        .text = "State cache: committed, and safe as its level says; the origin does not show it "
                "yet. State origin: it does.",
        .options =
            {
                {"--json", "as an object"},
                {"--socket PATH", "the daemon's client.socket"},
            },
        .examples = {{"forebay stat weights/layer-01.safetensors", "Is it there?"}},
    },
    {
        .name = "status",
        .arguments = "[--cluster] [--page | --json] [--socket PATH]",
        .summary = "say how this machine's daemon is, and what it holds, does and owes",
        .text = "The first line is the answer: FINE, ATTENTION with what to look at, or DOWN: it "
                "cannot serve. Then what goes on now, what is owed to the origin and for how long, "
                "memory and drive, peers. Into a pipe or a file: all counters, a line each. Exit "
                "code: 1 when there is no daemon, or, with a page or JSON, when it is DOWN.",
        .options =
            {
                {"--cluster", "how all members are, by what they tell this one: a line each"},
                {"--page", "the page into a pipe, too: ssh NODE forebay status --page"},
                {"--json", "all of it as one object"},
                {"--socket PATH", "the daemon's client.socket"},
            },
        .examples = {{"forebay status", "Is it fine?"},
                     {"forebay status | grep replies_", "Where do the reads come from?"}},
    },
    {
        .name = "drain",
        .arguments = "[--patience TIME | --end] [--socket PATH]",
        .summary = "let this machine's daemon store what it owes, and begin no writes",
        .text = "Files that are being written may be finished; reads go on, and so do copies for "
                "other nodes. Says every 5 s what is left. Exit code: 0 nothing is owed any more, "
                "1 patience has ended: the output says what is left, and the daemon goes on. "
                "Root and the daemon's own user may. A restart of the daemon ends it, too.",
        .options =
            {
                {"--patience TIME", "how long to wait, like '10 min'; default: until it is done"},
                {"--end", "takes writes again, at once"},
                {"--socket PATH", "the daemon's client.socket"},
            },
        .examples = {{"forebay drain --patience '10 min'", "Before work on the drive."}},
    },
    {
        .name = "leave",
        .arguments = "[--patience TIME] [--socket PATH]",
        .summary = "drain this machine's daemon, then end it",
        .text = "As forebay drain; when nothing is owed the daemon ends, and with etcd the others "
                "see it leave at once. While something is left it does not end: exit code 1.",
        .options =
            {
                {"--patience TIME", "how long to wait, like '10 min'; default: until it is done"},
                {"--socket PATH", "the daemon's client.socket"},
            },
        .examples = {{"forebay leave --patience '10 min'", "Before the machine is taken away."}},
    },
    {
        .name = "stats",
        .arguments = "[--interval TIME] [--count N] [--socket PATH]",
        .summary = "print what this machine's daemon does, a line an interval",
        .text = "Rates, shares and latencies are those of the interval. hit%: reads that needed no "
                "read of the origin. oldest: since when the file that is owed longest is owed. "
                "peers: those that are not away, of all.",
        .options =
            {
                {"--interval TIME", "between two lines; default: 1 s"},
                {"--count N", "ends after so many lines; default: it does not"},
                {"--socket PATH", "the daemon's client.socket"},
            },
        .examples = {{"forebay stats --interval '5 s'", "What does it do now?"}},
    },
    {
        .name = "test",
        .arguments = "[--quick] [--filter REGEX] [--jobs N]",
        .summary = "build and run the tests (in the source folder: ./forebay test)",
        .options =
            {
                {"--quick", "only the tests that end within two minutes in all"},
                {"--filter REGEX", "only tests whose name matches"},
                {"--jobs N", "tests at once; default: the number of cores"},
            },
        .examples = {{"./forebay test --filter 'test_get|test_serve'", "Two units."}},
    },
    {
        .name = "help",
        .arguments = "[SUBCOMMAND | --man | settings [WORD | FORM]]",
        .summary = "print help, the man page, or what can be set",
        .text = "settings: every key of forebayd's config, with unit, default, range and whether a "
                "running daemon takes it over; those that hold a word in name or text.",
        .options =
            {
                {"--man", "the man page in roff; after settings: forebayd.yaml(5)"},
                {"--markdown", "after settings: as a table"},
                {"--json-schema", "after settings: for editors that check YAML"},
            },
        .examples = {{"forebay help --man | man -l -", "Reads the man page."},
                     {"forebay help settings drain", "What can be said of the drain?"}},
    },
    {
        .name = "completion",
        .arguments = "bash|zsh",
        .summary = "print a script that completes subcommands and options",
        .words = "bash|zsh",
        .examples = {{"eval \"$(forebay completion bash)\"",
                      "In ~/.bashrc; for zsh: in ~/.zshrc."}},
    },
};

const struct fb_help *fb_help_table(uint32_t *count)
{
    *count = sizeof(table) / sizeof(table[0]);
    return table;
}
