/* The shared context of the outgoing WebSockets, made when the first one is. */
#include "common/net/ws_context.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/net/lws_nest.h"
#include "common/net/nest_private.h"

enum { TRUSTS_MAX = 64, DIAL_TIMEOUT_S = 20 };

struct ws_trust {
    char *ca_file; /* "": the system's */
    char name[32]; /* libwebsockets keeps the pointer */
    struct lws_vhost *vhost;
    struct ws_trust *next;
};

static const struct lws_protocols protocols[] = {
    { .name = "client", .callback = ws_client_callback },
    { .name = NULL },
};

enum err ws_context_get(struct nest *nest, struct ws_context **ret_context, struct reason *reason)
{
    if (nest->ws_context == NULL) {
        struct ws_context *context = mem_alloc(sizeof *context);
        struct lws_context_creation_info info = { 0 };
        info.timeout_secs = DIAL_TIMEOUT_S;
        info.connect_timeout_secs = DIAL_TIMEOUT_S;
        context->nest = nest;
        enum err err = lws_nest_new(nest, &info, &context->lws, reason);
        if (err != ERR_NONE) {
            mem_free(context);
            return err;
        }
        nest->ws_context = context;
    }
    *ret_context = nest->ws_context;
    return ERR_NONE;
}

/* libwebsockets would only log it, and connect to nobody. */
static enum err check_ca_file(const char *ca_file, struct reason *reason)
{
    X509_STORE *store = X509_STORE_new();
    bool good = store != NULL && X509_STORE_load_file(store, ca_file) == 1;
    X509_STORE_free(store);
    ERR_clear_error();
    if (!good) {
        return reason_set(reason, ERR_INVALID, "CA file %s: cannot be read as PEM certificates",
                          ca_file);
    }
    return ERR_NONE;
}

enum err ws_context_vhost(struct ws_context *context, const char *ca_file,
                          struct lws_vhost **ret_vhost, struct reason *reason)
{
    const char *wanted = ca_file == NULL ? "" : ca_file;
    unsigned count = 0;
    for (struct ws_trust *trust = context->trusts; trust != NULL; trust = trust->next) {
        if (strcmp(trust->ca_file, wanted) == 0) {
            *ret_vhost = trust->vhost;
            return ERR_NONE;
        }
        count++;
    }
    if (count >= TRUSTS_MAX) {
        return reason_set(reason, ERR_LIMIT, "more than %d different CA files", TRUSTS_MAX);
    }
    struct lws_context_creation_info info = { 0 };
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    if (ca_file != NULL) {
        enum err err = check_ca_file(ca_file, reason);
        if (err != ERR_NONE) {
            return err;
        }
        /* This authority and no other: a public one must not be able to vouch for our server. */
        info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
        info.client_ssl_ca_filepath = ca_file;
    }
    struct ws_trust *trust = mem_alloc(sizeof *trust);
    snprintf(trust->name, sizeof trust->name, "client-%u", count);
    info.vhost_name = trust->name;
    trust->vhost = lws_create_vhost(context->lws, &info);
    if (trust->vhost == NULL) {
        mem_free(trust);
        return reason_set(reason, ERR_IO, "cannot set up TLS for outgoing connections");
    }
    trust->ca_file = mem_copy_text(wanted);
    trust->next = context->trusts;
    context->trusts = trust;
    *ret_vhost = trust->vhost;
    return ERR_NONE;
}

void ws_context_free(struct ws_context *context)
{
    if (context == NULL) {
        return;
    }
    lws_nest_free(context->nest, &context->lws);
    while (context->trusts != NULL) {
        struct ws_trust *trust = context->trusts;
        context->trusts = trust->next;
        mem_free(trust->ca_file);
        mem_free(trust);
    }
    buf_pool_done(&context->pool);
    mem_free(context);
}
