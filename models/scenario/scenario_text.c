/* The scenario as YAML for the manifest: every resolved value, in a fixed order, in base units, so
 * that the same inputs give the same bytes. */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include "core/index/cache.h"
#include "core/place/view.h"
#include "models/scenario/engine_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void quoted_write(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputs("\"\n", out);
}

static void text_write(FILE *out, const char *key, const char *text)
{
    fprintf(out, "%s: ", key);
    quoted_write(out, text);
}

static void count_write(FILE *out, const char *key, uint64_t value)
{
    fprintf(out, "%s: %" PRIu64 "\n", key, value);
}

static void bytes_write(FILE *out, const char *key, uint64_t value)
{
    fprintf(out, "%s: %" PRIu64 " B\n", key, value);
}

static void ns_write(FILE *out, const char *key, uint64_t value)
{
    fprintf(out, "%s: %" PRIu64 " ns\n", key, value);
}

static void rate_write(FILE *out, const char *key, uint64_t value)
{
    fprintf(out, "%s: %" PRIu64 " B/s\n", key, value);
}

/* The shortest of 15 or 17 digits that reads back as the same number. */
static void number_write(FILE *out, const char *key, double value)
{
    char text[40];
    snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) < value || strtod(text, NULL) > value)
        snprintf(text, sizeof(text), "%.17g", value);
    fprintf(out, "%s: %s\n", key, text);
}

static void nic_write(FILE *out, const char *key, const struct fb_nic *nic)
{
    fprintf(out, "  %s:\n", key);
    count_write(out, "    count", nic->count);
    rate_write(out, "    rate", nic->rate_bytes_per_s);
    ns_write(out, "    latency", nic->latency_ns);
    count_write(out, "    work_requests_per_s", nic->work_requests_per_s);
}

static void hardware_write(FILE *out, const struct fb_hardware *hardware)
{
    const struct fb_drive *drive = &hardware->drive;
    fputs("hardware:\n", out);
    text_write(out, "  name", hardware->name);
    count_write(out, "  accelerators", hardware->accelerators);
    count_write(out, "  cpu_cores", hardware->cpu_cores);
    bytes_write(out, "  memory_size", hardware->memory_size_bytes);
    rate_write(out, "  memory_rate", hardware->memory_bytes_per_s);
    ns_write(out, "  core_step", hardware->core_step_ns);
    ns_write(out, "  submit", hardware->submit_ns);
    rate_write(out, "  digest_rate", hardware->digest_bytes_per_s);
    rate_write(out, "  encode_rate", hardware->encode_bytes_per_s);
    count_write(out, "  client_read_ahead", hardware->client_read_ahead);
    ns_write(out, "  client_retry", hardware->client_retry_ns);
    nic_write(out, "nic", &hardware->nic);
    if (hardware->front_nic.count > 0)
        nic_write(out, "front_nic", &hardware->front_nic);
    fputs("  drive:\n", out);
    count_write(out, "    count", drive->count);
    bytes_write(out, "    size", drive->size_bytes);
    count_write(out, "    queue_depth", drive->queue_depth);
    ns_write(out, "    read_latency", drive->read_latency_ns);
    ns_write(out, "    write_latency", drive->write_latency_ns);
    rate_write(out, "    read_rate", drive->read_bytes_per_s);
    rate_write(out, "    write_rate", drive->write_bytes_per_s);
    count_write(out, "    read_operations_per_s", drive->read_operations_per_s);
    count_write(out, "    write_operations_per_s", drive->write_operations_per_s);
}

static void network_write(FILE *out, const struct fb_network *network)
{
    fputs("network:\n", out);
    text_write(out, "  name", network->name);
    count_write(out, "  hosts_per_leaf", network->hosts_per_leaf);
    count_write(out, "  leaves_max", network->leaves_max);
    number_write(out, "  oversubscription", network->oversubscription);
    ns_write(out, "  leaf_latency", network->leaf_latency_ns);
    ns_write(out, "  core_latency", network->core_latency_ns);
    ns_write(out, "  port_queue", network->port_queue_ns);
}

static void flag_write(FILE *out, const char *key, bool value)
{
    fprintf(out, "%s: %s\n", key, value ? "true" : "false");
}

