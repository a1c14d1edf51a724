asterism_test(unit_store
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_store.c ${CMAKE_SOURCE_DIR}/tests/unit/store_world.c
        ${CMAKE_SOURCE_DIR}/tests/unit/store_run.c
    LINK store engine base)
