/* A good experiment and a good KV experiment, ways to change one line of them, and to load them. */
#ifndef FB_TESTS_MODELS_EXPERIMENT_H
#define FB_TESTS_MODELS_EXPERIMENT_H

#include "models/scenario/scenario.h"

#include "tests/support/temporary.h"

static struct temporary files;
static struct fb_error error;
static struct fb_scenario scenario;

static const char good[] =
    "schema_version: 1\n"
    "experiment: test\n"
    "question: \"does it load?\"\n"
    "expect: \"yes\"\n"
    "cluster: {nodes: 2, accelerators: 4, hardware: gpu-node-h100, network: leaf-spine-400g, "
    "origin: posix-local, metadata: etcd}\n"
    "core:\n"
    "  policy: lru\n"
    "  memory_size: 64 GiB\n"
    "workload: {kind: training, dlio: unet3d_h100, files: 448}\n"
    "seeds: 2\n";

static const char good_kv[] __attribute__((unused)) =
    "schema_version: 1\n"
    "experiment: test\n"
    "question: q\n"
    "expect: e\n"
    "cluster: {nodes: 1, hardware: gpu-node-h100, network: leaf-spine-400g, origin: posix-local}\n"
    "core: {memory_blocks: 100}\n"
    "workload: {kind: kv, trace: models/samples/conversation-small.jsonl, block_tokens: 16, "
    "bytes_per_token: 1 KiB}\n";

static inline int begin(void **state)
{
    (void)state;
    error = (struct fb_error){.text = ""};
    memset(&scenario, 0, sizeof(scenario));
    temporary_begin(&files);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    fb_scenario_free(&scenario);
    temporary_end(&files);
    return 0;
}

/* `text` with its first `from` replaced; the result is static. */
static inline const char *changed(const char *text, const char *from, const char *to)
{
    static char result[4096];
    const char *at = strstr(text, from);
    if (at == NULL)
        print_error("the text holds no \"%s\"\n", from);
    assert_non_null(at);
    snprintf(result, sizeof(result), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return result;
}

static inline void load_text(const char *text, const char *const *assignments, uint32_t count)
{
    error = (struct fb_error){.text = ""};
    fb_scenario_free(&scenario);
    fb_scenario_load(temporary_write(&files, "e.yaml", text), assignments, count, NULL, &scenario,
                     &error);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
