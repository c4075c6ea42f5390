/* Proves that every YAML file that is shipped loads, and that the resolved text is the same for the
 * same inputs and is YAML itself. */
#include "models/scenario/sweep.h"
#include "tests/models/experiment.h"

#include <dirent.h>

static void resolved_text_is_the_same_for_the_same_inputs(void **state)
{
    (void)state;
    load_text(good, NULL, 0);
    char *first = strdup(scenario.resolved);
    load_text(good, NULL, 0);
    assert_string_equal(first, scenario.resolved);
    /* Other spelling, other order, comments: the same experiment. */
    load_text(changed(good, "  policy: lru\n  memory_size: 64 GiB\n",
                      "  # the same\n  memory_size: 65536 MiB\n  policy: lru\n"),
              NULL, 0);
    assert_string_equal(error.text, "");
    assert_string_equal(first, scenario.resolved);
    const char *const other[] = {"core.memory_size=65 GiB"};
    load_text(good, other, 1);
    assert_string_not_equal(first, scenario.resolved);
    assert_non_null(strstr(scenario.resolved, "  memory_size: 69793218560 B\n"));
    free(first);
}

/* The resolved text is YAML that the strict reader takes, with quotes kept. */
static void resolved_text_reads_back_as_yaml(void **state)
{
    (void)state;
    load_text(changed(good, "\"does it load?\"", "\"a \\\"quoted\\\" back\\\\slash: #\\tyes\""),
              NULL, 0);
    assert_string_equal(error.text, "");
    const char *path = temporary_write(&files, "r.yaml", scenario.resolved);
    struct fb_document *document = fb_document_open(path, &error);
    assert_string_equal(error.text, "");
    struct fb_map root = fb_document_root(document, &error);
    assert_string_equal(fb_map_text(&root, "question"), scenario.question);
    struct fb_map core = fb_map_child(&root, "core", true);
    assert_int_equal(fb_map_bytes(&core, "memory_size", 0, UINT64_MAX),
                     scenario.core.memory_size_bytes);
    assert_int_equal(fb_map_ns(&core, "hedge", 0, UINT64_MAX), scenario.core.hedge_ns);
    assert_int_equal(fb_map_list_count(&root, "guesses"), scenario.guess_count);
    fb_document_close(document);
}

static void assert_experiment_loads(const char *path)
{
    struct fb_sweep_point *points = NULL;
    uint32_t count = fb_sweep_load(path, NULL, 0, &points, &error);
    if (count == 0)
        print_error("%s\n", error.text);
    assert_true(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        fb_scenario_load(path, NULL, 0, &points[i], &scenario, &error);
        if (fb_error_is_set(&error))
            print_error("%s\n", error.text);
        assert_string_equal(error.text, "");
        assert_true(strlen(scenario.question) > 20 && strlen(scenario.expect) > 20);
        fb_scenario_free(&scenario);
    }
    free(points);
}

/* Calls `visit` for each *.yaml of a folder; returns how many. */
static uint32_t for_each_yaml(const char *folder, void (*visit)(const char *path))
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    uint32_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (suffix == NULL || strcmp(suffix, ".yaml") != 0)
            continue;
        char path[320];
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        visit(path);
        count++;
    }
    closedir(directory);
    return count;
}

static void load_of_every_shipped_experiment_is_fine(void **state)
{
    (void)state;
    assert_true(for_each_yaml("experiments", assert_experiment_loads) >= 4);
}

/* A component is loaded by putting it in place of its like in the good experiment. */
static void component_visit(const char *path, const char *from)
{
    char absolute[640];
    char here[256];
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(absolute, sizeof(absolute), "%s/%s", here, path);
    const char *const fluid[] = {"simulation.network=fluid"}; /* knows all that networks have */
    load_text(changed(good, from, absolute), fluid, 1);
    if (fb_error_is_set(&error))
        print_error("%s\n", error.text);
    assert_string_equal(error.text, "");
}

static void hardware_visit(const char *path)
{
    char key[128];
    if (strstr(path, "node") != NULL) {
        component_visit(path, "gpu-node-h100");
        return;
    }
    /* A NIC or a drive: in a node of its own. */
    const char *name = strrchr(path, '/') + 1;
    const char *part = strncmp(name, "nic", 3) == 0 ? "nic" : "drive";
    snprintf(key, sizeof(key), "%.*s", (int)(strlen(name) - 5), name);
    char node[4096];
    FILE *file = fopen("models/hardware/gpu-node-h100.yaml", "rb");
    assert_non_null(file);
    node[fread(node, 1, sizeof(node) - 1, file)] = '\0';
    fclose(file);
    const char *text =
        changed(node, strcmp(part, "nic") == 0 ? "component: nic-400g" : "component: nvme-gen4",
                "component: PART");
    char kept[4096];
    snprintf(kept, sizeof(kept), "%s", text);
    temporary_write(&files, "node.yaml", changed(kept, "PART", key));
    load_text(changed(good, "gpu-node-h100", "./node.yaml"), NULL, 0);
    assert_string_equal(error.text, "");
}

static void network_visit(const char *path)
{
    component_visit(path, "leaf-spine-400g");
}

static void transport_visit(const char *path)
{
    char assignment[400];
    snprintf(assignment, sizeof(assignment), "cluster.transport=%s", path);
    const char *const assignments[] = {assignment};
    load_text(good, assignments, 1);
    assert_string_equal(error.text, "");
    assert_non_null(strstr(path, scenario.transport.name));
}

static void origin_visit(const char *path)
{
    component_visit(path, "posix-local");
}

static void metadata_visit(const char *path)
{
    component_visit(path, "etcd");
}

static void workload_visit(const char *path)
{
    component_visit(path, "unet3d_h100");
}

static void load_of_every_shipped_component_is_fine(void **state)
{
    (void)state;
    assert_true(for_each_yaml("models/hardware", hardware_visit) >= 5);
    assert_true(for_each_yaml("models/networks", network_visit) >= 2);
    assert_true(for_each_yaml("models/transports", transport_visit) >= 4);
    assert_true(for_each_yaml("models/origins", origin_visit) >= 3);
    assert_true(for_each_yaml("models/metadata", metadata_visit) >= 2);
    assert_true(for_each_yaml("models/workloads", workload_visit) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(resolved_text_is_the_same_for_the_same_inputs),
        TEST(resolved_text_reads_back_as_yaml),
        TEST(load_of_every_shipped_experiment_is_fine),
        TEST(load_of_every_shipped_component_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
