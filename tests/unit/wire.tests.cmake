set(wire_samples ${CMAKE_SOURCE_DIR}/tests/unit/wire_samples.c
    ${CMAKE_SOURCE_DIR}/tests/unit/msg_equal.c)
asterism_test(unit_wire
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_wire.c ${wire_samples} LINK wire msg base)
