/* Writing JSON: texts, numbers and durations as a spec has them. */
#ifndef ORCHESTRATOR_SPEC_SPEC_JSON_H
#define ORCHESTRATOR_SPEC_SPEC_JSON_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/str.h"

/* With its quotes. Bytes that are no UTF-8 become marks. */
void spec_json_text(struct buf *json, struct str text);
/* A number of YAML's core schema, which knows more forms than JSON: 0x1F, +5, .5, .inf (null). */
void spec_json_number(struct buf *json, struct str text);
void spec_json_duration(struct buf *json, int64_t ms); /* "90s", "1500ms" */
/* In thousandths, as a number. */
void spec_json_milli(struct buf *json, int64_t milli);

#endif
