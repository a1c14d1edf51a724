/* What a function that can fail returns: ERR_NONE (0) or one of these. */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

enum err {
    ERR_NONE = 0,
    ERR_INVALID,     /* the input breaks a rule; the reason says which */
    ERR_NOT_FOUND,   /* nothing of that name */
    ERR_EXISTS,      /* something of that name is there already */
    ERR_CONFLICT,    /* not in the state that this needs */
    ERR_LIMIT,       /* a limit was reached */
    ERR_DENIED,      /* not allowed */
    ERR_BAD_FRAME,   /* bytes off the wire that the protocol does not allow */
    ERR_IO,          /* the operating system refused; the reason holds errno's words */
    ERR_CORRUPT,     /* stored bytes that we did not write so */
    ERR_VERSION,     /* written by another version than this one can read */
    ERR_BUSY,        /* somebody else holds it */
    ERR_CLOSED,      /* the other side has gone */
    ERR_TIMEOUT,     /* it took too long */
    ERR_UNSUPPORTED, /* not available on this system */
};

enum { REASON_BYTES_MAX = 512 };

/* Words for a person, beside an err. A caller that does not care passes NULL. */
struct reason {
    char text[REASON_BYTES_MAX];
};

/* A short stable name such as "not_found". */
const char *err_name(enum err err);

/* Writes the words and returns err, so that a refusal is one statement. Cuts at the limit. */
enum err reason_set(struct reason *reason, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