static void transport_write(FILE *out, const struct fb_transport_model *transport)
{
    fputs("transport:\n", out);
    text_write(out, "  name", transport->name);
    flag_write(out, "  is_built", transport->is_built);
    flag_write(out, "  is_one_sided", transport->is_one_sided);
    flag_write(out, "  is_striped", transport->is_striped);
    count_write(out, "  threads", transport->threads);
    ns_write(out, "  send_message", transport->send_message_ns);
    ns_write(out, "  receive_message", transport->receive_message_ns);
    ns_write(out, "  send_mebibyte", transport->send_mebibyte_ns);
    ns_write(out, "  receive_mebibyte", transport->receive_mebibyte_ns);
    number_write(out, "  send_copies", transport->send_copies);
    number_write(out, "  receive_copies", transport->receive_copies);
    number_write(out, "  efficiency", transport->efficiency);
    ns_write(out, "  latency", transport->latency_ns);
    bytes_write(out, "  header_size", transport->header_bytes);
    bytes_write(out, "  message_size_max", transport->message_bytes_max);
    bytes_write(out, "  piece_size", transport->piece_bytes);
    ns_write(out, "  gone", transport->gone_ns);
}

static void metadata_write(FILE *out, const struct fb_metadata *metadata)
{
    if (metadata->operations_per_s == 0)
        return;
    fputs("metadata:\n", out);
    text_write(out, "  name", metadata->name);
    count_write(out, "  operations_per_s", metadata->operations_per_s);
    ns_write(out, "  read_latency", metadata->read_latency_ns);
    ns_write(out, "  commit_latency", metadata->commit_latency_ns);
}

static void origin_write(FILE *out, const struct fb_origin_model *origin)
{
    fputs("origin:\n", out);
    text_write(out, "  name", origin->name);
    count_write(out, "  accounts", origin->accounts);
    ns_write(out, "  latency", origin->latency_ns);
    number_write(out, "  latency_sigma", origin->latency_sigma);
    rate_write(out, "  read_rate", origin->read_bytes_per_s);
    rate_write(out, "  write_rate", origin->write_bytes_per_s);
    rate_write(out, "  stream_rate", origin->stream_bytes_per_s);
    count_write(out, "  requests_max", origin->requests_max);
    count_write(out, "  requests_per_s", origin->requests_per_s);
    count_write(out, "  object_requests_per_s", origin->object_requests_per_s);
    count_write(out, "  prefix_reads_per_s", origin->prefix_reads_per_s);
    count_write(out, "  prefix_writes_per_s", origin->prefix_writes_per_s);
    ns_write(out, "  prefix_split", origin->prefix_split_ns);
    ns_write(out, "  rate_window", origin->rate_window_ns);
    bytes_write(out, "  store_part_min", origin->store_part_bytes_min);
    count_write(out, "  commit_requests", origin->commit_requests);
    count_write(out, "  commit_block_requests", origin->commit_block_requests);
    count_write(out, "  client_threads", origin->client_threads);
    ns_write(out, "  client_request", origin->client_request_ns);
    ns_write(out, "  client_read_mebibyte", origin->client_read_mebibyte_ns);
    ns_write(out, "  client_write_mebibyte", origin->client_write_mebibyte_ns);
}

static void origin_client_write(FILE *out, const struct fb_origin_client *client)
{
    fputs("origin_client:\n", out);
    bytes_write(out, "  part_size", client->part_bytes);
    count_write(out, "  requests_max", client->requests_max);
    count_write(out, "  tries_max", client->tries_max);
}

static void core_write(FILE *out, const struct fb_config *core)
{
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    fputs("core:\n", out);
    for (uint32_t i = 0; i < count; i++) {
        char key[FB_NAME_MAX];
        fb_core_key(table[i].name, key);
        const unsigned char *field = (const unsigned char *)core + table[i].offset;
        uint64_t value = *(const uint64_t *)(const void *)field;
        fputs("  ", out);
        switch (table[i].unit) {
        case FB_UNIT_COUNT:
            count_write(out, key, value);
            break;
        case FB_UNIT_BYTES:
            bytes_write(out, key, value);
            break;
        case FB_UNIT_NS:
            ns_write(out, key, value);
            break;
        case FB_UNIT_RATE:
            rate_write(out, key, value);
            break;
        case FB_UNIT_FLAG:
            fprintf(out, "%s: %s\n", key, value != 0 ? "true" : "false");
            break;
        case FB_UNIT_POLICY:
            fprintf(out, "%s: %s\n", key, fb_policy_name((enum fb_policy)value));
            break;
        case FB_UNIT_PLACEMENT:
            fprintf(out, "%s: %s\n", key, fb_placement_name((enum fb_placement)value));
            break;
        case FB_UNIT_CONSENT:
            fprintf(out, "%s: %s\n", key, value != 0 ? "allow" : "refuse");
            break;
        }
    }
}

