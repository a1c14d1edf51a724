/* The profile: operating system, processors, memory, tools, labels, resources. */
#include "agent/profile.h"

#include <assert.h>
#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/sys/file.h"

/* Programs that a task may want to ask for by name. */
static const char *const known_tools[] = {
    "ansible", "apt-get",   "aws",     "bash",       "bzip2",   "cargo",
    "clang",   "cmake",     "curl",    "dnf",        "docker",  "ffmpeg",
    "gcc",     "gdb",       "git",     "go",         "gpg",     "helm",
    "java",    "jq",        "kubectl", "make",       "mysql",   "ninja",
    "node",    "npm",       "nvcc",    "nvidia-smi", "openssl", "perl",
    "php",     "pip3",      "podman",  "psql",       "python3", "qemu-system-x86_64",
    "rsync",   "ruby",      "rustc",   "ssh",        "sqlite3", "systemctl",
    "tar",     "terraform", "unzip",   "wget",       "xz",      "zip",
};

static const struct str known_executors[] = {
    { "run", 3 },
    { "shell", 5 },
    { "noop", 4 },
    { "sleep", 5 },
};

/* Looked for where the tasks' own PATH looks. */
static bool tool_is_there(const char *name)
{
    static const char *const directories[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                               "/usr/bin",        "/sbin",          "/bin" };
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        char path[128];
        struct stat stat_of;
        snprintf(path, sizeof path, "%s/%s", directories[i], name);
        if (access(path, X_OK) == 0 && stat(path, &stat_of) == 0 && S_ISREG(stat_of.st_mode)) {
            return true;
        }
    }
    return false;
}

/* Text of the system's own, cut and with anything strange replaced, so that a Hello is never refused
   for it. */
static struct str text_of(struct arena *arena, const char *text)
{
    size_t length = strnlen(text, MSG_NAME_BYTES_MAX);
    char *copy = arena_copy(arena, text, length);
    for (size_t i = 0; i < length; i++) {
        if (!isprint((unsigned char)copy[i])) {
            copy[i] = '?';
        }
    }
    return (struct str){ copy, length };
}

static void label_add(struct msg_pair *labels, size_t *count, struct str key, struct str value)
{
    for (size_t i = 0; i < *count; i++) {
        if (str_equal(labels[i].key, key)) {
            return; /* what the operator says wins */
        }
    }
    labels[(*count)++] = (struct msg_pair){ key, value };
}

static void labels_fill(const struct agent_settings *settings, struct arena *arena,
                        struct msg_profile *profile)
{
    struct msg_pair *labels = arena_array(arena, MSG_LABELS_MAX, sizeof *labels);
    size_t count = 0;
    /* From the last to the first: of two with one key the later, which the flags give, counts. */
    for (size_t i = settings->labels.count; i-- > 0;) {
        const char *label = settings->labels.items[i];
        const char *equals = strchr(label, '=');
        struct str key = { label, (size_t)(equals - label) };
        label_add(labels, &count, key, str_of(equals + 1));
    }
    label_add(labels, &count, STR("os"), profile->os);
    label_add(labels, &count, STR("arch"), profile->arch);
    label_add(labels, &count, STR("hostname"), profile->hostname);
    profile->labels = labels;
    profile->labels_count = count;
}

/* As with labels, of two with one name the later counts. */
static void resources_fill(const struct agent_settings *settings, struct arena *arena,
                           struct msg_profile *profile)
{
    struct msg_resource *resources =
        arena_array(arena, settings->resources.count, sizeof *resources);
    size_t count = 0;
    for (size_t i = settings->resources.count; i-- > 0;) {
        const char *text = settings->resources.items[i];
        const char *equals = strchr(text, '=');
        struct str name = { text, (size_t)(equals - text) };
        bool known = false;
        for (size_t j = 0; j < count; j++) {
            known = known || str_equal(resources[j].name, name);
        }
        if (!known && agent_amount_parse(equals + 1, &resources[count].amount_milli) == ERR_NONE) {
            resources[count++].name = name;
        }
    }
    profile->resources = resources;
    profile->resources_count = count;
}

static void tool_add(struct str *tools, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++) {
        if (str_is(tools[i], name)) {
            return;
        }
    }
    tools[(*count)++] = str_of(name);
}

/* What the operator names is taken at his word: it may be anywhere. */
static void tools_fill(const struct agent_settings *settings, struct arena *arena,
                       struct msg_profile *profile)
{
    enum { KNOWN = sizeof known_tools / sizeof known_tools[0] };
    static_assert(KNOWN + AGENT_TOOLS_MAX <= MSG_TOOLS_MAX, "a Hello takes no more");
    struct str *tools = arena_array(arena, KNOWN + AGENT_TOOLS_MAX, sizeof *tools);
    size_t count = 0;
    for (size_t i = 0; i < KNOWN; i++) {
        if (tool_is_there(known_tools[i])) {
            tool_add(tools, &count, known_tools[i]);
        }
    }
    for (size_t i = 0; i < settings->tools.count; i++) {
        tool_add(tools, &count, settings->tools.items[i]);
    }
    profile->tools = tools;
    profile->tools_count = count;
}

static void machine_fill(struct arena *arena, struct msg_profile *profile)
{
    struct utsname name;
    if (uname(&name) != 0) {
        memset(&name, 0, sizeof name);
    }
    for (char *at = name.sysname; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    profile->os = text_of(arena, name.sysname);
    profile->arch = text_of(arena, name.machine);
    profile->hostname = text_of(arena, name.nodename);
    cpu_set_t set;
    profile->cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    profile->memory_bytes =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
}

void agent_profile_read(const struct agent_settings *settings, struct arena *arena,
                        struct msg_profile *ret_profile)
{
    struct msg_profile profile = { 0 };
    machine_fill(arena, &profile);
    profile.slots = (uint32_t)settings->slots;
    profile.executors = known_executors;
    profile.executors_count = sizeof known_executors / sizeof known_executors[0];
    tools_fill(settings, arena, &profile);
    labels_fill(settings, arena, &profile);
    resources_fill(settings, arena, &profile);
    *ret_profile = profile;
}

enum err agent_boot_id_read(struct arena *arena, struct str *ret_boot_id, struct reason *reason)
{
    struct buf text = { 0 };
    enum err err = file_read("/proc/sys/kernel/random/boot_id", 256, &text, reason);
    if (err == ERR_NONE) {
        size_t length = strcspn(buf_text(&text), "\n");
        length = length < MSG_ID_BYTES_MAX ? length : MSG_ID_BYTES_MAX;
        *ret_boot_id = (struct str){ arena_copy(arena, text.data, length), length };
    }
    buf_done(&text);
    return err;
}
