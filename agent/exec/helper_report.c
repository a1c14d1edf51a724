/* What the agent is told: reports that are put together, and sent with the pipes of those processes that
   the agent has to read from. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/exec/helper.h"
#include "agent/exec/moment.h"

/* A part of the reports, and the descriptors that go with it. */
struct packet {
    const uint8_t *data;
    size_t length;
    int fds[PROTOCOL_PACKET_FDS_MAX];
    size_t fds_count;
};

/* False: the agent is gone. */
static bool send_packet(const struct helper *helper, const struct packet *packet)
{
    struct str data = { (const char *)packet->data, packet->length };
    for (;;) {
        if (protocol_send(helper->socket_fd, data, packet->fds, packet->fds_count, 0)) {
            return true;
        }
        /* So many descriptors may be under way, and so much memory: the agent needs time. */
        if (errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM) {
            const struct timespec pause = { .tv_nsec = 2000000 };
            nanosleep(&pause, NULL);
        } else if (errno != EINTR) {
            return false;
        }
    }
}

/* Sends it and lets go of what has gone with it. */
static bool send_and_close(const struct helper *helper, struct packet *packet)
{
    bool is_sent = packet->length == 0 || send_packet(helper, packet);
    for (size_t i = 0; i < packet->fds_count; i++) {
        close(packet->fds[i]);
    }
    packet->data += packet->length;
    packet->length = 0;
    packet->fds_count = 0;
    return is_sent;
}

/* How many descriptors go with a report. */
static size_t fds_of(const struct report *report)
{
    return ((report->flags & REPORT_HAS_STDOUT) != 0 ? 1U : 0U) +
           ((report->flags & REPORT_HAS_STDERR) != 0 ? 1U : 0U);
}

/* False: the agent is gone. */
static bool send_all(struct helper *helper)
{
    struct packet packet = { .data = helper->reports.data };
    const uint8_t *fds = helper->report_fds.data;
    bool is_there = true;
    for (size_t at = 0; at < helper->reports.length;) {
        struct report report;
        memcpy(&report, helper->reports.data + at, sizeof report);
        size_t count = fds_of(&report);
        if (packet.fds_count + count > PROTOCOL_PACKET_FDS_MAX) {
            is_there = send_and_close(helper, &packet) && is_there;
        }
        if (count > 0) {
            memcpy(packet.fds + packet.fds_count, fds, count * sizeof(int));
            fds += count * sizeof(int);
        }
        packet.fds_count += count;
        packet.length += report.bytes;
        at += report.bytes;
    }
    is_there = send_and_close(helper, &packet) && is_there;
    buf_clear(&helper->reports);
    buf_clear(&helper->report_fds);
    helper->reports_ended = 0;
    return is_there;
}

void helper_report(struct helper *helper, const struct report *report, struct str text)
{
    struct report record = *report;
    record.text_bytes = (uint32_t)text.length;
    record.bytes = protocol_padded((uint32_t)(sizeof record + text.length));
    if (helper->reports.length + record.bytes > PROTOCOL_PACKET_BYTES_MAX) {
        /* A failed send is found again at the next receive, which says that the agent is gone. */
        (void)send_all(helper);
    }
    if (helper->reports.length == 0) {
        helper->reports_since_ms = moment_boot_ms();
    }
    uint8_t *to = buf_reserve(&helper->reports, record.bytes);
    memset(to, 0, record.bytes);
    memcpy(to, &record, sizeof record);
    if (text.length > 0) {
        memcpy(to + sizeof record, text.data, text.length);
    }
    helper->reports.length += record.bytes;
    helper->reports_ended += record.kind == REPORT_ENDED || record.kind == REPORT_FAILED ? 1 : 0;
}

/* With those of its pipes that are ours yet, which are not from now on. */
static void report_with_pipes(struct helper *helper, struct report report, struct pipes *pipes,
                              struct str text)
{
    report.flags |= pipes->fds[0] >= 0 ? REPORT_HAS_STDOUT : 0;
    report.flags |= pipes->fds[1] >= 0 ? REPORT_HAS_STDERR : 0;
    helper_report(helper, &report, text);
    for (size_t i = 0; i < 2; i++) {
        int fd = pipes_take(&helper->lanes, pipes, i);
        if (fd >= 0) {
            buf_append(&helper->report_fds, &fd, sizeof fd);
        }
    }
}

static void young_remove(struct helper *helper, struct task *task)
{
    if (task->young_at == NULL) {
        return;
    }
    *task->young_at = task->next_young;
    if (task->next_young != NULL) {
        task->next_young->young_at = task->young_at;
    } else {
        helper->young_tail = task->young_at;
    }
    task->young_at = NULL;
}

void helper_report_started(struct helper *helper, struct task *task)
{
    struct report report = {
        .kind = REPORT_STARTED,
        .fence = task->fence,
        .wall_ms = task->started_wall_ms,
        .pid = task->pid,
    };
    helper_report(helper, &report, STR(""));
    task->young_at = helper->young_tail;
    *helper->young_tail = task;
    helper->young_tail = &task->next_young;
}

void helper_report_ended(struct helper *helper, struct report report, struct task *task)
{
    struct buf *text = &helper->scratch;
    buf_clear(text);
    if (task->young_at != NULL) {
        report.stdout_bytes = (uint32_t)pipes_read_last(&helper->lanes, &task->pipes, text);
        young_remove(helper, task);
    }
    report_with_pipes(helper, report, &task->pipes,
                      (struct str){ (const char *)text->data, text->length });
}

/* How long the reports that there are may wait. They travel in company, for each time that the agent is
   woken costs as much as several of them: until as many slots wait for the agent as starts wait for us,
   and a start that is news by itself until the end of a small process may go along with it. */
static int64_t company_wait_ms(const struct helper *helper)
{
    if (helper->pending == NULL && helper->reports_ended == 0) {
        return HELPER_STARTED_MS;
    }
    return helper->pending_count <= helper->reports_ended ? 0 : HELPER_FLUSH_MS;
}

static int64_t young_until_ms(const struct helper *helper, const struct task *task)
{
    return task->started_boot_ms +
           (helper->pending == NULL ? HELPER_YOUNG_MS : HELPER_YOUNG_BUSY_MS);
}

static int64_t left_of(int64_t until_ms, int64_t now)
{
    return until_ms > now ? until_ms - now : 0;
}

int64_t helper_report_wait_ms(const struct helper *helper, int64_t now)
{
    int64_t wait = -1;
    if (helper->reports.length > 0) {
        wait = left_of(helper->reports_since_ms + company_wait_ms(helper), now);
    }
    if (helper->young != NULL) {
        int64_t young = left_of(young_until_ms(helper, helper->young), now);
        wait = wait < 0 || young < wait ? young : wait;
    }
    return wait;
}

bool helper_report_send(struct helper *helper, int64_t now)
{
    while (helper->young != NULL && young_until_ms(helper, helper->young) <= now) {
        struct task *task = helper->young;
        struct report report = { .kind = REPORT_PIPES, .fence = task->fence };
        young_remove(helper, task);
        report_with_pipes(helper, report, &task->pipes, STR(""));
    }
    return send_all(helper);
}
