/* DLIO's keys and defaults.
 * Source: argonne-lcf/dlio_benchmark, dlio_benchmark/utils/config.py (ConfigArguments, LoadConfig)
 * and data_loader/torch_data_loader.py: the loader keeps ceil(prefetch_size / read_threads) batches
 * ahead per worker, 2 where prefetch_size is 0; the last, incomplete batch is dropped.
 *
 * Not modelled, hence errors: a spread of computation_time, and read_threads 0 (reads in the main
 * thread). Evaluation and checkpoints in the file are left alone. */
#include "models/dlio.h"

#include <stdio.h>
#include <string.h>

enum { PREFETCH_DEFAULT = 2 };

static bool shuffle_read(struct fb_map *reader, const char *name)
{
    /* YAML 1.1 readers turn a bare `off` into false, so writers may have written that. */
    static const char *const names[] = {"off", "seed", "random", "False", "false"};
    uint32_t choice = fb_map_choice(reader, name, names, 5, 0);
    return choice == 1 || choice == 2;
}

static void dataset_read(struct fb_map *root, struct fb_training *training)
{
    struct fb_map map = fb_map_child(root, "dataset", true);
    /* Older DLIO versions have the name without _bytes. */
    bool is_old = !fb_map_has(&map, "record_length_bytes") && fb_map_has(&map, "record_length");
    training->record_length_bytes =
        fb_map_number(&map, is_old ? "record_length" : "record_length_bytes", 1, 1e15);
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

static void training_read(struct fb_map *root, struct fb_training *training)
{
    struct fb_map workflow = fb_map_child(root, "workflow", false);
    if (!fb_map_flag_or(&workflow, "train", true))
        fb_map_fault(&workflow, "train",
                     "the file describes no training: choose one with train: True");
    struct fb_map model = fb_map_child(root, "model", false);
    snprintf(training->model, sizeof(training->model), "%.63s",
             fb_map_text_or(&model, "name", "default"));
    dataset_read(root, training);
    reader_read(root, training);
    struct fb_map train = fb_map_child(root, "train", true);
    training->epochs = (uint32_t)fb_map_count_or(&train, "epochs", 1, 1, 1u << 20);
    computation_read(&train, training);
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
