asterism_test(unit_selector SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_selector.c
    LINK engine msg base)
asterism_test(unit_engine SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_engine.c
        ${CMAKE_SOURCE_DIR}/tests/unit/device_hello.c
    LINK engine msg base)
asterism_test(unit_engine_limits SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_engine_limits.c
        ${CMAKE_SOURCE_DIR}/tests/unit/device_hello.c
    LINK engine msg base)
