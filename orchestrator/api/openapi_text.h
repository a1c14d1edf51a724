/* docs/openapi.yaml as bytes: the build turns the file into C. */
#ifndef ORCHESTRATOR_API_OPENAPI_TEXT_H
#define ORCHESTRATOR_API_OPENAPI_TEXT_H

#include <stddef.h>

extern const unsigned char openapi_text[];
extern const size_t openapi_text_bytes;

#endif
