/* Looking up a name in libuv's thread pool. */
#include "common/net/lookup.h"

#include <netdb.h>
#include <sys/socket.h>
#include <uv.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/net/nest.h"

struct lookup {
    uv_getaddrinfo_t request;
    void (*done)(void *context, const struct lookup_result *result); /* NULL: cancelled */
    void *context;
};

static void collect(const struct addrinfo *found, struct lookup_result *result)
{
    for (const struct addrinfo *at = found; at != NULL && result->count < LOOKUP_ADDRESSES_MAX;
         at = at->ai_next) {
        if (getnameinfo(at->ai_addr, at->ai_addrlen, result->addresses[result->count],
                        LOOKUP_ADDRESS_BYTES, NULL, 0, NI_NUMERICHOST) == 0) {
            result->count++;
        }
    }
    if (result->count == 0 && result->error == NULL) {
        result->error = "the name has no address";
    }
}

static void finished(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = request->data;
    if (lookup->done != NULL) {
        struct lookup_result result = { 0 };
        if (status != 0) {
            result.error = uv_strerror(status);
        }
        collect(found, &result);
        lookup->done(lookup->context, &result);
    }
    uv_freeaddrinfo(found);
    mem_free(lookup);
}

struct lookup *lookup_start(struct nest *nest, const char *host,
                            void (*done)(void *context, const struct lookup_result *result),
                            void *context)
{
    struct lookup *lookup = mem_alloc(sizeof *lookup);
    struct addrinfo hints = { 0 };
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    lookup->done = done;
    lookup->context = context;
    lookup->request.data = lookup;
    /* It refuses only names that are empty or too long, which the url's reader has refused. */
    CHECK(uv_getaddrinfo(nest_uv(nest), &lookup->request, finished, host, NULL, &hints) == 0);
    return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    /* If it runs already it cannot be stopped; it then ends by itself and is freed there. */
    lookup->done = NULL;
    uv_cancel((uv_req_t *)&lookup->request);
}
