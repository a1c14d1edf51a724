#include "tests/e2e/marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

const struct marks_task marks_constellation[] = {
    { "desktop-a", "desktop", "", 60, false },
    { "server-a", "server", "", 120, false },
    { "edge-a", "edge", "", 90, false },
    { "flaky", "edge", "", 50, true },
    { "wide-1", "server", "server-a", 150, false },
    { "wide-2", "server", "server-a", 300, false },
    { "wide-3", "server", "server-a desktop-a", 70, false },
    { "wide-4", "server", "server-a", 200, false },
    { "wide-5", "desktop", "edge-a", 250, false },
    { "chain-1", "edge", "edge-a", 50, false },
    { "chain-2", "desktop", "chain-1 desktop-a", 60, false },
    { "chain-3", "edge", "chain-2", 80, false },
    { "join", "server", "wide-1 wide-2 wide-3 wide-4", 60, false },
    { "report", "desktop", "join wide-5 chain-3 flaky", 50, false },
    { NULL, NULL, NULL, 0, false },
};

/* The first word of a list with blanks; *list moves behind it. */
static bool next_word(const char **list, char word[64])
{
    *list += strspn(*list, " ");
    size_t length = strcspn(*list, " ");
    snprintf(word, 64, "%.*s", (int)length, *list);
    *list += length;
    return length > 0;
}

static void write_task(struct buf *to, struct fleet *fleet, const struct marks_task *task)
{
    buf_printf(to, "  %s:\n    selector: \"role=%s\"\n", task->key, task->role);
    if (task->fails_once) {
        buf_append_text(to, "    retry: {max_attempts: 2, backoff: 100ms}\n");
    }
    buf_printf(to, "    env:\n      KEY: \"%s\"\n      MARKS: \"%s\"\n      IN: \"", task->key,
               fleet_path(fleet, "marks"));
    const char *needs = task->needs;
    char word[64];
    while (next_word(&needs, word)) {
        buf_printf(to, "${{ tasks.%s.stdout }}", word);
    }
    buf_append_text(to, "\"\n    shell: |\n"
                        "      mark() { echo \"$KEY $ASTERISM_ATTEMPT $$ $1\" >>\"$MARKS\"; }\n"
                        "      mark begin\n");
    buf_printf(to, "      sleep 0.%03u\n      mark end\n", task->ms);
    if (task->fails_once) {
        buf_append_text(to, "      mkdir \"$MARKS-$KEY\" 2>/dev/null && exit 1\n");
    }
    buf_append_text(to, "      echo \"$KEY.$IN\"\n");
}

const char *marks_spec(struct fleet *fleet, const struct marks_task *tasks)
{
    struct buf text = { 0 };
    buf_append_text(&text, "name: marked\ntasks:\n");
    for (; tasks->key != NULL; tasks++) {
        write_task(&text, fleet, tasks);
    }
    const char *path = fleet_write(fleet, "marked.yaml", buf_text(&text));
    buf_done(&text);
    return path;
}

/* Lines "KEY … WHAT" of the file. */
static size_t count_lines(const char *text, const char *key, const char *what)
{
    size_t count = 0;
    size_t key_length = strlen(key);
    size_t what_length = strlen(what);
    for (const char *line = text; *line != 0;) {
        size_t length = strcspn(line, "\n");
        count += length > key_length + what_length && line[key_length] == ' ' &&
                 strncmp(line, key, key_length) == 0 &&
                 strncmp(line + length - what_length, what, what_length) == 0;
        line += length + (line[length] == '\n');
    }
    return count;
}

/* Is there a "KEY … end" before this place? */
static bool ended_before(const char *text, const char *before, const char *key)
{
    char *head = strndup(text, (size_t)(before - text));
    bool ended = count_lines(head, key, " end") > 0;
    free(head);
    return ended;
}

static unsigned disorder_of(const char *text, const struct marks_task *task)
{
    char line[80];
    snprintf(line, sizeof line, "%s ", task->key);
    const char *begun = text;
    while ((begun = strstr(begun, line)) != NULL && begun != text && begun[-1] != '\n') {
        begun++;
    }
    unsigned disorder = 0;
    const char *needs = task->needs;
    char word[64];
    while (begun != NULL && next_word(&needs, word)) {
        disorder += !ended_before(text, begun, word);
    }
    return disorder;
}

struct marks_count marks_check(struct fleet *fleet, const struct marks_task *tasks)
{
    char *text = file_text(fleet_path(fleet, "marks"));
    struct marks_count count = { 0 };
    for (; tasks->key != NULL; tasks++) {
        size_t wanted = tasks->fails_once ? 2 : 1;
        size_t begun = count_lines(text, tasks->key, " begin");
        size_t ended = count_lines(text, tasks->key, " end");
        count.reruns += begun > wanted ? (unsigned)(begun - wanted) : 0;
        count.lost += ended < wanted ? (unsigned)(wanted - ended) : 0;
        count.disorder += disorder_of(text, tasks);
    }
    free(text);
    return count;
}

size_t marks_begun(struct fleet *fleet, const char *key)
{
    char *text = file_text(fleet_path(fleet, "marks"));
    size_t count = count_lines(text, key, " begin");
    free(text);
    return count;
}

size_t marks_ended(struct fleet *fleet, const char *key)
{
    char *text = file_text(fleet_path(fleet, "marks"));
    size_t count = count_lines(text, key, " end");
    free(text);
    return count;
}
