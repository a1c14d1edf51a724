/* See log_room.h. Made by the writer itself, between its transactions: nobody else may write where its next
   frame could come to stand. */
#include "orchestrator/store/log_room.h"

#include "common/sys/clock.h"
#include "orchestrator/store/sqlite_db.h"

enum {
    LOG_HEADER_BYTES = 32,
    FRAME_HEADER_BYTES = 24,
    PIECE_BYTES = 64 * 1024, /* SQLite's file system writes less than 128 KiB at once */
};

static int64_t page_bytes(sqlite3 *db)
{
    int64_t bytes = 0;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        bytes = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return bytes;
}

void log_room_init(struct log_room *room, sqlite3 *writer, int64_t frames_max)
{
    *room = (struct log_room){
        .writer = writer,
        .page_bytes = page_bytes(writer),
        .frames_max = frames_max,
        .step_bytes = LOG_ROOM_STEP_BYTES_MAX / 4,
    };
    room->is_refused = room->page_bytes == 0;
}

void log_room_again(struct log_room *room)
{
    room->end_bytes = 0; /* SQLite cuts a log that has become very long */
    room->is_refused = room->page_bytes == 0;
}

int64_t log_room_next_step(int64_t step_bytes, int64_t took_us)
{
    if (took_us > LOG_ROOM_AIM_US) {
        step_bytes /= 2;
    } else if (took_us < LOG_ROOM_AIM_US / 4) {
        step_bytes *= 2;
    }
    if (step_bytes < LOG_ROOM_STEP_BYTES_MIN) {
        return LOG_ROOM_STEP_BYTES_MIN;
    }
    return step_bytes < LOG_ROOM_STEP_BYTES_MAX ? step_bytes : LOG_ROOM_STEP_BYTES_MAX;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static sqlite3_file *log_file(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    return rc == SQLITE_OK && file != NULL && file->pMethods != NULL ? file : NULL;
}

/* Pieces that end where a page of the file system does. */
static int write_zeros(sqlite3_file *file, int64_t from, int64_t to)
{
    static const char zeros[PIECE_BYTES] = "";
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && from < to) {
        int64_t piece = least(PIECE_BYTES - from % PIECE_BYTES, to - from);
        rc = file->pMethods->xWrite(file, zeros, (int)piece, from);
        from += piece;
    }
    return rc;
}

static enum err lengthen(struct log_room *room, sqlite3_file *file, int64_t to,
                         struct reason *reason)
{
    int64_t began_us = clock_boot_us();
    int64_t from = room->end_bytes;
    if (write_zeros(file, from, to) != SQLITE_OK) {
        /* What is scarce is given back. If it is not that, the next commit finds it out. */
        file->pMethods->xTruncate(file, from);
        room->is_refused = true;
        return ERR_NONE;
    }
    int rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    if (rc != SQLITE_OK) {
        return reason_set(reason, ERR_IO, "the database's log cannot be synced: %s",
                          sqlite3_errstr(rc));
    }
    room->end_bytes = to;
    room->step_bytes = log_room_next_step(room->step_bytes, clock_boot_us() - began_us);
    return ERR_NONE;
}

enum err log_room_keep(struct log_room *room, int frames, int added, struct reason *reason)
{
    int64_t frame_bytes = FRAME_HEADER_BYTES + room->page_bytes;
    int64_t used_bytes = LOG_HEADER_BYTES + frame_bytes * frames;
    int64_t wanted_bytes = used_bytes + 2 * frame_bytes * added;
    int64_t max_bytes = LOG_HEADER_BYTES + room->frames_max * frame_bytes;
    if (frames < LOG_ROOM_FRAMES_MIN || room->is_refused || wanted_bytes <= room->end_bytes ||
        used_bytes >= max_bytes) {
        return ERR_NONE;
    }
    sqlite3_file *file = log_file(room->writer);
    sqlite3_int64 bytes = 0;
    if (file == NULL || file->pMethods->xFileSize(file, &bytes) != SQLITE_OK) {
        room->is_refused = true;
        return ERR_NONE;
    }
    room->end_bytes = bytes;
    if (bytes < used_bytes || wanted_bytes <= bytes || bytes >= max_bytes) {
        return ERR_NONE;
    }
    int64_t to = least(bytes + least(room->step_bytes, used_bytes), max_bytes);
    return lengthen(room, file, to, reason);
}
