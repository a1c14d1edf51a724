/* What a monitoring system scrapes (Prometheus text format). Nothing is labelled by task,
   constellation or device: what grows with the work would grow the answer. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/attention.h"
#include "orchestrator/api/handlers.h"

static const int64_t bounds_us[API_HISTOGRAM_BUCKETS - 1] = {
    250, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 1000000,
};

void api_histogram_add(struct api_histogram *histogram, int64_t microseconds)
{
    uint64_t value = microseconds < 0 ? 0 : (uint64_t)microseconds;
    size_t i = 0;
    while (i < API_HISTOGRAM_BUCKETS - 1 && (int64_t)value > bounds_us[i]) {
        i++;
    }
    histogram->buckets[i]++;
    histogram->count++;
    histogram->sum_us += value;
    if (value > histogram->max_us) {
        histogram->max_us = value;
    }
}

static void head(struct buf *text, const char *name, const char *type, const char *help)
{
    buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct buf *text, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    head(text, name, type, help);
    buf_printf(text, "%s %" PRIu64 "\n", name, value);
}

static void labelled(struct buf *text, const char *name, const char *label, const char *value,
                     uint64_t number)
{
    buf_printf(text, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, number);
}

static void histogram(struct buf *text, const char *name, const char *help,
                      const struct api_histogram *from)
{
    head(text, name, "histogram", help);
    uint64_t sum = 0;
    for (size_t i = 0; i < API_HISTOGRAM_BUCKETS - 1; i++) {
        sum += from->buckets[i];
        buf_printf(text, "%s_bucket{le=\"%.10g\"} %" PRIu64 "\n", name, (double)bounds_us[i] / 1e6,
                   sum);
    }
    buf_printf(text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n",
               name, from->count, name, (double)from->sum_us / 1e6, name, from->count);
}

static void maximum(struct buf *text, const char *name, const char *help, uint64_t max_us)
{
    head(text, name, "gauge", help);
    buf_printf(text, "%s %.6f\n", name, (double)max_us / 1e6);
}

static void write_engine(struct buf *text, const struct engine_stats *stats)
{
    head(text, "asterism_constellations", "gauge", "Constellations that have not ended.");
    labelled(text, "asterism_constellations", "state", "running", stats->constellations);
    head(text, "asterism_tasks", "gauge",
         "Tasks of those: ready for a device, with an attempt under way, and the others.");
    uint64_t active = stats->ready + stats->attempts;
    labelled(text, "asterism_tasks", "state", "ready", stats->ready);
    labelled(text, "asterism_tasks", "state", "active", stats->attempts);
    labelled(text, "asterism_tasks", "state", "other",
             stats->tasks > active ? stats->tasks - active : 0);
    head(text, "asterism_devices", "gauge", "Devices that have ever connected.");
    labelled(text, "asterism_devices", "status", "connected", stats->connected);
    labelled(text, "asterism_devices", "status", "disconnected",
             stats->devices > stats->connected ? stats->devices - stats->connected : 0);
    single(text, "asterism_slots", "gauge", "Slots of connected devices.", stats->slots);
    single(text, "asterism_slots_used", "gauge", "Slots that an attempt holds.", stats->attempts);
    single(text, "asterism_assignments_total", "counter", "Attempts assigned since the start.",
           stats->assigned_total);
    head(text, "asterism_attempts_ended_total", "counter",
         "Attempts that ended since the start, by outcome.");
    for (int i = OUTCOME_EXITED; i <= OUTCOME_DISCONNECTED; i++) {
        labelled(text, "asterism_attempts_ended_total", "outcome", outcome_name((enum outcome)i),
                 stats->ended_total[i]);
    }
    single(text, "asterism_attempts_lost_total", "counter",
           "Attempts given up since the start, with their device or its agent.", stats->lost_total);
    single(text, "asterism_stale_reports_total", "counter",
           "Reports of attempts that no longer counted.", stats->stale_total);
}

static void write_attention(struct api *api, struct buf *text)
{
    struct attention attention;
    struct reason reason;
    if (attention_gather(api, &attention, &reason) != ERR_NONE) {
        return;
    }
    head(text, "asterism_attention", "gauge",
         "What needs a person: tasks, holds or devices, by reason (see /api/v1/attention).");
    for (int i = 0; i < ATTENTION_REASONS; i++) {
        labelled(text, "asterism_attention", "reason", attention_name((enum attention_reason)i),
                 attention.counts[i]);
    }
}

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    int read = fscanf(file, "%llu %llu", &size, &resident); // NOLINT(cert-err34-c): the kernel's
    fclose(file);
    long page = sysconf(_SC_PAGESIZE);
    return read == 2 && page > 0 ? (uint64_t)resident * (uint64_t)page : 0;
}

static void write_process(struct api *api, struct buf *text, const struct api_metrics *metrics)
{
    struct net_stats net = net_stats(api->config.net);
    single(text, "asterism_connections", "gauge", "Open connections of all kinds.",
           net.connections);
    single(text, "asterism_channels", "gauge", "Agents' WebSockets.", net.channels);
    single(text, "asterism_streams", "gauge", "Open event streams and followed outputs.",
           api->streams.count - api->streams.gone);
    single(text, "asterism_received_bytes_total", "counter", "Payload received.", net.bytes_in);
    single(text, "asterism_sent_bytes_total", "counter", "Payload sent.", net.bytes_out);
    single(text, "asterism_refused_total", "counter", "Connections and requests refused.",
           net.refused);
    single(text, "asterism_event_seq", "counter", "The newest event.", (uint64_t)api->seq);
    head(text, "asterism_build_info", "gauge", "The version, as a label.");
    labelled(text, "asterism_build_info", "version", ASTERISM_VERSION, 1);
    single(text, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    if (metrics->certificate_wall_ms != 0) {
        head(text, "asterism_certificate_expires_seconds", "gauge",
             "Until the daemon's own certificate expires; below 0: since it has.");
        buf_printf(text, "asterism_certificate_expires_seconds %" PRId64 "\n",
                   (metrics->certificate_wall_ms - api_now(api).wall_ms) / 1000);
    }
    head(text, "process_start_time_seconds", "gauge", "When the daemon started.");
    buf_printf(text, "process_start_time_seconds %.3f\n", (double)metrics->start_wall_ms / 1e3);
}

void metrics_get(struct api *api, const struct api_call *call)
{
    struct api_metrics metrics = { .turns_total = 0 };
    api->config.host.metrics(api->config.host.context, &metrics);
    struct engine_stats stats = engine_stats(api->config.engine);
    struct buf text = { NULL, 0, 0 };
    write_engine(&text, &stats);
    write_attention(api, &text);
    single(&text, "asterism_turns_total", "counter", "Turns of the loop.", metrics.turns_total);
    histogram(&text, "asterism_turn_seconds", "How long a turn took.", &metrics.turn);
    maximum(&text, "asterism_turn_max_seconds", "The longest turn since the start.",
            metrics.turn.max_us);
    maximum(&text, "asterism_turn_work_max_seconds",
            "The longest turn since the start, but for its commit.", metrics.turn_work_max_us);
    histogram(&text, "asterism_commit_seconds", "How long a commit took.", &metrics.commit);
    maximum(&text, "asterism_commit_max_seconds", "The longest commit since the start.",
            metrics.commit.max_us);
    write_process(api, &text, &metrics);
    net_reply(api->config.net, call->request->id, call->route->status, "text/plain; version=0.0.4",
              NULL, 0, (struct str){ (const char *)text.data, text.length });
    buf_done(&text);
}
