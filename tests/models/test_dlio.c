/* Proves that DLIO workload files mean here what they mean to DLIO (keys, defaults), that foreign
 * keys are left alone, and that wrong values and missing parts are named. */
#include "models/scenario/dlio.h"

#include "tests/support/temporary.h"

static struct temporary files;
static struct fb_error error;
static struct fb_training training;

static int begin(void **state)
{
    (void)state;
    error = (struct fb_error){.text = ""};
    temporary_begin(&files);
    return 0;
}

static int end(void **state)
{
    (void)state;
    temporary_end(&files);
    return 0;
}

static void load_text(const char *text)
{
    error = (struct fb_error){.text = ""};
    fb_dlio_load(temporary_write(&files, "w.yaml", text), &training, &error);
}

static void load_of_shipped_workload_gives_its_values(void **state)
{
    (void)state;
    fb_dlio_load("models/workloads/unet3d_h100.yaml", &training, &error);
    assert_string_equal(error.text, "");
    assert_string_equal(training.model, "unet3d");
    assert_int_equal(training.files, 168);
    assert_int_equal(training.samples_per_file, 1);
    assert_true(training.record_length_bytes == 146600628);
    assert_true(training.record_length_stdev_bytes == 68341808);
    assert_int_equal(training.batch_size, 7);
    assert_int_equal(training.read_threads, 4);
    assert_int_equal(training.prefetch_batches, 1);
    assert_int_equal(training.epochs, 5);
    assert_int_equal(training.computation_ns, 323000000);
    assert_true(training.au_target == 0.9);
    assert_true(training.shuffle_files && training.shuffle_samples);
}

#define NEEDED "dataset: {record_length_bytes: 1000, num_files_train: 3}\n"
#define TRAIN "train: {computation_time: 0.5}\n"

static void load_of_missing_keys_gives_the_defaults_of_dlio(void **state)
{
    (void)state;
    load_text(NEEDED TRAIN "checkpoint: {fsync: True}\nwho: knows\n");
    assert_string_equal(error.text, "");
    assert_string_equal(training.model, "default");
    assert_int_equal(training.samples_per_file, 1);
    assert_true(training.record_length_stdev_bytes == 0);
    assert_int_equal(training.batch_size, 1);
    assert_int_equal(training.read_threads, 1);
    assert_int_equal(training.prefetch_batches, 2);
    assert_int_equal(training.epochs, 1);
    assert_true(training.au_target == 0.9);
    assert_false(training.shuffle_files);
    assert_false(training.shuffle_samples);
}

static void load_of_prefetch_size_divides_by_workers(void **state)
{
    (void)state;
    static const struct {
        const char *reader;
        uint32_t batches;
    } cases[] = {
        {"reader: {read_threads: 4, prefetch_size: 8}\n", 2},
        {"reader: {read_threads: 4, prefetch_size: 9}\n", 3},
        {"reader: {read_threads: 8}\n", 1},
        {"reader: {read_threads: 4, prefetch_size: 0}\n", 2},
        {"data_reader: {read_threads: 1, prefetch_size: 5}\n", 5},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), NEEDED TRAIN "%s", cases[i].reader);
        load_text(text);
        assert_string_equal(error.text, "");
        assert_int_equal(training.prefetch_batches, cases[i].batches);
    }
}

static void load_of_other_spellings_reads_them(void **state)
{
    (void)state;
    load_text("dataset: {record_length: 114660.07, record_length_stdev: 5, num_files_train: 3,\n"
              "  num_samples_per_file: 1251}\n"
              "reader: {file_shuffle: off, sample_shuffle: random}\n"
              "train: {computation_time: {mean: 0.25}, epochs: 2}\n");
    assert_string_equal(error.text, "");
    assert_true(training.record_length_bytes == 114660.07);
    assert_true(training.record_length_stdev_bytes == 5);
    assert_int_equal(training.samples_per_file, 1251);
    assert_int_equal(training.computation_ns, 250000000);
    assert_false(training.shuffle_files);
    assert_true(training.shuffle_samples);
}

static void load_of_dimensions_goes_before_the_length(void **state)
{
    (void)state;
    load_text("model: plugin_default\n"
              "dataset: {record_length_bytes: 1000, num_files_train: 3, record_dims: [1000, 20],\n"
              "  record_element_type: float32}\n" TRAIN);
    assert_string_equal(error.text, "");
    assert_string_equal(training.model, "plugin_default");
    assert_true(training.record_length_bytes == 80000);
    load_text("dataset: {num_files_train: 3, record_dims: [7]}\n" TRAIN);
    assert_string_equal(error.text, "");
    assert_true(training.record_length_bytes == 7);
    load_text("dataset: {num_files_train: 3, record_dims: [x]}\n" TRAIN);
    assert_line_holds(error.text, "record_dims");
}

