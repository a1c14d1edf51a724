/* Any bytes as a constellation of UFO³: refused with a reason, or turned into a spec that is JSON, is
   read without harm, and comes with notes that can be shown. The same bytes give the same spec. */
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/import_ufo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    struct arena arena = { 0 };
    struct buf first = { 0 };
    struct buf second = { 0 };
    static struct import_notes notes;
    struct reason reason = { "" };
    enum err err = import_ufo(text, &arena, &first, &notes, &reason);
    CHECK((err == ERR_NONE) == (reason.text[0] == '\0'));
    if (err == ERR_NONE) {
        for (size_t i = 0; i < notes.count; i++) {
            CHECK(notes.list[i].words.length > 0 && str_is_utf8(notes.list[i].path));
        }
        enum err again = import_ufo(text, &arena, &second, &notes, &reason);
        CHECK(again == ERR_NONE && first.length == second.length);
        CHECK(memcmp(first.data, second.data, first.length) == 0);
        struct spec spec;
        struct spec_problems problems;
        struct str made = { (const char *)first.data, first.length };
        if (spec_parse(made, SPEC_FORMAT_JSON, NULL, &arena, &spec, &problems) != ERR_NONE) {
            CHECK(problems.count > 0 && strcmp(problems.list[0].code, "syntax") != 0);
        }
    }
    buf_done(&first);
    buf_done(&second);
    arena_done(&arena);
    return 0;
}
