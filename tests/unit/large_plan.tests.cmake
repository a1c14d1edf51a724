asterism_test(unit_large_plan
    SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/test_large_plan.c
        ${CMAKE_SOURCE_DIR}/tests/unit/store_world.c ${CMAKE_SOURCE_DIR}/tests/unit/store_run.c
    LINK store engine base PkgConfig::SQLITE)