static void load_of_what_would_change_the_run_is_refused_by_name(void **state)
{
    (void)state;
    load_text(NEEDED "train: {computation_time: 0.5, total_training_steps: 10}\n");
    assert_line_holds(error.text, "total_training_steps: 10: a limit on steps is not modelled");
    load_text(NEEDED "train: {computation_time: 0.5, total_training_steps: -1}\n");
    assert_string_equal(error.text, "");
    load_text("dataset: {record_length_bytes: 1000, record_length_bytes_stdev: 1001,\n"
              "  num_files_train: 3}\n" TRAIN);
    assert_line_holds(error.text, "record_length_bytes_stdev: is above the mean length");
    load_text("dataset: {record_length_bytes: 1, num_files_train: 4294967296}\n" TRAIN);
    assert_line_holds(error.text, "num_files_train");
}

static void load_of_wrong_files_names_line_key_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {TRAIN, "w.yaml: dataset: the key is missing: add it"},
        {NEEDED, "w.yaml: train: the key is missing: add it"},
        {"dataset: {record_length_bytes: 5}\n" TRAIN,
         "w.yaml:1:1: dataset.num_files_train: the key is missing"},
        {"dataset: {num_files_train: 5}\n" TRAIN,
         "dataset.record_length_bytes: the key is missing"},
        {NEEDED "train: {epochs: 2}\n",
         "w.yaml:2:1: train.computation_time: the key is missing: add it"},
        {NEEDED "train: {computation_time: 0}\n",
         "w.yaml:2:27: train.computation_time: \"0\" is too small"},
        {NEEDED "train: {computation_time: fast}\n",
         "train.computation_time: \"fast\" is not a number"},
        {NEEDED "train: {computation_time: 1, computation_time_stdev: 0.1}\n",
         "a spread of the computation time is not modelled: remove it"},
        {NEEDED "train: {computation_time: {mean: 1, stdev: 2}}\n",
         "train.computation_time.stdev: a spread"},
        {"dataset: {record_length_bytes: -1, num_files_train: 3}\n" TRAIN,
         "dataset.record_length_bytes: \"-1\" is too small"},
        {"dataset: {record_length_bytes: 1, num_files_train: 0}\n" TRAIN,
         "dataset.num_files_train: \"0\" is too small: write at least 1"},
        {NEEDED TRAIN "reader: {read_threads: 0}\n",
         "w.yaml:3:24: reader.read_threads: \"0\" is too small"},
        {NEEDED TRAIN "reader: {batch_size: many}\n",
         "reader.batch_size: \"many\" is not a whole number"},
        {NEEDED TRAIN "reader: {file_shuffle: sometimes}\n",
         "reader.file_shuffle: \"sometimes\" is not known: write one of off, seed, random"},
        {NEEDED TRAIN "metric: {au: 90}\n", "metric.au: \"90\" is too large: write at most 1"},
        {NEEDED TRAIN "workflow: {train: False}\n",
         "w.yaml:3:19: workflow.train: the file describes no training: choose one with train"},
        {"dataset: here\n" TRAIN, "w.yaml:1:10: dataset: is not a map"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load_text(cases[i].text);
        assert_line_holds(error.text, cases[i].expected);
    }
}

static void load_of_missing_file_says_so(void **state)
{
    (void)state;
    fb_dlio_load("/nonexistent/w.yaml", &training, &error);
    assert_line_holds(error.text, "/nonexistent/w.yaml: cannot open: No such file");
}

/* The published files, where they are there: training ones load, checkpoint ones say why not. */
static void load_of_public_files_reads_what_trains(void **state)
{
    (void)state;
    const char *folder = "../shared/data/dlio";
    if (access(folder, R_OK) != 0) {
        print_message("%s is not there\n", folder);
        skip();
    }
    char path[128];
    snprintf(path, sizeof(path), "%s/unet3d_h100.yaml", folder);
    fb_dlio_load(path, &training, &error);
    struct fb_training published = training;
    fb_dlio_load("models/workloads/unet3d_h100.yaml", &training, &error);
    assert_string_equal(error.text, "");
    assert_memory_equal(&published, &training, sizeof(training));
    snprintf(path, sizeof(path), "%s/resnet50_h100.yaml", folder);
    fb_dlio_load(path, &training, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(training.samples_per_file, 1251);
    assert_int_equal(training.batch_size, 400);
    assert_int_equal(training.computation_ns, 224000000);
    snprintf(path, sizeof(path), "%s/llama3_8b.yaml", folder);
    fb_dlio_load(path, &training, &error);
    assert_line_holds(error.text, "workflow.train: the file describes no training");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(load_of_shipped_workload_gives_its_values, begin, end),
        cmocka_unit_test_setup_teardown(load_of_missing_keys_gives_the_defaults_of_dlio, begin,
                                        end),
        cmocka_unit_test_setup_teardown(load_of_prefetch_size_divides_by_workers, begin, end),
        cmocka_unit_test_setup_teardown(load_of_other_spellings_reads_them, begin, end),
        cmocka_unit_test_setup_teardown(load_of_dimensions_goes_before_the_length, begin, end),
        cmocka_unit_test_setup_teardown(load_of_what_would_change_the_run_is_refused_by_name, begin,
                                        end),
        cmocka_unit_test_setup_teardown(load_of_wrong_files_names_line_key_and_remedy, begin, end),
        cmocka_unit_test_setup_teardown(load_of_missing_file_says_so, begin, end),
        cmocka_unit_test_setup_teardown(load_of_public_files_reads_what_trains, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
