/* The default of a program's data directory, which depends on who runs it. */
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/sys/config_internal.h"

enum err config_data_dir(struct config *config, const char *name, const char *const *environment,
                         const char **ret_path, struct reason *reason)
{
    const char *state = config_environment_get(environment, "XDG_STATE_HOME");
    const char *home = config_environment_get(environment, "HOME");
    char *path = NULL;
    if (geteuid() == 0) {
        path = mem_format("/var/lib/%s", name);
    } else if (state != NULL && state[0] == '/') {
        path = mem_format("%s/%s", state, name);
    } else if (home != NULL && home[0] == '/') {
        path = mem_format("%s/.local/state/%s", home, name);
    } else {
        return reason_set(reason, ERR_INVALID, "no --data-dir is given, and HOME is not set");
    }
    *ret_path = arena_copy(&config->arena, path, strlen(path));
    mem_free(path);
    return ERR_NONE;
}
