/* Devices and their channels. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_FLEET_H
#define ORCHESTRATOR_ENGINE_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"
#include "common/base/map.h"
#include "orchestrator/engine/engine.h"

struct attempt;
struct class;
struct newcomer;
struct placement;
struct stock;

struct device {
    struct device_record record; /* its text is owned */
    uint64_t channel;            /* 0: not connected */
    bool ready;                  /* the session of the channel is durable at the agent */
    bool is_freed; /* on the list of those that are looked at again: it may be kept no more */
    bool untold_queued;
    bool is_matching;      /* classes are looked for (placement_match.c): nothing is given to it */
    bool has_been_matched; /* or is being */
    bool match_forgets;
    bool match_queued;
    bool acks_queued;
    int64_t pinged_boot_ms;    /* last sign of life that counts: Hello or Ping */
    int64_t probed_boot_ms;    /* 0: no probe is out */
    struct newcomer *newcomer; /* waits for what comes of the probe */
    uint32_t at;               /* its place in engine.devices_list */
    uint32_t used;
    struct stock *stock;
    size_t stock_count;
    struct class *kept_for; /* what is free of the stock is kept for it */
    struct device *kept_next;
    struct device *kept_previous;
    struct device *freed_next;
    uint64_t unstarted_bytes;    /* of its attempts */
    int64_t stale_noted_boot_ms; /* the last attempt.stale that went into the events */
    uint32_t contests;           /* another machine came under its name, one soon after the other */
    int64_t contested_boot_ms;
    uint64_t turn_of; /* rises at each assignment: the longest unused goes first */
    struct attempt *attempts;
    struct map strays; /* by fence. Two devices may say of the same one that they run it */
    struct placement **placements;
    size_t placements_count;
    size_t placements_capacity;
    /* Classes that have not been told yet how it changed last: so many, from there on, round about. */
    uint32_t untold;
    uint32_t untold_at;
    struct device *untold_next;
    uint64_t matched; /* classes up to this number on the roll have been looked at */
    struct device *match_next;
    struct heap_node timer;
    int64_t timer_boot_ms;
    uint64_t mark;
    uint64_t *acks; /* results stored in this turn */
    size_t acks_count;
    size_t acks_capacity;
    struct device *acks_next;
};

/* --- fleet.c --- */
enum device_status fleet_status(const struct device *device);
struct device *fleet_find(const struct engine *engine, struct str name);
struct device *fleet_add(struct engine *engine, const struct device_record *record);
void fleet_update(struct engine *engine, struct device *device, const struct msg_hello *hello);
void fleet_save(struct engine *engine, struct device *device);
void fleet_drain(struct engine *engine, const struct event *event);
/* A machine with another journal has come under its name. */
void fleet_contested(struct engine *engine, struct device *device);
void fleet_free(struct device *device);
/* When the device has to be looked at: its lease, its probe, or an attempt to give up. */
void fleet_arm(struct engine *engine, struct device *device);
size_t fleet_timer_fired(struct engine *engine, struct device *device, size_t budget); /* of rows */
bool fleet_timer_before(const struct heap_node *a, const struct heap_node *b);

/* --- newcomer.c --- */
void newcomer_hold(struct engine *engine, struct device *device, uint64_t channel,
                   const struct msg_hello *hello);
/* Nothing if there is none. */
void newcomer_refuse(struct engine *engine, struct device *device, const char *why);
void newcomer_admit(struct engine *engine, struct device *device);
bool newcomer_channel_closed(struct engine *engine, uint64_t channel); /* false: not a newcomer's */
void newcomer_free(struct newcomer *newcomer);

/* --- session.c --- */
void session_begin(struct engine *engine, struct device *device, uint64_t channel,
                   const struct msg_hello *hello);
void session_refuse(struct engine *engine, uint64_t channel, enum msg_error_code code,
                    struct str name, const char *why);
void session_message(struct engine *engine, const struct event *event);
void session_channel_closed(struct engine *engine, uint64_t channel, struct str why);
/* Sends an Error, closes, forgets the channel. */
void session_close(struct engine *engine, struct device *device, enum msg_error_code code,
                   struct str why);
void session_flush_acks(struct engine *engine);

#endif