static void training_write(FILE *out, const struct fb_training *training)
{
    text_write(out, "  model", training->model);
    count_write(out, "  files", training->files);
    count_write(out, "  samples_per_file", training->samples_per_file);
    number_write(out, "  record_length_bytes", training->record_length_bytes);
    number_write(out, "  record_length_stdev_bytes", training->record_length_stdev_bytes);
    count_write(out, "  batch_size", training->batch_size);
    count_write(out, "  read_threads", training->read_threads);
    count_write(out, "  prefetch_batches", training->prefetch_batches);
    fprintf(out, "  get_batch: %s\n", training->is_gathered ? "true" : "false");
    count_write(out, "  hints", training->hints);
    count_write(out, "  epochs", training->epochs);
    ns_write(out, "  computation_time", training->computation_ns);
    number_write(out, "  au_target", training->au_target);
    fprintf(out, "  shuffle_files: %s\n", training->shuffle_files ? "true" : "false");
    fprintf(out, "  shuffle_samples: %s\n", training->shuffle_samples ? "true" : "false");
}

static void kv_write(FILE *out, const struct fb_kv *kv)
{
    count_write(out, "  block_tokens", kv->block_tokens);
    bytes_write(out, "  bytes_per_token", kv->bytes_per_token);
    if (kv->layer_groups > 1)
        count_write(out, "  layer_groups", kv->layer_groups);
    count_write(out, "  window", kv->window);
    if (kv->requests_max == 0)
        fputs("  requests: all\n", out);
    else
        count_write(out, "  requests", kv->requests_max);
    number_write(out, "  speed", kv->speed);
    if (kv->copies > 1) {
        count_write(out, "  copies", kv->copies);
        ns_write(out, "  copy_shift", kv->copy_shift_ns);
    }
    if (kv->prefill_tokens_per_s > 0)
        number_write(out, "  prefill_tokens_per_s", kv->prefill_tokens_per_s);
}

static void level_write(FILE *out, uint32_t level)
{
    static const char *const levels[] = {"memory", "replicated", "nvme", "origin"};
    fprintf(out, "  level: %s\n", levels[level]);
}

static void checkpoint_write(FILE *out, const struct fb_checkpoint *checkpoint)
{
    bytes_write(out, "  state_size", checkpoint->state_size_bytes);
    count_write(out, "  writers", checkpoint->writers);
    count_write(out, "  readers", checkpoint->readers);
    level_write(out, checkpoint->level);
    count_write(out, "  window", checkpoint->window);
    fprintf(out, "  restore_when_drained: %s\n",
            checkpoint->restores_when_drained ? "true" : "false");
    count_write(out, "  kill_when_durable", checkpoint->kill_when_durable);
    ns_write(out, "  restart_after", checkpoint->restart_after_ns);
    number_write(out, "  failures_per_1000_node_days", checkpoint->failures_per_1000_node_days);
}

static void placement_write(FILE *out, const struct fb_placement_change *change)
{
    fprintf(out, "  placement: %s\n",
            change->is_directory ? "directory"
                                 : fb_placement_name((enum fb_placement)change->placement));
    if (change->domains_lost > 0)
        fprintf(out, "  change: %" PRIu32 " less a domain\n", change->nodes_before);
    else if (change->nodes_lost > 0)
        fprintf(out, "  change: %" PRIu32 " %s %" PRIu32 "\n", change->nodes_before,
                change->is_unlisted ? "without" : "less", change->nodes_lost);
    else
        fprintf(out, "  change: %" PRIu32 " to %" PRIu32 "\n", change->nodes_before,
                change->nodes_after);
    count_write(out, "  hosts_per_domain", change->hosts_per_domain);
    bytes_write(out, "  data_size", change->data_size_bytes);
}

static void overwrite_write(FILE *out, const struct fb_overwrite *overwrite)
{
    bytes_write(out, "  object_size", overwrite->object_size_bytes);
    count_write(out, "  names", overwrite->names);
    count_write(out, "  rounds", overwrite->rounds);
    level_write(out, overwrite->level);
    count_write(out, "  window", overwrite->window);
}

