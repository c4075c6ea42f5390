/* DLIO's keys and defaults.
 * Source: argonne-lcf/dlio_benchmark, dlio_benchmark/utils/config.py (ConfigArguments, LoadConfig)
 * and data_loader/torch_data_loader.py: the loader keeps ceil(prefetch_size / read_threads) batches
 * ahead per worker, 2 where prefetch_size is 0; the last, incomplete batch is dropped.
 *
 * Not modelled, hence errors: a spread of computation_time, and read_threads 0 (reads in the main
 * thread). Evaluation and checkpoints in the file are left alone. */
#include "models/scenario/dlio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PREFETCH_DEFAULT = 2 };

static bool shuffle_read(struct fb_map *reader, const char *name)
{
    /* YAML 1.1 readers turn a bare `off` into false, so writers may have written that. */
    static const char *const names[] = {"off", "seed", "random", "False", "false"};
    uint32_t choice = fb_map_choice(reader, name, names, 5, 0);
    return choice == 1 || choice == 2;
}

/* Sizes along each dimension go before a length in bytes, as in DLIO; elements are of
 * record_element_type. 0: there are none. */
static double dims_read(struct fb_map *map)
{
    static const char *const types[] = {"uint8", "int8",    "uint16", "int16", "float16", "uint32",
                                        "int32", "float32", "uint64", "int64", "float64"};
    static const double bytes[] = {1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8};
    uint32_t count = fb_map_list_count(map, "record_dims");
    double length = bytes[fb_map_choice(map, "record_element_type", types, 11, 0)];
    for (uint32_t i = 0; i < count; i++) {
        char *end;
        double size = strtod(fb_map_list_text(map, "record_dims", i), &end);
        if (*end != '\0' || !(size >= 1) || size > 1e15)
            fb_map_fault(map, "record_dims", "holds what is no size: write whole numbers");
        length *= size;
    }
    return count > 0 ? length : 0;
}

static void dataset_read(struct fb_map *root, struct fb_training *training)
{
    struct fb_map map = fb_map_child(root, "dataset", true);
    /* Older DLIO versions have the name without _bytes. */
    bool is_old = !fb_map_has(&map, "record_length_bytes") && fb_map_has(&map, "record_length");
    double dims_bytes = dims_read(&map);
    const char *length = is_old ? "record_length" : "record_length_bytes";
    training->record_length_bytes = dims_bytes > 0 ? fb_map_number_or(&map, length, 1, 1, 1e15)
                                                   : fb_map_number(&map, length, 1, 1e15);
    if (dims_bytes > 0)
        training->record_length_bytes = dims_bytes;
    training->record_length_stdev_bytes = fb_map_number_or(
        &map, is_old ? "record_length_stdev" : "record_length_bytes_stdev", 0, 0, 1e15);
    /* Lengths are cut off at 0 and twice the mean; of a wider spread little would be left. */
    if (training->record_length_stdev_bytes > training->record_length_bytes)
        fb_map_fault(&map, is_old ? "record_length_stdev" : "record_length_bytes_stdev",
                     "is above the mean length of %.0f: lengths would be negative; lower it",
                     training->record_length_bytes);
    training->files = fb_map_count(&map, "num_files_train", 1, FB_TRAINING_FILES_MAX);
    training->samples_per_file =
        fb_map_count_or(&map, "num_samples_per_file", 1, 1, UINT64_C(1) << 40);
}

static void reader_read(struct fb_map *root, struct fb_training *training)
{
    bool is_old = !fb_map_has(root, "reader") && fb_map_has(root, "data_reader");
    struct fb_map map = fb_map_child(root, is_old ? "data_reader" : "reader", false);
    training->batch_size = (uint32_t)fb_map_count_or(&map, "batch_size", 1, 1, 1u << 20);
    training->read_threads = (uint32_t)fb_map_count_or(&map, "read_threads", 1, 1, 1024);
    uint32_t prefetch =
        (uint32_t)fb_map_count_or(&map, "prefetch_size", PREFETCH_DEFAULT, 0, 65536);
    if (prefetch == 0)
        training->prefetch_batches = PREFETCH_DEFAULT;
    else
        training->prefetch_batches =
            (prefetch + training->read_threads - 1) / training->read_threads;
    training->shuffle_files = shuffle_read(&map, "file_shuffle");
    training->shuffle_samples = shuffle_read(&map, "sample_shuffle");
}

static void computation_read(struct fb_map *train, struct fb_training *training)
{
    struct fb_map *map = train;
    struct fb_map distribution;
    const char *name = "computation_time";
    const char *spread = "computation_time_stdev";
    if (fb_map_has(train, name) && !fb_map_is_plain(train, name)) {
        distribution = fb_map_child(train, name, true);
        map = &distribution;
        name = "mean";
        spread = "stdev";
    }
    double seconds = fb_map_number(map, name, 1e-6, 86400);
    if (fb_map_number_or(map, spread, 0, 0, 86400) > 0)
        fb_map_fault(map, spread, "a spread of the computation time is not modelled: remove it");
    training->computation_ns = (uint64_t)(seconds * 1e9 + 0.5);
}

/* A map with a name, or, as in DLIO's plugins, the name alone. */
static void model_read(struct fb_map *root, struct fb_training *training)
{
    const char *name = "default";
    struct fb_map model;
    if (fb_map_has(root, "model") && fb_map_is_plain(root, "model")) {
        name = fb_map_text_or(root, "model", name);
    } else {
        model = fb_map_child(root, "model", false);
        name = fb_map_text_or(&model, "name", name);
    }
    snprintf(training->model, sizeof(training->model), "%.63s", name);
}

/* Ends a run in the middle of an epoch, whose figures would not be an epoch's. */
static void steps_check(struct fb_map *train)
{
    const char *steps = fb_map_text_or(train, "total_training_steps", "-1");
    if (strcmp(steps, "-1") != 0)
        fb_map_fault(train, "total_training_steps",
                     "%s: a limit on steps is not modelled: remove it, and set workload.files or "
                     "epochs lower",
                     steps);
}

static void training_read(struct fb_map *root, struct fb_training *training)
{
    struct fb_map workflow = fb_map_child(root, "workflow", false);
    if (!fb_map_flag_or(&workflow, "train", true))
        fb_map_fault(&workflow, "train",
                     "the file describes no training: choose one with train: True");
    model_read(root, training);
    dataset_read(root, training);
    reader_read(root, training);
    struct fb_map train = fb_map_child(root, "train", true);
    training->epochs = (uint32_t)fb_map_count_or(&train, "epochs", 1, 1, 1u << 20);
    computation_read(&train, training);
    steps_check(&train);
    struct fb_map metric = fb_map_child(root, "metric", false);
    training->au_target = fb_map_number_or(&metric, "au", 0.90, 0, 1);
}

void fb_dlio_load(const char *path, struct fb_training *training, struct fb_error *error)
{
    *training = (struct fb_training){.files = 0};
    struct fb_document *document = fb_document_open(path, error);
    if (document == NULL)
        return;
    struct fb_map root = fb_document_root(document, error);
    training_read(&root, training);
    fb_map_close_lenient(&root);
    fb_document_close(document);
}
