/* JSON Schema (draft 2020-12) of a spec and of an edit, made from the table of keys: for editors, and
   for programs that write them by tool calls. Whatever the reader accepts, the schema accepts; what
   only the reader can see (references, cycles, grammars) it refuses by itself. */
#ifndef ORCHESTRATOR_SPEC_SPEC_SCHEMA_H
#define ORCHESTRATOR_SPEC_SPEC_SCHEMA_H

#include "common/base/buf.h"

/* JSON, appended. */
void spec_schema(struct buf *json);
void spec_schema_edit(struct buf *json); /* one batch: docs/editing.md */

#endif