static void workload_write(FILE *out, const struct fb_scenario *scenario)
{
    const struct fb_workload *workload = &scenario->workload;
    fputs("workload:\n", out);
    if (workload->kinds >> FB_WORKLOAD_TRAINING & 1u) {
        fputs("  kind: training\n", out);
        text_write(out, "  dlio", scenario->workload_file);
        training_write(out, &workload->training);
    }
    if (workload->kinds >> FB_WORKLOAD_KV & 1u) {
        fputs("  kind: kv\n", out);
        text_write(out, "  trace", workload->kv.trace);
        kv_write(out, &workload->kv);
    }
    if (workload->kinds >> FB_WORKLOAD_FAN_OUT & 1u) {
        fputs("  kind: fan-out\n", out);
        bytes_write(out, "  object_size", workload->fanout.object_size_bytes);
        count_write(out, "  window", workload->fanout.window);
        ns_write(out, "  stagger", workload->fanout.stagger_ns);
    }
    if (workload->kinds >> FB_WORKLOAD_CHECKPOINT & 1u) {
        fputs("  kind: checkpoint\n", out);
        checkpoint_write(out, &workload->checkpoint);
    }
    if (workload->kinds >> FB_WORKLOAD_PLACEMENT & 1u) {
        fputs("  kind: placement\n", out);
        placement_write(out, &workload->placement);
    }
    if (workload->kinds >> FB_WORKLOAD_OVERWRITE & 1u) {
        fputs("  kind: overwrite\n", out);
        overwrite_write(out, &workload->overwrite);
    }
}

static void faults_write(FILE *out, const struct fb_scenario *scenario)
{
    ns_write(out, "detect_after", scenario->detect_ns);
    fputs(scenario->fault_count == 0 ? "faults: []\n" : "faults:\n", out);
    for (uint32_t i = 0; i < scenario->fault_count; i++) {
        const struct fb_fault *fault = &scenario->faults[i];
        fprintf(out, "- kind: %s\n", fault->kind == FB_FAULT_KILL ? "kill" : "slow");
        if (fault->node != UINT32_MAX)
            count_write(out, "  node", fault->node);
        else
            number_write(out, "  share", fault->share);
        ns_write(out, "  at", fault->at_ns);
        ns_write(out, "  spread", fault->spread_ns);
        if (fault->kind == FB_FAULT_KILL) {
            ns_write(out, "  restart_after", fault->restart_after_ns);
            fprintf(out, "  drive: %s\n", fault->is_drive_lost ? "lost" : "kept");
        } else {
            number_write(out, "  factor", fault->factor);
        }
    }
}

static void scenario_write(FILE *out, const struct fb_scenario *scenario)
{
    count_write(out, "schema_version", FB_SCHEMA_VERSION);
    text_write(out, "experiment", scenario->experiment);
    text_write(out, "question", scenario->question);
    text_write(out, "expect", scenario->expect);
    text_write(out, "system", scenario->system);
    count_write(out, "seeds", scenario->seeds);
    count_write(out, "first_seed", scenario->first_seed);
    fputs("simulation:\n", out);
    fprintf(out, "  engine: %s\n", scenario->engine == FB_ENGINE_PLAIN ? "plain" : "simgrid");
    fprintf(out, "  network: %s\n", scenario->flows == FB_FLOWS_FLUID ? "fluid" : "lmm");
    fputs("cluster:\n", out);
    count_write(out, "  nodes", scenario->nodes);
    count_write(out, "  accelerators", scenario->accelerators);
    hardware_write(out, &scenario->hardware);
    network_write(out, &scenario->network);
    transport_write(out, &scenario->transport);
    origin_write(out, &scenario->origin);
    origin_client_write(out, &scenario->origin_client);
    metadata_write(out, &scenario->metadata);
    core_write(out, &scenario->core);
    workload_write(out, scenario);
    faults_write(out, scenario);
    fputs(scenario->guess_count == 0 ? "guesses: []\n" : "guesses:\n", out);
    for (uint32_t i = 0; i < scenario->guess_count; i++) {
        fputs("- ", out);
        quoted_write(out, scenario->guesses[i]);
    }
}

char *fb_scenario_text(const struct fb_scenario *scenario)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    scenario_write(out, scenario);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
