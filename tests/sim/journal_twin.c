#include "tests/sim/journal_twin.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static struct str pack(char **room, struct str text)
{
    struct str packed = { *room, text.length };
    if (text.length > 0) {
        memcpy(*room, text.data, text.length);
    }
    *room += text.length;
    return packed;
}

static struct agent_record *copy(const struct agent_record *from)
{
    /* What the real journal writes: a body is of use only until it was started. */
    bool startable = from->state == HELD_ACCEPTED;
    size_t bytes = from->result.reason.length + from->result.result.length +
                   (startable ? from->name.length + from->body.length : 0);
    struct agent_record *record = mem_alloc(sizeof *record + bytes + 1);
    char *room = (char *)(record + 1);
    *record = *from;
    record->name = pack(&room, startable ? from->name : STR(""));
    record->body = pack(&room, startable ? from->body : STR(""));
    record->result.reason = pack(&room, from->result.reason);
    record->result.result = pack(&room, from->result.result);
    return record;
}

static void put(struct map *rows, uint64_t fence, const struct agent_record *record)
{
    /* The new one may point into the old one. */
    struct agent_record *row = record == NULL ? NULL : copy(record);
    mem_free(map_remove(rows, fence));
    if (row != NULL) {
        map_put(rows, fence, row);
    }
}

static void write_row(struct journal_twin *journal, uint64_t fence,
                      const struct agent_record *record)
{
    if (journal->writes_count == journal->writes_capacity) {
        journal->writes_capacity =
            journal->writes_capacity == 0 ? 64 : journal->writes_capacity * 2;
        journal->writes =
            mem_resize(journal->writes, journal->writes_capacity * sizeof journal->writes[0]);
    }
    journal->writes[journal->writes_count++] =
        (struct journal_write){ fence, record == NULL ? NULL : copy(record),
                                journal->transactions };
    put(&journal->now.rows, fence, record);
}

static void session_put(struct journal_state *state, uint64_t session,
                        const struct msg_receipt *receipt)
{
    state->session = session;
    memcpy(state->start_id, receipt->start_id.data, receipt->start_id.length);
    memcpy(state->hmac, receipt->hmac.data, receipt->hmac.length);
    state->receipt = *receipt;
    state->receipt.start_id.data = state->start_id;
    state->receipt.hmac.data = state->hmac;
}

/* The first writes, up to but without this one, reach the disk; the others are forgotten. */
static void settle(struct journal_twin *journal, size_t kept)
{
    for (size_t i = 0; i < journal->writes_count; i++) {
        if (i < kept) {
            put(&journal->synced.rows, journal->writes[i].fence, journal->writes[i].record);
        }
        mem_free(journal->writes[i].record);
    }
    journal->writes_count = 0;
}

void journal_twin_commit(struct journal_twin *journal, const struct agent_effects *effects,
                         bool forget_sync)
{
    bool durable = false;
    journal->transactions++;
    for (size_t i = 0; i < effects->count; i++) {
        const struct agent_effect *effect = &effects->list[i];
        if (effect->kind == AGENT_EFFECT_SAVE) {
            write_row(journal, effect->record->fence, effect->record);
        } else if (effect->kind == AGENT_EFFECT_REMOVE) {
            write_row(journal, effect->fence, NULL);
        } else if (effect->kind == AGENT_EFFECT_SAVE_SESSION) {
            session_put(&journal->now, effect->session.session, &effect->session.receipt);
        }
        durable = durable || agent_effect_is_durable(effect);
    }
    if (durable && !forget_sync) {
        settle(journal, journal->writes_count);
        session_put(&journal->synced, journal->now.session, &journal->now.receipt);
    }
}

static void rows_free(struct map *rows)
{
    size_t at = 0;
    uint64_t fence = 0;
    void *record = NULL;
    while (map_each(rows, &at, &fence, &record)) {
        mem_free(record);
    }
    map_done(rows);
    *rows = (struct map){ 0 };
}

size_t journal_twin_power_cut(struct journal_twin *journal, struct rng *rng)
{
    size_t kept = 0;
    if (journal->writes_count > 0) {
        kept = (size_t)rng_below(rng, journal->writes_count + 1);
        /* A transaction is there whole or not at all. */
        while (kept > 0 && kept < journal->writes_count &&
               journal->writes[kept].transaction == journal->writes[kept - 1].transaction) {
            kept--;
        }
    }
    size_t lost = journal->writes_count - kept;
    settle(journal, kept);
    rows_free(&journal->now.rows);
    size_t at = 0;
    uint64_t fence = 0;
    void *record = NULL;
    while (map_each(&journal->synced.rows, &at, &fence, &record)) {
        map_put(&journal->now.rows, fence, copy(record));
    }
    if (journal->synced.session != 0) {
        session_put(&journal->now, journal->synced.session, &journal->synced.receipt);
    } else {
        journal->now.session = 0;
        journal->now.receipt = (struct msg_receipt){ 0 };
    }
    return lost;
}

size_t journal_twin_rebooted(struct journal_twin *journal)
{
    size_t count = 0;
    size_t fences_count = 0;
    uint64_t *fences = journal_twin_fences(journal, &fences_count);
    for (size_t i = 0; i < fences_count; i++) {
        struct agent_record *record = map_get(&journal->now.rows, fences[i]);
        if (record->state == HELD_FINISHED &&
            record->result.stdout_bytes + record->result.stderr_bytes > 0) {
            struct agent_record died = *record;
            died.state = HELD_RUNNING;
            journal->transactions++;
            write_row(journal, fences[i], &died);
            count++;
        }
    }
    mem_free(fences);
    return count;
}

const struct agent_record *journal_twin_get(const struct journal_twin *journal, uint64_t fence)
{
    return map_get(&journal->now.rows, fence);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint64_t *journal_twin_fences(const struct journal_twin *journal, size_t *ret_count)
{
    const struct map *rows = &journal->now.rows;
    uint64_t *fences = mem_array(rows->count + 1, sizeof fences[0]);
    size_t count = 0;
    size_t at = 0;
    void *record = NULL;
    while (map_each(rows, &at, &fences[count], &record)) {
        count++;
    }
    qsort(fences, count, sizeof fences[0], compare);
    *ret_count = count;
    return fences;
}

void journal_twin_done(struct journal_twin *journal)
{
    settle(journal, 0);
    mem_free(journal->writes);
    rows_free(&journal->now.rows);
    rows_free(&journal->synced.rows);
}
