set(wire_samples ${CMAKE_SOURCE_DIR}/tests/unit/wire_samples.c
    ${CMAKE_SOURCE_DIR}/tests/unit/msg_equal.c)
asterism_test(unit_wire
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_wire.c ${wire_samples} LINK wire msg base)
asterism_test(unit_wire_limits
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_wire_limits.c ${wire_samples} LINK wire msg base)
asterism_test(unit_wire_body
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_wire_body.c ${wire_samples} LINK wire msg base)
asterism_test(unit_wire_hostile
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_wire_hostile.c
        ${CMAKE_SOURCE_DIR}/tests/unit/wire_raw.c ${wire_samples} LINK wire msg base)
