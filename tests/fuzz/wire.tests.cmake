asterism_fuzz(fuzz_wire
    SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_wire.c ${CMAKE_SOURCE_DIR}/tests/unit/msg_equal.c
    LINK wire msg
    CORPUS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/wire
    MUTATIONS 15000)
