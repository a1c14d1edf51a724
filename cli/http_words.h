/* Why the daemon was not reached, for a person who is to do something about it. */
#ifndef CLI_HTTP_WORDS_H
#define CLI_HTTP_WORDS_H

#include <curl/curl.h>

#include "cli/http.h"

enum { HTTP_WORDS_BYTES = 256 };

/* Of a transfer that failed. `to` holds libcurl's words, and keeps them where there are no better. */
void http_failed_words(const struct http_target *target, CURL *easy, CURLcode code,
                       char to[HTTP_WORDS_BYTES]);

#endif
